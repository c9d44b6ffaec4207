"""Findings of chest radiographs, each with an appearance of its own.

Some change the anatomy before the chest is drawn (``deform``), most add to what it absorbs
(``opacity``). ``strength`` is how dense a finding is, 0.04 (hardly to be seen) to 0.44.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from triage.data.phantoms.chest import Anatomy, Chest, change
from triage.data.phantoms.drawing import (
    Floats,
    bump,
    ellipse,
    smooth_field,
    soft,
    turn,
    wavy,
)

Opacity = Callable[[np.random.Generator, Chest], Floats]


def strength(difficulty: float, rng: np.random.Generator) -> float:
    """How dense a finding is; hard ones are faint more often."""
    return float(0.04 + 0.4 * rng.beta(1.2 + 2 * (1 - difficulty), 1.2 + 2 * difficulty))


def deform(anatomy: Anatomy, finding: str, amount: float) -> Anatomy:
    """``anatomy`` with what ``finding`` does to it; ``amount`` as of ``strength``."""
    if finding == "Cardiomegaly":
        return change(anatomy, heart=0.18 + 0.9 * amount)
    if finding == "Emphysema":
        return change(anatomy, domes=0.06 + 0.3 * amount, heart=-0.08 - 0.3 * amount, width=0.03)
    if finding == "Atelectasis":
        return change(anatomy, domes=-0.03 - 0.2 * amount)
    return anatomy


def consolidation(rng: np.random.Generator, chest: Chest) -> Floats:
    """A dense patch of a lobe's size."""
    y, x = _place(rng, chest, up=0.35)
    shape = ellipse(y, x, rng.uniform(0.16, 0.32), rng.uniform(0.16, 0.30))
    shape = shape + 0.07 * smooth_field(rng, chest.canvas, 0.12)
    patchy = np.clip(1 + 0.25 * smooth_field(rng, chest.canvas, 0.06), 0.2, 1.5)
    return soft(shape, rng.uniform(0.12, 0.35)) * chest.lung * patchy


def infiltration(rng: np.random.Generator, chest: Chest) -> Floats:
    """Streaks and flecks in one or two fields of a lung, without a border."""
    y, x = _place(rng, chest, up=0.4)
    where = bump(np.hypot(y, 1.3 * x), rng.uniform(0.2, 0.3))
    flecks = np.abs(smooth_field(rng, chest.canvas, 0.045))
    return 0.95 * where * chest.lung * flecks


def haze(rng: np.random.Generator, chest: Chest) -> Floats:
    """Haze on both sides, thicker around the hilum, with streaks."""
    hilum = np.hypot(chest.y - 0.05, np.abs(chest.x) - 0.22)
    haze = np.exp(-hilum / rng.uniform(0.25, 0.6))
    haze = haze * (1 + 0.4 * smooth_field(rng, chest.canvas, 0.2))
    streaks = np.abs(smooth_field(rng, chest.canvas, 0.05))
    return 0.9 * chest.lung * haze * (0.5 + 0.6 * streaks)


def edema(rng: np.random.Generator, chest: Chest) -> Floats:
    """Smooth haze like the wings of a bat, alike on both sides."""
    y, x = chest.y - rng.normal(0.05, 0.04), np.abs(chest.x) - 0.30
    wings = bump(y, rng.uniform(0.22, 0.32)) * bump(x, rng.uniform(0.16, 0.24))
    return 1.1 * wings * chest.lung


def effusion(rng: np.random.Generator, chest: Chest) -> Floats:
    """Fluid above the diaphragm, rising along the wall."""
    level = rng.uniform(0.08, 0.3)
    rise = 0.5 * np.exp(-np.maximum(chest.wall, 0) / 0.1) * level
    fluid = soft(level + rise - chest.floor, 0.06) * _side(rng, chest)
    return 1.1 * fluid * soft(chest.wall, 0.04) * soft(chest.floor + 0.04, 0.06)


def mass(rng: np.random.Generator, chest: Chest) -> Floats:
    return _round(rng, chest, rng.uniform(0.11, 0.17), 0.07)


def nodule(rng: np.random.Generator, chest: Chest) -> Floats:
    return _round(rng, chest, rng.uniform(0.045, 0.07), 0.05)


def _round(rng: np.random.Generator, chest: Chest, radius: float, roughness: float) -> Floats:
    y, x = _place(rng, chest, up=0.45)
    border = radius * (1 + roughness * wavy(rng, np.arctan2(y, x), range(2, 7), 1.0))
    return 1.2 * soft(border - np.hypot(y, x), 0.04) * soft(chest.wall, 0.05)


