"""Phantom raw data of the mhist study: colorectal glands in H&E, judged by seven annotators.

Laid out as MHIST: ``images/*.png`` and ``annotations.csv``. A hidden score says how serrated the
glands of a picture are; each annotator sees it with an error of their own and votes HP or SSA, and
the majority is the label. So pictures of a middling score are the ambiguous ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
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
from triage.data.phantoms.settings import Mhist as Settings
from triage.errors import UserError

HEADER = "Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition"
CLASSES = ("HP", "SSA")
ANNOTATORS = 7
LARGEST_GLAND = 0.48
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SSA_SCORES = 0.3  # share of the pictures whose score is drawn from the upper half
# How much of red, green and blue the two dyes take out, as powers of e.
HAEMATOXYLIN = np.array([0.75, 0.95, 0.38], np.float32)
EOSIN = np.array([0.12, 0.85, 0.45], np.float32)


@dataclass(frozen=True)
class Picture:
    """What, with the settings, decides the bytes of a file and its row."""

    index: int
    score: float  # 0 hyperplastic .. 1 serrated
    votes: int  # for SSA
    partition: str

    @property
    def name(self) -> str:
        first, rest = divmod(self.index, 26 * 26)
        return "MHIST_" + "".join(LETTERS[i] for i in (first, *divmod(rest, 26))) + ".png"

    @property
    def row(self) -> str:
        label = CLASSES[self.votes > ANNOTATORS // 2]
        return f"{self.name},{label},{self.votes},{self.partition}"


@dataclass(frozen=True)
class Polar:
    """Where pixels lie, seen from a gland's middle."""

    radius: Floats
    angle: Floats


def generate(settings: Settings, folder: Path, workers: int = 1) -> None:
    """Write the pictures and the table, as ``folder.write`` does."""
    found = cohort(settings)
    table = [HEADER, *(picture.row for picture in found)]
    images = {f"images/{picture.name}": picture for picture in found}
    pictures.write(folder, partial(draw, settings), images, {"annotations.csv": table}, workers)


def cohort(settings: Settings) -> list[Picture]:
    """All pictures with their votes, those to train on first."""
    if settings.train + settings.test > len(LETTERS) ** 3:
        raise UserError(
            f"{settings.train + settings.test} pictures are too many",
            where="phantoms.mhist",
            remedy=f"names have three letters, so train and test may be {len(LETTERS) ** 3} in all",
        )
    parts = ["train"] * settings.train + ["test"] * settings.test
    return [_picture(settings, index, part) for index, part in enumerate(parts)]


def _picture(settings: Settings, index: int, partition: str) -> Picture:
    rng = generator(settings.seed, "score", index)
    score = rng.beta(2.2, 4.0) if rng.uniform() >= SSA_SCORES else rng.beta(4.0, 2.2)
    # Each annotator has a threshold and an error of their own.
    seen = score + settings.disagreement * (
        rng.normal(0, 0.35, ANNOTATORS) + rng.normal(0, 0.15, ANNOTATORS)
    )
    return Picture(index, float(score), int((seen > 0.5).sum()), partition)


def draw(settings: Settings, picture: Picture) -> Image.Image:
    """The tissue of a picture as its two dyes absorb it."""
    rng = generator(settings.seed, "picture", picture.index)
    canvas = plane(settings.size, settings.size)
    visible = picture.score + settings.difficulty * rng.normal(0, 0.3)
    blue, pink = _stroma(rng, canvas)
    bent = [0.04 * smooth_field(rng, canvas, 0.4) for _ in range(2)]
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 2.0)
    y, x = turn(canvas.y + bent[0], canvas.x + bent[1], angle)
    texture = smooth_field(rng, canvas, 0.02)
    for up, across in _places(rng, stretch):
        gland_y, gland_x = (y - up) / stretch, x - across
        near = _window(gland_y, gland_x)
        gland_y, gland_x = gland_y[near], gland_x[near]
        where = Polar(np.hypot(gland_y, gland_x), np.arctan2(gland_y, gland_x))
        _paint_gland(rng, where, visible, texture[near], blue[near], pink[near])
    return Image.fromarray(_stain(rng, canvas, blue, pink))


