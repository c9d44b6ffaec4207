"""Pictures as text that stands in the page itself, with their captions."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup
from PIL import Image

from triage.errors import UserError

PLAIN = " =:/;,.()+-_*!@?'"  # what may stand in a data URL as it is
QUALITY = 85  # of images, 1 to 100; the files beside the page are without loss
COMMENT = re.compile("<!--.*?-->", re.DOTALL)
PLACES = re.compile(r'\b(?:d|x|y)="[^"]*"|translate\([^)]*\)')
DECIMALS = re.compile(r"(\.\d\d)\d+")
CAPTION = re.compile(r"\*\*(?P<title>[^*]+)\*\*\s*(?P<text>.*)", re.DOTALL)


@dataclass(frozen=True)
class Caption:
    """What a picture shows: a short title and a sentence or two."""

    title: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture as a data URL, with what it shows; ``seen`` says so to those who can't see it."""

    name: str
    group: str
    caption: Caption
    source: str
    seen: str


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


def embed(path: Path, captions: dict[str, Caption], seen: Mapping[str, str]) -> Picture:
    """The picture in a file; its group is the folder it lies in.

    ``seen`` has the numbers of some pictures in words, by name; the others are told by the caption.
    """
    name = path.stem
    caption = captions.get(name) or Caption(name.replace("_", " ").capitalize(), "")
    told = f"{caption.title}. {seen.get(name, caption.text)}"
    return Picture(name, path.parent.name, caption, SOURCES[path.suffix](path), told)


def _drawing(path: Path) -> str:
    """A data URL of an SVG, as text: shorter than in base64. Places have two decimals."""
    text = " ".join(COMMENT.sub("", path.read_text(encoding="utf-8")).split())
    text = PLACES.sub(lambda found: DECIMALS.sub(r"\1", found[0]), text)
    if "'" not in text:  # a third as long as the other kind, in a URL
        text = text.replace('"', "'")
    return Markup(f"data:image/svg+xml,{quote(text, safe=PLAIN)}")


def _image(path: Path) -> str:
    """A data URL of a PNG, as WebP: a small part of its size, and good enough to look at."""
    packed = io.BytesIO()
    with Image.open(path) as image:
        image.save(packed, "WEBP", quality=QUALITY, method=2)
    content = base64.b64encode(packed.getvalue()).decode("ascii")
    return f"data:image/webp;base64,{content}"


SOURCES = {".svg": _drawing, ".png": _image}
