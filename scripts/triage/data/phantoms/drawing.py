"""What the drawn pictures share: a plane to draw on, smooth random fields, soft shapes, lines.

Lengths are halves of a picture's height, so that a picture looks alike at every size. Nothing here
draws more or fewer random numbers for a larger picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

REACH = 1.5  # fields are drawn this far from the middle; no picture is wider


@dataclass(frozen=True)
class Plane:
    """Pixel centres: ``y`` [height, 1] from -1 (top) to 1, ``x`` [1, width], 0 in the middle."""

    y: Floats
    x: Floats
    pixel: float

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.y), self.x.shape[1]


def plane(height: int, width: int) -> Plane:
    pixel = 2 / height
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) * pixel
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * pixel
    return Plane(y[:, None].astype(np.float32), x[None].astype(np.float32), pixel)


def generator(seed: int, *purpose: int | str) -> np.random.Generator:
    """Random numbers of one thing, whatever else is drawn and in whatever order."""
    key = [seed]
    for part in purpose:
        key += [part] if isinstance(part, int) else list(part.encode())
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def smooth_field(rng: np.random.Generator, canvas: Plane, scale: float) -> Floats:
    """A Gaussian random field [height, width], mean 0, variance 1, features of size ``scale``."""
    nodes = np.arange(-REACH, REACH + scale, scale, dtype=np.float32)
    values = rng.standard_normal((len(nodes), len(nodes)), dtype=np.float32)
    return _weights(canvas.y[:, 0], nodes, scale) @ values @ _weights(canvas.x[0], nodes, scale).T


def _weights(at: Floats, nodes: Floats, scale: float) -> Floats:
    weights = np.exp(-0.5 * ((at[:, None] - nodes) / scale) ** 2)
    return weights / np.sqrt((weights**2).sum(axis=1, keepdims=True))


def turn(y: Floats, x: Floats, angle: float) -> tuple[Floats, Floats]:
    """Coordinates in axes turned by ``angle`` radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * y - sine * x, sine * y + cosine * x


def soft(depth: Floats, width: float) -> Floats:
    """0 outside, 1 inside, a smooth ramp of ``width`` between; ``depth`` is 0 on the border."""
    share = np.clip(depth / width + 0.5, 0, 1)
    return share * share * (3 - 2 * share)


def bump(distance: Floats, width: float) -> Floats:
    """1 at distance 0, falling off like a Gaussian."""
    return np.exp(-0.5 * (distance / width) ** 2)


def ellipse(y: Floats, x: Floats, half_height: float, half_width: float) -> Floats:
    """The depth in an ellipse around 0: positive inside, about a length near the border."""
    radius = np.sqrt((y / half_height) ** 2 + (x / half_width) ** 2)
    return min(half_height, half_width) * (1 - radius)


def wavy(rng: np.random.Generator, angle: Floats, orders: range, decay: float) -> Floats:
    """A random periodic function of ``angle`` of variance 1; high orders weigh order^-decay."""
    total = np.zeros_like(angle)
    weights = np.array([order**-decay for order in orders])
    weights *= np.sqrt(2) / np.sqrt((weights**2).sum())
    for order, weight, phase in zip(
        orders, weights, rng.uniform(0, 2 * np.pi, len(orders)), strict=True
    ):
        total += weight * np.cos(order * angle + phase)
    return total


def to_bytes(values: Floats) -> NDArray[np.uint8]:
    """Grey values from 0 to 1 as 0 to 255."""
    return np.asarray(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)
