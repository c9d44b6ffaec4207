"""A head with a brain in it, as soft tissue maps.

All lengths are millimetres. A head has its own frame: the origin in the middle of the brain, x to
the patient's left, y to the back, z to the top (LPS). Nothing here depends on the voxel size but
the softness of the borders, so one head looks alike at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.floating]

EGG = 0.09  # how much broader the back of the head is than its front
LOWER_AXIS = 1.35  # the base of the head is this much less rounded than its top
FLOOR = -22.0  # below it only the temporal lobes, the cerebellum and the brainstem
SULCUS_DEPTH = 16.0
RIBBON = 3.0  # thickness of the cortex
FOLD_SCALE = 3.7  # kernel width of the folding field, whose zeros are the sulci
FOLD_NODE = 3.0  # spacing of its table
FOLD_REACH = (90.0, 105.0, 85.0)
WARP_SCALE = (25.0, 22.0, 22.0)
FIELD_REACH = (105.0, 130.0, 130.0)
BEND = 1.5  # standard deviation of the head's distortion

# centre (right side mirrored from the left), semi-axes
TEMPORAL_LOBE = ((38.0, -18.0, -30.0), (25.0, 38.0, 26.0))
CEREBELLUM = ((0.0, 47.0, -42.0), (50.0, 31.0, 25.0))
BRAINSTEM = ((0.0, 13.0, -38.0), (14.0, 13.0, 30.0))
THALAMUS = ((11.0, 13.0, 3.0), (8.0, 14.0, 9.0))
PUTAMEN = ((26.0, -3.0, 1.0), (6.0, 18.0, 10.0))
CAUDATE = ((14.5, -20.0, 9.0), (4.5, 10.0, 11.0))
THIRD_VENTRICLE = ((0.0, 4.0, -4.0), (2.2, 13.0, 11.0))
FOURTH_VENTRICLE = ((0.0, 29.0, -38.0), (7.0, 5.0, 9.0))
EYE = ((31.0, -70.0, -36.0), (12.0, 12.0, 12.0))
CALLOSUM = ((0.0, 4.0, 2.0), (1e3, 42.0, 26.0))  # the midline fissure ends on it


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


def _depth_in(shape: tuple[tuple[float, ...], tuple[float, ...]], position: Position) -> Floats:
    """Distance into an ellipsoid, mirrored at the midline where it lies off it."""
    (cx, cy, cz), (ax, ay, az) = shape
    across = np.abs(position.x) - cx if cx else position.x
    radius = np.sqrt(
        (across / ax) ** 2 + ((position.y - cy) / ay) ** 2 + ((position.z - cz) / az) ** 2
    )
    return min(ax, ay, az) * (1 - radius)


class _Painting:
    """Soft tissue maps that sum to 1, painted from the outside in."""

    def __init__(self, shape: tuple[int, ...], softness: float) -> None:
        self.maps: dict[str, Floats] = {"air": np.ones(shape, np.float32)}
        self.softness = softness

    def soft(self, depth: Floats) -> Floats:
        """0 outside, 1 inside, a ramp of a voxel's width between."""
        return np.clip(0.5 + depth / self.softness, 0, 1)

    def cover(self, name: str, cover: Floats) -> None:
        rest = 1 - cover
        for tissue in self.maps.values():
            tissue *= rest
        self.maps[name] = self.maps.get(name, np.float32(0)) + cover


def tissue_maps(head: Head, grid: Grid, position: Position | None = None) -> dict[str, Floats]:
    """The healthy head: the share of each tissue in every voxel, [z, y, x], sum 1."""
    place = position or locate(head, grid)
    painting = _Painting(place.x.shape, softness=1.3 * grid.pixel)
    hull = place.hull
    lobes = np.maximum(_height(place), _depth_in(TEMPORAL_LOBE, place))
    brain = np.minimum(hull, np.maximum(lobes, _depth_in(BRAINSTEM, place)))
    cerebellum = np.minimum(hull - 2, _depth_in(CEREBELLUM, place))
    _paint_cover(painting, head, place, np.maximum(brain, cerebellum))
    _paint_cortex(painting, head, place, brain)
    _paint_cerebellum(painting, place, cerebellum)
    _paint_centre(painting, head, place)
    return painting.maps