def pneumothorax(rng: np.random.Generator, chest: Chest) -> Floats:
    """Air between lung and wall: dark and empty, behind a fine line."""
    gap = rng.uniform(0.10, 0.2) * (0.5 + soft(-chest.y - 0.1, 0.9))
    side = _side(rng, chest) * soft(chest.wall, 0.03) * soft(chest.floor, 0.06)
    from_wall = np.minimum(chest.wall, chest.y + 0.85)
    empty = soft(gap - from_wall, 0.03) * side
    line = bump(from_wall - gap, 0.015) * side
    return 0.7 * line - 0.75 * empty


def emphysema(rng: np.random.Generator, chest: Chest) -> Floats:
    """Dark lungs with bubbles."""
    bubbles = soft(smooth_field(rng, chest.canvas, 0.12) - 1.0, 0.5)
    return -chest.lung * (0.3 + 0.35 * bubbles)


def fibrosis(rng: np.random.Generator, chest: Chest) -> Floats:
    """A net of fine lines towards the base and the wall of both lungs."""
    net = bump(smooth_field(rng, chest.canvas, 0.045), 0.25)
    net = net + bump(smooth_field(rng, chest.canvas, 0.045), 0.25)
    low = soft(chest.y - 0.05, 0.7) + bump(chest.wall, 0.08)
    return 0.6 * net * low * chest.lung


def atelectasis(rng: np.random.Generator, chest: Chest) -> Floats:
    """Plates: a few nearly level lines above the diaphragm."""
    total = np.zeros(chest.canvas.shape, np.float32)
    side = _side(rng, chest)
    for _ in range(int(rng.integers(1, 4))):
        height, slope = rng.uniform(0.06, 0.35), rng.normal(0, 0.25)
        line = chest.floor - height - slope * (np.abs(chest.x) - 0.4)
        extent = bump(np.abs(chest.x) - rng.uniform(0.3, 0.5), 0.12)
        total += bump(line, rng.uniform(0.018, 0.035)) * extent
    return 1.1 * np.minimum(total, 1.3) * side * chest.lung


def pleural_thickening(rng: np.random.Generator, chest: Chest) -> Floats:
    """A dense rim along the wall."""
    rim = soft(rng.uniform(0.06, 0.10) - chest.wall, 0.04) * soft(chest.wall, 0.03)
    middle = rng.uniform(-0.4, 0.2)
    return 1.1 * rim * bump(chest.y - middle, 0.25) * _side(rng, chest)


def hernia(rng: np.random.Generator, chest: Chest) -> Floats:
    """A bowel loop behind the heart: a round shadow with air in its upper part."""
    radius = rng.uniform(0.17, 0.23)
    y = chest.y - (0.42 - radius)
    x = chest.x - rng.normal(0.10, 0.04)
    inside = radius - np.hypot(y, x)
    rim = bump(inside - 0.02, 0.02)
    air = soft(inside - 0.04, 0.03) * soft(-y, 0.03)
    return 0.8 * rim - 1.1 * air + 0.4 * soft(inside, 0.03)


def cardiomegaly(rng: np.random.Generator, chest: Chest) -> Floats:
    """Only a little congestion: the heart itself is enlarged by ``deform``."""
    return 0.3 * edema(rng, chest)


def pneumonia(rng: np.random.Generator, chest: Chest) -> Floats:
    """A consolidation with streaks around it."""
    return 0.7 * consolidation(rng, chest) + 0.5 * infiltration(rng, chest)


# With the pictures of 112,120 that have each (Wang et al., CVPR 2017, table 1, as published later).
FINDINGS: dict[str, tuple[int, Opacity]] = {
    "Atelectasis": (11559, atelectasis),
    "Cardiomegaly": (2776, cardiomegaly),
    "Consolidation": (4667, consolidation),
    "Edema": (2303, edema),
    "Effusion": (13317, effusion),
    "Emphysema": (2516, emphysema),
    "Fibrosis": (1686, fibrosis),
    "Hernia": (227, hernia),
    "Infiltration": (19894, infiltration),
    "Mass": (5782, mass),
    "Nodule": (6331, nodule),
    "Pleural_Thickening": (3385, pleural_thickening),
    "Pneumonia": (1431, pneumonia),
    "Pneumothorax": (5302, pneumothorax),
}


def _place(rng: np.random.Generator, chest: Chest, up: float) -> tuple[Floats, Floats]:
    """Coordinates around a random point of a lung, turned a little."""
    side = rng.choice((-1, 1))
    across = side * rng.uniform(0.28, 0.55)
    height = rng.uniform(-up, 0.3)
    return turn(chest.y - height, chest.x - across, rng.uniform(-0.6, 0.6))


def _side(rng: np.random.Generator, chest: Chest) -> Floats:
    """1 on a random side of the chest, 0 on the other."""
    return soft((rng.choice((-1, 1))) * chest.x, 0.05)
