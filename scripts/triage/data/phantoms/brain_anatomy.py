"""The tissues of a healthy head, as soft maps. Lengths are millimetres, in the head's frame."""

from __future__ import annotations

import numpy as np

from triage.data.phantoms.brain_shape import (
    FOLD_SCALE,
    Floats,
    Grid,
    Head,
    Position,
    locate,
    ventricle_depth,
)

FLOOR = -22.0  # below it only the temporal lobes, the cerebellum and the brainstem
SULCUS_DEPTH = 16.0
RIBBON = 3.0  # thickness of the cortex

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
