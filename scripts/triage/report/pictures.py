"""Pictures as text that stands in the page itself, with their captions."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from triage.errors import UserError

TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
CAPTION = re.compile(r"\*\*(?P<title>[^*]+)\*\*\s*(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True)
class Caption:
    """What a picture shows: a short title and a sentence or two."""

    title: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture as a data URL, with what it shows."""

    name: str
    group: str
    caption: Caption
    source: str


def read_captions(paths: Iterable[Path]) -> dict[str, Caption]:
    """The captions by name. Each file is ``**Title.** Text``, plain but for the bold title."""
    found = {}
    for path in paths:
        match = CAPTION.fullmatch(path.read_text(encoding="utf-8").strip())
        if not match:
            raise UserError("is no caption", where=path, remedy="write **Title.** and a text")
        text = " ".join(match["text"].split())
        found[path.stem] = Caption(match["title"].strip().rstrip("."), text)
    return found


def embed(path: Path, captions: dict[str, Caption]) -> Picture:
    """The picture in a file; its group is the folder it lies in."""
    name = path.stem
    content = base64.b64encode(path.read_bytes()).decode("ascii")
    caption = captions.get(name) or Caption(name.replace("_", " ").capitalize(), "")
    return Picture(name, path.parent.name, caption, f"data:{TYPES[path.suffix]};base64,{content}")
