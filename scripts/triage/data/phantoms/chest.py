"""A chest radiograph, frontal: anatomy, projection and exposure, shared by two studies.

Coordinates are the chest's: x to the right of the picture (the patient's left), y down, the chest
about from -1 to 1. ``density`` is how much of the beam is absorbed; dense is bright.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from triage.data.phantoms.drawing import (
    Floats,
    Plane,
    bump,
    ellipse,
    smooth_field,
    soft,
    turn,
)

LUNG = 0.50  # how much less a lung absorbs than what surrounds it
RIB_WIDTH = 0.17  # of the distance between two ribs
SIDES = (-1, 1)  # left and right of the picture


@dataclass(frozen=True)
class Anatomy:
    """One person's chest, the same in all pictures of that person."""

    seed: int  # of the fine structure
    width: float  # of half the rib cage
    apex: float
    domes: tuple[float, float]  # height of the diaphragm, left and right of the picture
    heart: float  # its width as a multiple of the usual one
    heart_tilt: float
    ribs: float  # distance between two
    slope: float  # of the ribs
    bend: float  # of the spine
    fat: float
    vessels: float


@dataclass(frozen=True)
class Chest:
    """A chest being drawn: everything [height, width]."""

    canvas: Plane
    y: Floats
    x: Floats
    density: Floats
    lung: Floats  # 0 outside, 1 in a lung
    depth: Floats  # in the nearer lung, from its border
    wall: Floats  # distance from the rib cage's inside, positive within
    floor: Floats  # distance above the diaphragm
    heart: Floats  # depth in the heart

    def with_density(self, density: Floats) -> Chest:
        return replace(self, density=density.astype(np.float32))


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    dome = rng.normal(0.45, 0.05)
    return Anatomy(
        seed=int(rng.integers(2**32)),
        width=rng.normal(0.76, 0.035),
        apex=rng.normal(-0.80, 0.03),
        domes=(dome, dome + rng.normal(0.06, 0.02)),
        heart=rng.normal(1.0, 0.07),
        heart_tilt=rng.normal(0.5, 0.08),
        ribs=rng.normal(0.165, 0.01),
        slope=rng.normal(0.20, 0.06),
        bend=rng.normal(0, 0.02),
        fat=rng.uniform(0.0, 0.2),
        vessels=rng.uniform(0.6, 1.3),
    )


def change(anatomy: Anatomy, heart: float = 0, width: float = 0, domes: float = 0) -> Anatomy:
    """``anatomy`` with a larger heart, a wider rib cage, a lower diaphragm by these amounts."""
    return replace(
        anatomy,
        heart=anatomy.heart + heart,
        width=anatomy.width + width,
        domes=(anatomy.domes[0] + domes, anatomy.domes[1] + domes),
    )


def draw_chest(anatomy: Anatomy, rng: np.random.Generator, canvas: Plane) -> Chest:
    """The healthy chest in a position of its own, not yet exposed."""
    y, x = _position(rng, canvas)
    x = x - anatomy.bend * np.sin(3 * y)
    lateral = np.abs(x)
    depth, wall, floor, heart = _lungs(anatomy, y, x)
    lung = soft(depth, 0.07)
    inside = soft(wall + 0.03, 0.05)
    body = soft(_body(anatomy, y, lateral), 0.08)
    density = body * (0.62 + anatomy.fat) + 0.1 * inside
    density = density - LUNG * lung * (0.6 + np.minimum(depth, 0.3))
    density = density + 0.16 * soft(-floor, 0.12) * inside
    density = density + 0.14 * soft(heart, 0.08)
    density = density + _middle(y, x) * body
    density = density + _bones(anatomy, y, x, wall) * body
    density = density + _markings(anatomy, canvas, y, x) * lung
    return Chest(canvas, y, x, density.astype(np.float32), lung, depth, wall, floor, heart)


def _position(rng: np.random.Generator, canvas: Plane) -> tuple[Floats, Floats]:
    """The chest's coordinates of every pixel: shifted, turned, scaled and bent a little."""
    aspect = canvas.shape[1] / canvas.shape[0]
    width = np.clip(aspect, 0.8, 1.3) * rng.normal(1.0, 0.05)
    height = rng.normal(1.0, 0.05)
    y, x = turn(canvas.y, canvas.x, rng.normal(0, 0.035))
    y = (y - rng.normal(0, 0.05)) / height + 0.012 * smooth_field(rng, canvas, 0.5)
    x = (x - rng.normal(0, 0.04)) / width + 0.012 * smooth_field(rng, canvas, 0.5)
    return y.astype(np.float32), x.astype(np.float32)


