"""Phantom raw data of the melanoma study: dermoscopy of moles, MEL and NV.

Laid out as class folders, ``{train,val,test}/{MEL,NV}/ISIC_*.jpg``, with HAM10000's table of
lesions: several pictures show the same lesion. A melanoma tends to be less symmetric, of a more
irregular border and of more colours, and larger and darker; skin, hair and light tell nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triage.data.phantoms import folder as pictures
from triage.data.phantoms.drawing import (
    Floats,
    Plane,
    bump,
    generator,
    plane,
    smooth_field,
    soft,
    to_bytes,
    turn,
    wavy,
)
from triage.data.phantoms.settings import Melanoma as Settings

CLASSES = ("MEL", "NV")
TABLE = "HAM10000_metadata.csv"
HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization"
PLACES = ("back", "lower extremity", "trunk", "upper extremity", "abdomen", "face")
BADNESS = {"MEL": 0.75, "NV": 0.25}  # on average
PER_LESION = {"MEL": 1.5, "NV": 1.2}  # pictures, on average
FIRST_IMAGE, FIRST_LESION = 24306, 1
SKINS = np.array(  # light to dark; red, green, blue
    [(0.93, 0.78, 0.76), (0.90, 0.66, 0.62), (0.86, 0.64, 0.50), (0.72, 0.50, 0.38)], np.float32
)
# What the colours of a lesion absorb of red, green and blue.
BROWN = np.array([0.55, 0.95, 1.15], np.float32)
BLACK = np.array([1.9, 2.0, 1.9], np.float32)
BLUE = np.array([1.25, 0.95, 0.65], np.float32)
RED = np.array([0.15, 0.75, 0.65], np.float32)


@dataclass(frozen=True)
class Picture:
    """What, with the settings, decides the bytes of a file."""

    image: int
    lesion: int
    label: str

    @property
    def name(self) -> str:
        return f"ISIC_{self.image:07d}"


@dataclass(frozen=True)
class Lesion:
    """How a lesion looks; asymmetry, border and colour: 0 harmless, 1 bad."""

    asymmetry: float
    border: float
    colour: float
    radius: float
    stretch: float
    pigment: float
    redness: float
    tint: Floats | None = None  # what its pigment absorbs of red, green and blue, if not brown
    middle: float = 0.4  # how much darker it is in the middle; below 0: paler
    specks: float = 0.0  # share of pigment that is lacking where it is speckled


def generate(settings: Settings, folder: Path, workers: int = 1) -> None:
    """Write the pictures and the table, as ``folder.write`` does."""
    found = cohort(settings)
    ages = {"MEL": 62.0, "NV": 48.0}
    rows = (row(settings.seed, each, ages[each.label]) for each in found.values())
    pictures.write(
        folder, partial(draw, settings), found, {TABLE: [HEADER, *sorted(rows)]}, workers
    )


def cohort(settings: Settings) -> dict[str, Picture]:
    """All pictures by path."""
    parts = (("train", settings.train), ("val", settings.val), ("test", settings.test))
    found: list[tuple[str, int, str]] = []
    lesion = FIRST_LESION
    for partition, counts in parts:
        for label, count in zip(CLASSES, (counts.mel, counts.nv), strict=True):
            rng = generator(settings.seed, "cohort", partition, label)
            end = len(found) + count
            while len(found) < end:
                several = min(1 + int(rng.poisson(PER_LESION[label] - 1)), end - len(found))
                found += [(partition, lesion, label)] * several
                lesion += 1
    # Numbers are shuffled, so that a name says nothing about class or partition.
    numbers = generator(settings.seed, "names").permutation(len(found)) + FIRST_IMAGE
    cohort = {}
    for number, (partition, lesion, label) in zip(numbers, found, strict=True):
        picture = Picture(int(number), lesion, label)
        cohort[f"{partition}/{label}/{picture.name}.jpg"] = picture
    return cohort


def row(seed: int, picture: Picture, mean_age: float) -> str:
    """The picture's row of the table."""
    rng = generator(seed, "row", picture.lesion)
    age = int(np.clip(rng.normal(mean_age, 14) / 5, 1, 17)) * 5
    sex, place = rng.choice(("male", "female")), rng.choice(PLACES)
    label = picture.label.lower()
    how = rng.choice(("histo", "follow_up", "consensus")) if label == "nv" else "histo"
    return f"HAM_{picture.lesion:07d},{picture.name},{label},{how},{age}.0,{sex},{place}"


def draw(settings: Settings, picture: Picture) -> Image.Image:
    """A melanoma or a nevus."""
    own = generator(settings.seed, "lesion", picture.lesion)
    lesion = draw_lesion(own, BADNESS[picture.label], settings.difficulty)
    rng = generator(settings.seed, "picture", picture.image)
    return compose(own, rng, plane(settings.size, settings.size), lesion)


def compose(
    own: np.random.Generator, rng: np.random.Generator, canvas: Plane, lesion: Lesion
) -> Image.Image:
    """Skin, the lesion's pigment in it, hair on it, and light.

    ``own`` draws what all pictures of the lesion share, ``rng`` what each has of its own.
    """
    skin = _skin(own, rng, canvas)
    absorbed = _pigment(own, rng, canvas, lesion)
    values = skin * np.exp(-absorbed) * np.exp(-_hair(rng, canvas))[..., None]
    return Image.fromarray(_light(rng, canvas, values))


