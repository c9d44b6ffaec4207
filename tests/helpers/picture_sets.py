"""Tiny pictures in the layouts of the four studies of single pictures, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from triage.data.readers import Case, IndexSettings, Problem, reader

NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
MHIST_HEADER = (
    "Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition"
)


def noise(seed: int, mode: str = "L", size: tuple[int, int] = (24, 20)) -> Image.Image:
    """A picture of ``size`` (width, height) whose pixels are random."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], channels)
    array = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    return Image.fromarray(array[..., 0] if channels == 1 else array, mode)


def save(image: Image.Image, path: Path, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def write(raw: Path, files: Iterable[str], mode: str = "L") -> None:
    """A different picture of noise at each of the paths."""
    for seed, file in enumerate(files):
        save(noise(seed, mode), raw / file)


def write_nih(raw: Path, rows: Iterable[str], header: str = NIH_HEADER, end: str = "\n") -> None:
    """A table, whose rows are completed, and the pictures that it names."""
    rows = [f"{row},PA,2500,2048,0.168,0.168" for row in rows]
    raw.mkdir(parents=True, exist_ok=True)
    text = end.join([header, *rows, ""])
    (raw / "Data_Entry_2017.csv").write_bytes(text.encode())
    write(raw, [f"images/{row.split(',')[0]}" for row in rows])


def write_mhist(raw: Path, rows: Iterable[str], header: str = MHIST_HEADER) -> None:
    """A table and the pictures that it names."""
    rows = list(rows)
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "annotations.csv").write_text("\n".join([header, *rows, ""]))
    write(raw, [f"images/{row.split(',')[0]}" for row in rows], "RGB")


def find(
    raw: Path, name: str, classes: tuple[str, ...], group: str | None = None
) -> tuple[dict[str, Case], list[Problem]]:
    """What a reader finds among all files of ``raw``; cases by name."""
    paths = [path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file()]
    settings = IndexSettings(name, classes, group, max_quarantined=0.5, min_slices=1)
    cases, problems = reader(name).find(raw, sorted(paths), settings)
    return {case.case: case for case in cases}, problems
