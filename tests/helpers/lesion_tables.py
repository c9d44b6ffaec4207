"""A small table of lesions with its pictures, and what its reader finds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from picture_sets import write
from triage.data.readers import Case, IndexSettings, Problem, table
from triage.settings import parse

CLASSES = ("naevus", "melanoma", "keratosis")
LESIONS = "image_id,dx,patient,age,site\na,nv,P1,63,back\nb,mel,P1,63,back\nc,bkl,P2,,arm\n"
VALUES = {"nv": "naevus", "mel": "melanoma", "bkl": "keratosis"}


def find(raw: Path, **changes: Any) -> tuple[dict[str, Case], list[Problem]]:
    """What the reader finds, by settings as the workflow hands them on."""
    block = {
        **{"reader": "table", "classes": CLASSES, "group": None, "task": "multiclass"},
        **{"max_quarantined": 0.5, "min_slices": 1, "table": "labels.csv"},
        **changes,
    }
    settings = parse(IndexSettings, json.dumps(block))
    paths = sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file())
    cases, problems = table.find(raw, paths, settings)
    return {case.case: case for case in cases}, problems


def lesions(raw: Path, text: str = LESIONS, files: Sequence[str] = ()) -> None:
    write(raw, files or [f"images/{name}.jpg" for name in "abc"], "RGB")
    (raw / "labels.csv").write_text(text)


def labels(cases: dict[str, Case]) -> list[str]:
    return [case.label for case in cases.values()]


BASIC = {"columns": {"file": "image_id", "label": "dx"}, "values": VALUES}
