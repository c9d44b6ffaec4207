"""Bringing one volume onto the grid of another by the scanner's coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from triage.data import voxels
from triage.data.formats import Refusal
from triage.data.formats.volume import Volume, check_size

_SAME_GRID = 0.01  # voxels by which the corners of two grids may differ and still be the same
_MIN_OVERLAP = 0.25  # share of the reference grid that another volume has to cover


def turned(volume: Volume) -> Volume:
    """The volume with axes from right to left, front to back and feet to head (LPS)."""
    orientation = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines
    if orientation(volume.direction) == "LPS":
        return volume
    found = Volume.of(sitk.DICOMOrient(volume.image(), "LPS"))
    return replace(found, is_placed=volume.is_placed)


def respaced(volume: Volume, spacing: Sequence[float]) -> Volume:
    """An empty grid over the same space with voxels of ``spacing`` mm along x, y and z.

    Raises Refusal where it would have too many of them.
    """
    own, steps = np.array(volume.spacing), np.array(spacing)
    size = np.maximum(np.rint(np.array(volume.size) * own / steps), 1).astype(int)
    check_size(size.tolist())
    # Both grids have their outer edge in common, which lies half a voxel before the first centre.
    direction = np.array(volume.direction).reshape(3, 3)
    origin = np.array(volume.origin) + direction @ ((steps - own) / 2)
    empty = np.broadcast_to(np.zeros((), np.uint8), size[::-1].tolist())
    place = (tuple(steps.tolist()), tuple(origin.tolist()), volume.direction)
    return Volume(empty, volume.range, *place, volume.is_placed)


def on_grid(volume: Volume, reference: Volume, name: str) -> Volume:
    """``volume`` on the grid of ``reference``, called ``name``; interpolated where they differ.

    Whole numbers stay whole. Raises Refusal where there is little to see on that grid.
    """
    if volume.is_placed != reference.is_placed:
        which = name if volume.is_placed else "it"
        raise Refusal(f"can't be laid on {name}: {which} has no sform and no qform")
    if _same_grid(volume, reference):
        return volume
    covered = _coverage(volume, reference)
    if covered < _MIN_OVERLAP:
        raise Refusal(f"shows only {covered:.0%} of what {name} shows")
    resampled = sitk.Resample(
        volume.image(), reference.image(), sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32
    )
    try:
        moved = Volume.of(resampled)
    except Refusal as refusal:
        raise Refusal(f"on the grid of {name} it {refusal}") from refusal
    if not volume.range.whole:
        return moved
    rounded = np.rint(moved.voxels)
    return replace(moved, voxels=rounded, range=voxels.range_of(rounded))


def _same_grid(one: Volume, other: Volume) -> bool:
    if one.size != other.size:
        return False
    corners = _sample_indices(other, points=2)
    return bool(np.abs(_moved(corners, other, one) - corners).max() < _SAME_GRID)


def _coverage(volume: Volume, reference: Volume) -> float:
    """The share of the voxels of ``reference`` that lie inside ``volume``."""
    indices = _moved(_sample_indices(reference, points=32), reference, volume)
    inside = (indices >= -0.5) & (indices <= np.array(volume.size) - 0.5)
    return float(inside.all(axis=1).mean())


def _sample_indices(volume: Volume, points: int) -> np.ndarray:
    """Indices of a regular grid of ``points`` per axis from corner to corner, [n, 3]."""
    axes = [np.linspace(0, size - 1, points) for size in volume.size]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _moved(indices: np.ndarray, of: Volume, to: Volume) -> np.ndarray:
    """Where in one volume the ``indices`` of another one lie."""
    points = indices @ _index_to_mm(of).T + np.array(of.origin)
    return (points - np.array(to.origin)) @ np.linalg.inv(_index_to_mm(to)).T


def _index_to_mm(volume: Volume) -> np.ndarray:
    return np.array(volume.direction).reshape(3, 3) @ np.diag(volume.spacing)