def _stroma(rng: np.random.Generator, canvas: Plane) -> tuple[Floats, Floats]:
    """Haematoxylin and eosin between the glands: fibres with scattered nuclei."""
    fibres = smooth_field(rng, canvas, 0.05)
    crowd = rng.uniform(0.9, 1.5)
    nuclei = soft(smooth_field(rng, canvas, 0.03) - crowd, 0.4)
    blue = 0.12 + 1.1 * nuclei
    pink = 0.55 + 0.10 * fibres - 0.2 * nuclei
    return blue, np.maximum(pink, 0.1)


def _places(rng: np.random.Generator, stretch: float) -> list[tuple[float, float]]:
    """Middles of the glands in turned coordinates: a hexagonal grid, shaken."""
    step = rng.uniform(0.6, 0.85)
    found = []
    for row, column in product(range(-4, 5), repeat=2):
        y = (row + rng.uniform(-0.12, 0.12)) * step * stretch
        x = (column + row % 2 / 2 + rng.uniform(-0.12, 0.12)) * step
        if np.hypot(y, x) < 1.5 + 0.5 * step * stretch and rng.uniform() < 0.93:
            found.append((y, x))
    return found


def _window(y: Floats, x: Floats) -> tuple[slice, slice]:
    """The part of the picture in which a gland around 0 may lie."""
    near = y * y + x * x < LARGEST_GLAND**2
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    if not len(rows):
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _paint_gland(
    rng: np.random.Generator, at: Polar, score: float, texture: Floats, blue: Floats, pink: Floats
) -> None:
    """Paint a gland over the dyes: a ring of cells around a lumen, whose edge is serrated."""
    outer = rng.uniform(0.24, 0.33) * (1 + 0.08 * wavy(rng, at.angle, range(2, 5), 1.0))
    lumen = outer * _lumen(rng, at.angle, score + rng.normal(0, 0.08))
    gland, inside = soft(outer - at.radius, 0.03), soft(lumen - at.radius, 0.025)
    share = (at.radius - lumen) / np.maximum(outer - lumen, 0.02)  # 0 at the lumen, 1 at the base
    cells = int(rng.integers(34, 46))
    nuclei = soft(np.cos(cells * at.angle) + 0.5 * texture + 0.25, 0.8)
    nuclei = nuclei * bump(share - 0.84, 0.13)
    vacuoles = soft(np.cos((cells // 2) * at.angle + 1) + 0.4 * texture - 0.1, 0.8)
    vacuoles = vacuoles * bump(share - 0.42, 0.2) * rng.uniform(0.3, 0.9)
    cell = (1 - vacuoles) * (1 - inside)
    blue += gland * (0.28 * cell + 1.15 * nuclei + 0.02 - blue)
    pink += gland * (0.35 * cell + 0.04 - pink)


def _lumen(rng: np.random.Generator, angle: Floats, score: float) -> Floats:
    """The lumen's radius as a share of the gland's: wider and more jagged with the score."""
    teeth = int(rng.integers(6, 10))
    phase = teeth * angle + rng.uniform(0, 2 * np.pi)
    phase = phase + 0.8 * wavy(rng, angle, range(1, 4), 0.5)
    saw = 2 * np.abs(np.mod(phase / (2 * np.pi), 1) - 0.5) - 0.5
    score = min(max(score, 0.0), 1.0)
    return np.clip(0.22 + 0.28 * score + (0.05 + 0.55 * score) * saw, 0.05, 0.85)


def _stain(
    rng: np.random.Generator, canvas: Plane, blue: Floats, pink: Floats
) -> NDArray[np.uint8]:
    """RGB [height, width, 3] of the dyes; their strength and hue, and the light, vary."""
    dyes = [
        dye * np.exp(rng.normal(0, 0.12, 3)).astype(np.float32) * strength
        for dye, strength in ((HAEMATOXYLIN, rng.uniform(1.1, 2.0)), (EOSIN, rng.uniform(0.5, 1.3)))
    ]
    thickness = 1 + 0.08 * smooth_field(rng, canvas, 0.6)
    absorbed = (thickness * blue)[..., None] * dyes[0] + (thickness * pink)[..., None] * dyes[1]
    light = np.array([1, 1, 1]) - np.abs(rng.normal(0, 0.05, 3))
    grain = rng.standard_normal((*canvas.shape, 3), dtype=np.float32)
    values = light.astype(np.float32) * np.exp(-absorbed) + 0.012 * grain
    return to_bytes(values)
