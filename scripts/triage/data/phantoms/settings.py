"""The settings of the phantoms: how much raw data is generated, and how hard it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from triage.constraints import Count, Natural, Pixels, Seed, Share


@dataclass(frozen=True)
class Braintriage:
    """MR volumes of heads, normal and abnormal."""

    seed: Seed
    """Of all that is drawn."""
    patients: Annotated[int, Ge(4)]
    """Labelled patients; half of them are abnormal, of an odd number one more or less."""
    test_patients: Natural
    """Patients without a label, for the submission."""
    size: Annotated[int, Ge(32), Le(1024)]
    """Voxels across a slice; published: 512."""
    slices: Annotated[int, Ge(1), Le(512)]
    """Slices a volume; published: 32."""
    difficulty: Share
    """0: every lesion is obvious, 1: most are hard to see."""


@dataclass(frozen=True)
class XrayHeads:
    """Chest X-rays with findings, for xray_heads and xray_findings."""

    seed: Seed
    """Of all that is drawn."""
    train: Count
    """Pictures in train_val_list.txt."""
    test: Natural
    """Pictures in test_list.txt."""
    size: Pixels
    """Pixels a side; published: 1024."""
    skew: Share
    """1: findings as unequally frequent as the real ones, 0: all alike."""
    difficulty: Share
    """0: every finding is obvious, 1: most are hard to see."""


@dataclass(frozen=True)
class ChestCounts:
    """Pictures of a partition, by class."""

    normal: Natural
    """Healthy lungs."""
    pneumonia: Natural
    """Lungs with pneumonia."""


@dataclass(frozen=True)
class Pneumonia:
    """Chest X-rays of children."""

    seed: Seed
    """Of all that is drawn."""
    train: ChestCounts
    val: ChestCounts
    test: ChestCounts
    size: Pixels
    """Usual height; width and height vary."""
    difficulty: Share
    """0: every opacity is obvious, 1: most are hard to see."""


@dataclass(frozen=True)
class Mhist:
    """Pictures of colorectal polyps, each judged by seven annotators."""

    seed: Seed
    """Of all that is drawn."""
    train: Count
    """Pictures to train on."""
    test: Natural
    """Pictures to test on."""
    size: Pixels
    """Pixels a side; published: 224."""
    difficulty: Share
    """0: glands show the score plainly, 1: hardly."""
    disagreement: Share
    """Of the annotators; 0: all vote alike, 1: nearly at random."""


@dataclass(frozen=True)
class LesionCounts:
    """Pictures of a partition, by class."""

    mel: Natural
    """Melanomas."""
    nv: Natural
    """Nevi."""


@dataclass(frozen=True)
class Melanoma:
    """Dermoscopic pictures of skin lesions."""

    seed: Seed
    """Of all that is drawn."""
    train: LesionCounts
    val: LesionCounts
    test: LesionCounts
    size: Pixels
    """Pixels a side; published: 128."""
    difficulty: Share
    """0: melanomas look like no mole, 1: many do."""


@dataclass(frozen=True)
class Skin:
    """Dermoscopic pictures of seven diagnoses, with HAM10000's table."""

    seed: Seed
    """Of all that is drawn."""
    pictures: Annotated[int, Ge(28)]
    """Of all diagnoses together; published: 10015."""
    size: Pixels
    """Pixels a side; published: 450 high, 600 wide."""
    skew: Share
    """1: diagnoses as unequally frequent as the real ones, 0: all alike."""
    difficulty: Share
    """0: every diagnosis has its own look, 1: many look like moles."""


PHANTOMS = {
    "braintriage": Braintriage,
    "xray_heads": XrayHeads,
    "pneumonia": Pneumonia,
    "mhist": Mhist,
    "melanoma": Melanoma,
    "skin": Skin,
}
