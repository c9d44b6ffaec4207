"""Generated pictures of textures and shapes, for learning to see without any data.

Each family is one class. Colour, scale, direction and contrast vary within a family, so that a
network has to look at form.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]


def generate(seed: int, images: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures [images, 3, size, size] and the number of each one's family [images]."""
    pictures = np.empty((images, 3, size, size), np.uint8)
    families = np.arange(images) % len(FAMILIES)
    for i, family in enumerate(families):
        rng = np.random.Generator(np.random.Philox(key=[seed, i]))
        pictures[i] = _coloured(rng, list(FAMILIES.values())[family](rng, size))
    return pictures, families


def _grid(size: int) -> tuple[Floats, Floats]:
    axis = np.linspace(-1, 1, size)
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return rows, columns


def _turned(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    """Two axes at right angles, in a random direction."""
    rows, columns = _grid(size)
    angle = rng.uniform(0, 2 * np.pi)
    return (
        rows * np.cos(angle) + columns * np.sin(angle),
        columns * np.cos(angle) - rows * np.sin(angle),
    )


def _stripes(rng: np.random.Generator, size: int) -> Floats:
    across, _ = _turned(rng, size)
    return np.sin(across * rng.uniform(8, 25) + rng.uniform(0, 6))


def _checks(rng: np.random.Generator, size: int) -> Floats:
    across, along = _turned(rng, size)
    period = rng.uniform(6, 18)
    return np.sign(np.sin(across * period) * np.sin(along * period))


def _rings(rng: np.random.Generator, size: int) -> Floats:
    rows, columns = _grid(size)
    centre = rng.uniform(-0.6, 0.6, 2)
    return np.sin(np.hypot(rows - centre[0], columns - centre[1]) * rng.uniform(12, 30))


def _blobs(rng: np.random.Generator, size: int) -> Floats:
    """A few soft bright spots."""
    rows, columns = _grid(size)
    field = np.zeros((size, size))
    for _ in range(rng.integers(2, 7)):
        centre, width = rng.uniform(-0.8, 0.8, 2), rng.uniform(0.06, 0.2)
        distance = np.hypot(rows - centre[0], columns - centre[1])
        field = np.maximum(field, np.exp(-((distance / width) ** 2)))
    return field


def _discs(rng: np.random.Generator, size: int) -> Floats:
    """A few sharp discs."""
    rows, columns = _grid(size)
    field = np.zeros((size, size))
    for _ in range(rng.integers(2, 7)):
        centre, radius = rng.uniform(-0.8, 0.8, 2), rng.uniform(0.08, 0.3)
        field[np.hypot(rows - centre[0], columns - centre[1]) < radius] = rng.uniform(0.4, 1)
    return field


def _polygons(rng: np.random.Generator, size: int) -> Floats:
    """Overlapping half-planes: flat regions with straight edges."""
    field = np.zeros((size, size))
    for _ in range(rng.integers(3, 7)):
        across, _ = _turned(rng, size)
        field += (across > rng.uniform(-0.7, 0.7)) * rng.uniform(-1, 1)
    return field


def _cloud(rng: np.random.Generator, size: int) -> Floats:
    return ndimage.gaussian_filter(rng.standard_normal((size, size)), size / rng.uniform(8, 16))


def _grain(rng: np.random.Generator, size: int) -> Floats:
    return ndimage.gaussian_filter(rng.standard_normal((size, size)), rng.uniform(0.3, 1.0))


def _fibres(rng: np.random.Generator, size: int) -> Floats:
    """Noise drawn out in one direction."""
    noise = rng.standard_normal((2 * size, 2 * size))
    drawn = ndimage.gaussian_filter(noise, (rng.uniform(0.5, 1), rng.uniform(4, 10)))
    turned = ndimage.rotate(drawn, rng.uniform(0, 180), reshape=False, order=1)
    edge = size // 2
    return turned[edge : edge + size, edge : edge + size]


def _cells(rng: np.random.Generator, size: int) -> Floats:
    """Distance to the nearest of some points: a net of cells."""
    rows, columns = _grid(size)
    points = rng.uniform(-1, 1, (rng.integers(8, 25), 2))
    distances = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1])
    nearest = np.partition(distances, 1, axis=-1)
    return nearest[..., 1] - nearest[..., 0]


FAMILIES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "stripes": _stripes,
    "checks": _checks,
    "rings": _rings,
    "blobs": _blobs,
    "discs": _discs,
    "polygons": _polygons,
    "cloud": _cloud,
    "grain": _grain,
    "fibres": _fibres,
    "cells": _cells,
}


def _coloured(rng: np.random.Generator, field: Floats) -> NDArray[np.uint8]:
    """The field between two random colours, under uneven light and noise."""
    low, high = field.min(), field.max()
    field = (field - low) / max(high - low, 1e-9)
    colours = rng.uniform(0, 255, (2, 3))
    if np.abs(colours[1] - colours[0]).max() < 60:
        colours[1] = (colours[0] + 128) % 256
    rows, columns = _grid(len(field))
    light = 1 + rng.uniform(-0.3, 0.3) * rows + rng.uniform(-0.3, 0.3) * columns
    picture = colours[0][:, None, None] * (1 - field) + colours[1][:, None, None] * field
    picture = picture * light + rng.normal(0, rng.uniform(2, 12), picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)
