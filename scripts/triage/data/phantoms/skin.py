"""Phantom raw data of the study of seven diagnoses: dermoscopy of lesions, HAM10000's table.

Laid out as the real one: ``images/ISIC_*.jpg`` and ``HAM10000_metadata.csv``, in which several
pictures show the same lesion. Melanomas and nevi are drawn as those of the melanoma study; each
other diagnosis has a tint and a texture of its own, the weaker the harder the phantom is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from triage.data.phantoms import folder as pictures
from triage.data.phantoms import melanoma
from triage.data.phantoms.drawing import generator, plane
from triage.data.phantoms.melanoma import BROWN, FIRST_IMAGE, HEADER, TABLE, Lesion, Picture, row
from triage.data.phantoms.settings import Skin as Settings

PER_LESION = 1.4  # pictures, on average


@dataclass(frozen=True)
class Kind:
    """A diagnosis: the pictures that HAM10000 has of it, the age of its patients, and its look.

    ``badness``, ``middle`` and ``specks``: see ``melanoma.Lesion``; ``scale`` is the size of its
    lesions against that of others.
    """

    real: int
    age: float
    badness: float
    tint: tuple[float, float, float] = (0.55, 0.95, 1.15)
    pigment: float = 1.0
    scale: float = 1.0
    middle: float = 0.4
    specks: float = 0.0


KINDS = {
    "akiec": Kind(327, 67, 0.40, tint=(0.10, 0.80, 0.75), pigment=0.9, scale=1.2, specks=0.9),
    "bcc": Kind(514, 67, 0.65, tint=(0.55, 0.75, 0.45), pigment=0.6, scale=1.1, middle=-0.3),
    "bkl": Kind(1099, 64, 0.35, tint=(0.75, 0.90, 0.85), scale=1.2, specks=0.7),
    "df": Kind(115, 52, 0.10, tint=(0.40, 0.75, 0.90), scale=0.8, middle=-2.0),
    "mel": Kind(1113, 60, 0.75),
    "nv": Kind(6705, 46, 0.25),
    "vasc": Kind(142, 49, 0.10, tint=(0.55, 1.90, 1.40), pigment=1.2, scale=0.7),
}


def generate(settings: Settings, folder: Path, workers: int = 1) -> None:
    """Write the pictures and the table, as ``folder.write`` does."""
    found = {f"images/{each.name}.jpg": each for each in cohort(settings)}
    rows = [row(settings.seed, each, KINDS[each.label].age) for each in found.values()]
    pictures.write(folder, partial(draw, settings), found, {TABLE: [HEADER, *rows]}, workers)


def cohort(settings: Settings) -> list[Picture]:
    """All pictures, by lesion; numbers of pictures and lesions say nothing of the diagnosis."""
    rng = generator(settings.seed, "cohort")
    lesions: list[list[str]] = []
    for label, count in counts(settings).items():
        while count:
            several = min(1 + int(rng.poisson(PER_LESION - 1)), count)
            lesions.append([label] * several)
            count -= several
    numbers = iter(rng.permutation(settings.pictures) + FIRST_IMAGE)
    return [
        Picture(int(next(numbers)), lesion, label)
        for lesion, place in enumerate(rng.permutation(len(lesions)), start=1)
        for label in lesions[place]
    ]


def counts(settings: Settings) -> dict[str, int]:
    """The pictures of each diagnosis, at least three of each."""
    weights = np.array([kind.real for kind in KINDS.values()]) ** float(settings.skew)
    shares = (settings.pictures - 3 * len(KINDS)) * np.cumsum(weights) / weights.sum()
    sizes = 3 + np.diff(np.rint(shares), prepend=0).astype(int)
    return dict(zip(KINDS, map(int, sizes), strict=True))


def draw(settings: Settings, picture: Picture) -> Image.Image:
    """A lesion as its diagnosis looks."""
    own = generator(settings.seed, "lesion", picture.lesion)
    lesion = _draw_lesion(own, KINDS[picture.label], settings.difficulty)
    rng = generator(settings.seed, "picture", picture.image)
    return melanoma.compose(own, rng, plane(settings.size, settings.size), lesion)


def _draw_lesion(rng: np.random.Generator, kind: Kind, difficulty: float) -> Lesion:
    drawn = melanoma.draw_lesion(rng, kind.badness, difficulty)
    strength = 1 - difficulty * rng.uniform()
    return replace(
        drawn,
        radius=drawn.radius * kind.scale,
        pigment=drawn.pigment * kind.pigment,
        redness=drawn.redness * (1 - strength),
        tint=np.array(kind.tint, np.float32) * strength + BROWN * (1 - strength),
        middle=drawn.middle + strength * (kind.middle - drawn.middle),
        specks=strength * kind.specks,
    )