def _height(place: Position) -> Floats:
    """Height above the floor of the cerebrum, which slopes down from front to back."""
    slope = 0.35 * np.maximum(place.y - 10, 0) + 0.4 * np.minimum(place.y + 40, 0)
    return place.z - FLOOR + slope + 3 * place.drift + 1.5 * place.folds


def _paint_cover(painting: _Painting, head: Head, place: Position, brain: Floats) -> None:
    """Scalp, skull, the face below, and the fluid around the brain."""
    hull = place.hull
    soft, cover = painting.soft, painting.cover
    inner = head.meninges
    cover("scalp", soft(hull + inner + head.skull + head.scalp))
    cover("skull", soft(hull + inner + head.skull))
    cover("scalp", 0.4 * soft(head.skull / 6 - np.abs(hull + inner + head.skull / 2)))
    face = np.minimum(soft(hull + inner + 2), soft(-_height(place))) * soft(-place.y - 4)
    cover("muscle", face * np.clip(0.6 + 0.5 * place.folds, 0, 1))
    cover("scalp", face * np.clip(place.folds - 0.4, 0, 1))
    cover("air", face * soft(6 - np.abs(place.x)) * soft(-place.y - 30))
    cover("csf", soft(_depth_in(EYE, place)))
    cover("csf", soft(np.minimum(hull + inner, brain + 1)))


def _paint_cortex(painting: _Painting, head: Head, place: Position, brain: Floats) -> None:
    """Grey ribbon with sulci around white matter."""
    inside = painting.soft(brain)
    width = 0.5 + 0.7 * head.age
    sulcus = np.abs(place.folds) * np.float32(FOLD_SCALE * 1.15)
    sulcus += 0.6 * np.maximum(place.hull - SULCUS_DEPTH - 5 * place.drift, 0)
    fissure = np.minimum(_midline(place), _sylvian(place))
    cleft = np.minimum(sulcus - width + 0.04 * brain, fissure - width - 0.3)
    ribbon = np.minimum(brain, np.maximum(cleft, 0))
    painting.cover("grey", inside)
    painting.cover("white", painting.soft(ribbon - RIBBON))
    painting.cover("csf", painting.soft(-cleft) * painting.soft(brain + 1))


def _midline(place: Position) -> Floats:
    """Distance to the fissure between the hemispheres, which ends on the corpus callosum."""
    beyond = np.maximum(_depth_in(CALLOSUM, place), 0) + np.maximum(-_height(place), 0)
    return np.abs(place.x + 0.7 * place.folds) + beyond


def _sylvian(place: Position) -> Floats:
    """Distance to the lateral fissure and the insula at its bottom."""
    beside = np.abs(place.x) - 39 + 1.5 * place.folds
    insula = np.maximum(np.abs(beside), np.abs(place.y + 1) - 16)
    opening = np.maximum(np.abs(place.y + 9 + 0.5 * beside + place.folds), -beside)
    return np.maximum(np.minimum(insula, opening), np.abs(place.z - 1) - 11)


def _paint_cerebellum(painting: _Painting, place: Position, depth: Floats) -> None:
    inside = painting.soft(depth)
    folia = 0.5 + 0.5 * np.cos(depth * 1.05 + 0.6 * place.folds)
    painting.cover("grey", inside)
    painting.cover("white", inside * np.clip(0.45 * folia + 0.12 * (depth - 9), 0, 0.9))
    painting.cover("csf", inside * np.clip(0.25 - folia, 0, 1))


def _paint_centre(painting: _Painting, head: Head, place: Position) -> None:
    """Deep grey nuclei, then the ventricles over them."""
    for nucleus, share in ((THALAMUS, 0.7), (PUTAMEN, 0.9), (CAUDATE, 0.95)):
        painting.cover("grey", share * painting.soft(_depth_in(nucleus, place)))
    for ventricle in (
        ventricle_depth(head, place.x, place.y, place.z),
        _depth_in(THIRD_VENTRICLE, place) + 1.5 * (head.ventricles - 1),
        _depth_in(FOURTH_VENTRICLE, place),
    ):
        painting.cover("csf", painting.soft(ventricle))
