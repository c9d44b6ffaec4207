"""The shape of a head and of the spaces in it: who has which, and where every voxel lies.

All lengths are millimetres. A head has its own frame: the origin in the middle of the brain, x to
the patient's left, y to the back, z to the top (LPS). Nothing here depends on the voxel size, so
one head looks alike at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.floating]

EGG = 0.09  # how much broader the back of the head is than its front
LOWER_AXIS = 1.35  # the base of the head is this much less rounded than its top
FOLD_SCALE = 3.7  # kernel width of the folding field, whose zeros are the sulci
FOLD_NODE = 3.0  # spacing of its table
FOLD_REACH = (90.0, 105.0, 85.0)
WARP_SCALE = (25.0, 22.0, 22.0)
FIELD_REACH = (105.0, 130.0, 130.0)
BEND = 1.5  # standard deviation of the head's distortion


@dataclass(frozen=True)
class SmoothField:
    """A Gaussian random field of mean 0 and variance 1, the same at any sampling."""

    coefficients: Floats
    scale: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator, scale: tuple[float, float, float]) -> SmoothField:
        shape = [
            int(2 * reach / width) + 1 for reach, width in zip(FIELD_REACH, scale, strict=True)
        ]
        return cls(rng.standard_normal(shape, dtype=np.float32), scale)

    def on(self, grid: Grid) -> Floats:
        """Its values on ``grid``, shape [z, y, x]."""
        along_z, along_y, along_x = (
            self._weights(axis, coordinates)
            for axis, coordinates in enumerate((grid.z, grid.y, grid.x))
        )
        # einsum without BLAS: its threads cost more here than they save.
        field = np.einsum("zc,cyx->zyx", along_z, self.coefficients)
        field = np.einsum("yc,zcx->zyx", along_y, field)
        return np.einsum("zyc,xc->zyx", field, along_x)

    def _weights(self, axis: int, coordinates: Floats) -> Floats:
        nodes = np.linspace(-1, 1, self.coefficients.shape[axis]) * FIELD_REACH[axis]
        distance = (coordinates[:, None] - nodes) / self.scale[axis]
        weights = np.exp(-0.5 * distance**2)
        weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
        return weights.astype(np.float32)


@dataclass(frozen=True)
class Grid:
    """Voxel centres along each axis in the scanner's frame, and the size of a voxel."""

    z: Floats
    y: Floats
    x: Floats
    pixel: float
    thickness: float

    def slab(self, slices: slice) -> Grid:
        return Grid(self.z[slices], self.y, self.x, self.pixel, self.thickness)


@dataclass(frozen=True)
class Head:
    """One person's head and how it lies in the scanner."""

    axes: tuple[float, float, float]
    asymmetry: float
    rotation: NDArray[np.float64]  # head frame -> scanner frame
    shift: NDArray[np.float64]
    age: float  # 0 young .. 1 old: wider ventricles and sulci
    ventricles: float  # scale of their width
    meninges: float  # brain to skull
    skull: float
    scalp: float
    warp: tuple[SmoothField, SmoothField, SmoothField]
    folds: Floats  # table of the folding field, [z, y, x], nodes FOLD_NODE apart


@dataclass(frozen=True)
class Position:
    """Where every voxel of a grid lies in the head's frame, each array [z, y, x]."""

    x: Floats
    y: Floats
    z: Floats
    hull: Floats  # distance below the brain's hull
    folds: Floats  # the folding field there, also used to roughen other borders
    drift: Floats  # a slowly changing field


def draw_head(rng: np.random.Generator) -> Head:
    age = rng.uniform()
    warp = [SmoothField.draw(rng, WARP_SCALE) for _ in range(3)]
    return Head(
        axes=(rng.normal(66, 2.2), rng.normal(83, 2.5), rng.normal(73, 2.5)),
        asymmetry=rng.normal(0, 0.015),
        rotation=_rotation(np.deg2rad(rng.normal(0, (4.0, 2.0, 4.0)))),
        shift=rng.normal(0, (2.5, 3.0, 3.0)),
        age=age,
        ventricles=float(np.exp(rng.normal(0, 0.13)) * (0.8 + 0.55 * age)),
        meninges=rng.uniform(1.5, 2.5) + 1.5 * age,
        skull=rng.uniform(5.5, 8.0),
        scalp=rng.uniform(4.5, 7.5),
        warp=(warp[0], warp[1], warp[2]),
        folds=_draw_folds(rng),
    )