def _body(anatomy: Anatomy, y: Floats, lateral: Floats) -> Floats:
    """Depth in the trunk and neck."""
    half = np.interp(y, [-1.3, -1.0, -0.85, -0.7, 1.2], [0.3, 0.32, 0.85, 1.0, 0.95])
    return (half + anatomy.width - 0.72 + 0.3 * anatomy.fat - lateral).astype(np.float32)


def _lungs(anatomy: Anatomy, y: Floats, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    lateral = np.abs(x)
    heart_x = x - (0.08 + 0.06 * (anatomy.heart - 1))
    heart_y, heart_x = turn(y - 0.24, heart_x, -anatomy.heart_tilt)
    heart = ellipse(heart_y, heart_x, 0.24 * anatomy.heart**0.5, 0.32 * anatomy.heart)
    rise = np.clip((y - anatomy.apex) / (0.45 - anatomy.apex), 0, 1)
    wall = anatomy.width * (rise * (2 - rise)) ** 0.55 - lateral
    dome = np.where(x < 0, *anatomy.domes)
    floor = dome + 1.3 * np.maximum(lateral - 0.36, 0) ** 2 - y
    middle = lateral - 0.12 - 0.05 * soft(y - 0.1, 0.6)
    depth = np.minimum(np.minimum(wall, floor), np.minimum(middle, -heart))
    return depth, wall, floor, heart


def _middle(y: Floats, x: Floats) -> Floats:
    """Spine, mediastinum and windpipe."""
    vertebrae = 1 + 0.3 * np.cos(y * (2 * np.pi / 0.15))
    trachea = bump(x, 0.04) * soft(-0.3 - y, 0.3)
    return 0.12 * bump(x, 0.07) * vertebrae + 0.08 * bump(x, 0.15) - 0.13 * trachea


def _bones(anatomy: Anatomy, y: Floats, x: Floats, wall: Floats) -> Floats:
    lateral = np.abs(x)
    cage = soft(wall + 0.06, 0.06) * soft(0.85 - y, 0.4)
    behind = y - anatomy.slope * lateral - 0.45 * lateral**3
    before = y + (0.7 - anatomy.slope) * lateral
    ribs = _stripes(behind, anatomy.ribs, 0.0) + 0.45 * _stripes(before, anatomy.ribs, 0.5) * soft(
        lateral - 0.22, 0.2
    )
    clavicle = y + 0.76 + 0.25 * (lateral - 0.45)
    clavicle = bump(clavicle, 0.025) * soft(lateral - 0.08, 0.1)
    edge = bump(wall, 0.03) * soft(0.7 - y, 0.3)
    return 0.085 * cage * ribs + 0.12 * clavicle + 0.035 * edge


def _stripes(along: Floats, distance: float, phase: float) -> Floats:
    share = np.mod(along / distance + phase, 1) - 0.5
    edges = bump(np.abs(share) - 0.2, 0.06)
    return bump(share, RIB_WIDTH) + 0.35 * edges


def _markings(anatomy: Anatomy, canvas: Plane, y: Floats, x: Floats) -> Floats:
    """Vessels: ridges of random fields, thinning out from the hilum."""
    rng = np.random.Generator(np.random.Philox(anatomy.seed))
    hilum = np.hypot(y, np.abs(x) - 0.2)
    ridges = sum(
        bump(smooth_field(rng, canvas, scale), 0.25) * weight
        for scale, weight in ((0.09, 0.08), (0.05, 0.05))
    )
    near = np.exp(-hilum / 0.35)
    return anatomy.vessels * (near * (ridges + 0.10))


def expose(chest: Chest, rng: np.random.Generator) -> Floats:
    """Grey values 0 to 1: exposure, contrast, blur of the film, grain and collimation."""
    canvas = chest.canvas
    density = chest.density + 0.015 * smooth_field(rng, canvas, 0.3)
    contrast, middle = np.exp(rng.normal(1.5, 0.12)), rng.normal(0.50, 0.03)
    values = 1 / (1 + np.exp(contrast * (middle - density)))  # a film's curve
    dark = 1 / (1 + np.exp(contrast * middle))
    values = (values - dark) / (1 - dark)
    shade = 1 + rng.normal(0, 0.05) * canvas.y + rng.normal(0, 0.05) * canvas.x
    # Grain is finer than any structure, so it is drawn at pixels; its size does not scale.
    grain = rng.standard_normal(canvas.shape, dtype=np.float32)
    values = values * shade + rng.uniform(0.005, 0.02) * grain
    if rng.uniform() < 0.2:
        edge = rng.uniform(0.85, 0.97)
        values = values * (np.abs(canvas.y) < edge)
    return values.astype(np.float32)
