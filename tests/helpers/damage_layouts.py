"""The five layouts of raw data, small and whole, and what a damage is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import picture_sets
import scans

Outcome = Literal["used", "quarantined", "stopped"]


@dataclass(frozen=True)
class Layout:
    """A small, whole data set: how to write it, how to read it, and the file to be damaged."""

    study: str
    reader: str
    classes: tuple[str, ...]
    write: Callable[[Path], None]
    victim: str
    case: str
    mode: str


@dataclass(frozen=True)
class Damage:
    """What is done to the raw folder, and what has to come of it.

    ``used``: the case is whole all the same. ``quarantined``: it alone is left out, or with the
    cases ``also``, for a reason that has the words ``says``. ``stopped``: the labels can't be
    trusted, so nothing is made.
    """

    name: str
    do: Callable[[Path], object]
    outcome: Outcome
    says: str = ""
    also: tuple[str, ...] = ()


def _write_brains(raw: Path) -> None:
    scans.write_cohort(raw, each=3, unlabelled=1)


NIH_ROWS = [
    f"{i:08}_000.png,{label},0,{i},0{40 + i}Y,{'MF'[i % 2]}"
    for i, label in enumerate(["No Finding", "Mass", "No Finding", "Mass|Nodule", "Edema"], 1)
]
MHIST_ROWS = [
    f"MHIST_aa{letter}.png,{label},{votes},{part}"
    for letter, label, votes, part in zip(
        "abcde", ["HP", "SSA", "HP", "SSA", "HP"], [1, 6, 0, 4, 3], ["train"] * 3 + ["test"] * 2,
        strict=True,
    )
]  # fmt: skip


def _write_chests(raw: Path) -> None:
    files = [
        f"chest_xray/{part}/{label}/{name}.jpeg"
        for part, number in (("train", 1), ("test", 9))
        for label, name in (
            ("NORMAL", f"IM-000{number}-0001"),
            ("NORMAL", f"NORMAL2-IM-00{number}5-0001"),
            ("PNEUMONIA", f"person{number}_bacteria_1"),
        )
    ]
    picture_sets.write(raw, files)


def _write_lesions(raw: Path) -> None:
    files = [
        f"{part}/{label}/ISIC_00{number}{label}.jpg"
        for part, number in (("train", 1), ("train", 2), ("val", 3), ("test", 4))
        for label in ("MEL", "NV")
    ]
    picture_sets.write(raw, files, "RGB")


LAYOUTS = {
    layout.study: layout
    for layout in (
        Layout(
            "braintriage", "volumes", ("normal", "abnormal"), _write_brains,
            "train/full/normal/P00/T2.mha", "P00", "volume",
        ),
        Layout(
            "xray_heads", "nih", ("No Finding", "Finding"),
            lambda raw: picture_sets.write_nih(raw, NIH_ROWS),
            "images/00000001_000.png", "00000001_000", "grey",
        ),
        Layout(
            "pneumonia", "folders", ("NORMAL", "PNEUMONIA"), _write_chests,
            "chest_xray/train/NORMAL/IM-0001-0001.jpeg", "IM-0001-0001", "grey",
        ),
        Layout(
            "mhist", "annotations", ("HP", "SSA"),
            lambda raw: picture_sets.write_mhist(raw, MHIST_ROWS),
            "images/MHIST_aaa.png", "MHIST_aaa", "rgb",
        ),
        Layout(
            "melanoma", "folders", ("NV", "MEL"), _write_lesions,
            "train/MEL/ISIC_001MEL.jpg", "ISIC_001MEL", "rgb",
        ),
    )
}  # fmt: skip