def _draw_folds(rng: np.random.Generator) -> Floats:
    shape = [int(2 * reach / FOLD_NODE) + 1 for reach in FOLD_REACH]
    noise = rng.standard_normal(shape, dtype=np.float32)
    folds = gaussian_filter(noise, FOLD_SCALE / FOLD_NODE, truncate=3.0)
    return folds / folds.std()


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitch about x, roll about y, yaw about z, in radians."""
    (a, b, c), (sa, sb, sc) = np.cos(angles), np.sin(angles)
    pitch = np.array([[1, 0, 0], [0, a, -sa], [0, sa, a]])
    roll = np.array([[b, 0, sb], [0, 1, 0], [-sb, 0, b]])
    yaw = np.array([[c, -sc, 0], [sc, c, 0], [0, 0, 1]])
    return yaw @ roll @ pitch


def locate(head: Head, grid: Grid) -> Position:
    """Map the voxels of ``grid`` into the frame of ``head``, bent a little."""
    z = grid.z[:, None, None] - np.float32(head.shift[2])
    y = grid.y[None, :, None] - np.float32(head.shift[1])
    x = grid.x[None, None, :] - np.float32(head.shift[0])
    back = head.rotation.T.astype(np.float32)
    warp = [field.on(grid) for field in head.warp]
    placed = [
        back[axis, 0] * x + back[axis, 1] * y + back[axis, 2] * z + np.float32(BEND) * warp[axis]
        for axis in range(3)
    ]
    hull, radius = _surface(head, *placed)
    return Position(placed[0], placed[1], placed[2], hull, _folding(head, placed, radius), warp[0])


def _folding(head: Head, place: list[Floats], radius: Floats) -> Floats:
    """The folding field, drawn out along the rays from the centre, so that sulci run inward."""
    stretch = np.maximum(radius, 0.3) ** -0.6
    where = [
        (place[axis] * stretch + reach) / FOLD_NODE
        for axis, reach in zip((2, 1, 0), FOLD_REACH, strict=True)
    ]
    return map_coordinates(head.folds, where, order=1, mode="nearest", output=np.float32)


def surface_depth(head: Head, x: Floats, y: Floats, z: Floats) -> Floats:
    """Distance below the brain's hull along the ray from the centre; negative outside."""
    return _surface(head, x, y, z)[0]


def _surface(head: Head, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Distance below the hull, and the distance from the centre as a share of the hull's."""
    width, length, height = head.axes
    across = np.abs(x) * (1 + head.asymmetry * np.sign(x)) / (width * (1 + EGG * y / length))
    up = np.abs(z) / np.where(z > 0, height, LOWER_AXIS * height)
    radius = (_power(across) + _power(np.abs(y) / length) + _power(up)) ** 0.4
    ray = np.sqrt(x * x + y * y + z * z)
    return ray * (1 / np.maximum(radius, 0.05) - 1), radius


def _power(share: Floats) -> Floats:
    """``share`` to the power 2.5, of the superellipsoid that is the brain's surface."""
    return share * share * np.sqrt(share)


def ventricle_depth(head: Head, x: Floats, y: Floats, z: Floats) -> Floats:
    """Distance into the lateral ventricles, tubes that diverge at both ends; negative outside."""
    scale = head.ventricles
    middle = 3.5 + 4.5 * scale + 0.0042 * (y - 2) ** 2
    level = 13 - 0.007 * (y - 2) ** 2
    half_width = (4.6 + 0.0012 * (y - 2) ** 2) * scale
    half_height = (8.0 + 0.05 * np.abs(y)) * scale**0.5
    bulk = np.hypot((np.abs(x) - middle) / half_width, (z - level) / half_height)
    end = np.abs(y - 4) / (40 + 3 * scale)
    radius = (bulk**2 + end**6) ** 0.5
    return half_width * (1 - radius)