def draw_lesion(rng: np.random.Generator, mean: float, difficulty: float) -> Lesion:
    """A common badness of the lesion about its ``mean``; each sign has an error of its own."""
    badness = rng.normal(mean, 0.08 + 0.3 * difficulty)
    signs = np.clip(badness + rng.normal(0, 0.18, 3), 0, 1.2)
    return Lesion(
        asymmetry=float(signs[0]),
        border=float(signs[1]),
        colour=float(signs[2]),
        radius=float(np.clip(np.exp(rng.normal(-1.05 + 0.5 * badness, 0.3)), 0.18, 0.8)),
        stretch=rng.uniform(1.0, 1.35),
        pigment=float(np.exp(rng.normal(-0.4 + 0.6 * badness, 0.3))),
        redness=rng.uniform(0, 0.6),
    )


def _skin(own: np.random.Generator, rng: np.random.Generator, canvas: Plane) -> Floats:
    tone = own.uniform(0, len(SKINS) - 1.001)
    first, share = int(tone), (tone % 1)
    colour = SKINS[first] * (1 - share) + SKINS[first + 1] * share
    lines = 0.02 * smooth_field(rng, canvas, 0.04)
    patches = 0.025 * smooth_field(rng, canvas, 0.4)
    freckles = soft(smooth_field(rng, canvas, 0.06) - 2.4, 0.6)
    freckles = rng.uniform(0, 0.4) * freckles
    absorbed = (lines + patches)[..., None] * RED + freckles[..., None] * BROWN
    return colour * np.exp(-absorbed)


def _pigment(
    own: np.random.Generator, rng: np.random.Generator, canvas: Plane, lesion: Lesion
) -> Floats:
    """What the lesion absorbs, [height, width, 3]; placed anew in every picture of it."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = turn(canvas.y - rng.normal(0, 0.08), canvas.x - rng.normal(0, 0.08), angle)
    radius = np.hypot(y * lesion.stretch, x)
    depth = _border(own, np.arctan2(y, x), lesion) - radius
    depth = depth + (0.02 + 0.05 * lesion.border) * smooth_field(own, canvas, 0.09)
    # A harmless border fades alike all round; a bad one is sharp here and blurred there.
    blur = 0.14 + 0.10 * lesion.border * wavy(own, np.arctan2(y, x), range(1, 4), 0.5)
    inside = soft(depth / np.clip(blur, 0.03, 0.4).astype(np.float32), 1.0)
    network = 0.22 * smooth_field(own, canvas, 0.035)
    amount = np.clip(lesion.pigment * (1 + network + lesion.middle * depth), 0.1, 3)
    tint = BROWN if lesion.tint is None else lesion.tint
    tint = tint * (1 - lesion.redness) + RED * lesion.redness
    absorbed = amount[..., None] * tint
    for colour, rarity in ((BLACK, 0.6), (BLUE, 0.9), (RED, 0.9), (0.1 * BROWN, 1.0)):
        strength = np.clip(lesion.colour - own.uniform(0, 0.7), 0, 1)
        where = soft(smooth_field(own, canvas, 0.22) - rarity, 0.5)
        where = (strength * where)[..., None]
        absorbed = absorbed * (1 - where) + where * colour * lesion.pigment
    if lesion.specks:
        lacking = lesion.specks * soft(smooth_field(own, canvas, 0.06) - 1, 0.6)
        absorbed = absorbed * (1 - lacking)[..., None]
    return absorbed * inside[..., None]


def _border(rng: np.random.Generator, angle: Floats, lesion: Lesion) -> Floats:
    """The lesion's radius by direction: odd orders make it lopsided, high ones ragged."""
    lopsided = (0.03 + 0.15 * lesion.asymmetry) * wavy(rng, angle, range(1, 4), 0.3)
    ragged = (0.02 + 0.08 * lesion.border) * wavy(rng, angle, range(5, 14), 0.6)
    return lesion.radius * np.maximum(1 + lopsided + ragged, 0.25)


def _hair(rng: np.random.Generator, canvas: Plane) -> Floats:
    """What hairs absorb: arcs across the picture, none in most pictures."""
    absorbed = np.zeros(canvas.shape, np.float32)
    for _ in range(int(rng.integers(2, 12)) * int(rng.uniform() < 0.4)):
        y, x = turn(canvas.y, canvas.x, rng.uniform(0, np.pi))
        arc = y - rng.uniform(-1, 1) - rng.normal(0, 0.3) * x * x
        extent = bump(x - rng.uniform(-0.8, 0.8), 0.35)
        absorbed += rng.uniform(0.2, 0.9) * bump(arc, rng.uniform(0.006, 0.012)) * extent
    return absorbed


def _light(rng: np.random.Generator, canvas: Plane, values: Floats) -> NDArray[np.uint8]:
    """White balance, shading, in some a dark circle around, and grain."""
    balance = np.exp(rng.normal(0, 0.06, 3)).astype(np.float32)
    shade = 1 + rng.normal(0, 0.06) * canvas.y + rng.normal(0, 0.06) * canvas.x
    distance = np.hypot(canvas.y, canvas.x)
    if rng.uniform() < 0.3:
        shade = shade * soft(rng.uniform(1.0, 1.3) - distance, rng.uniform(0.1, 0.5))
    grain = 0.01 * rng.standard_normal((*canvas.shape, 3), dtype=np.float32)
    return to_bytes(values * balance * shade[..., None] + grain)
