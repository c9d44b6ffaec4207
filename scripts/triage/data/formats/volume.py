"""A volume of whatever format, and the checks that it has to pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from triage.data.formats import Refusal
from triage.data.voxels import Range, range_of

MAX_VOXELS = 2**28  # 1024 x 1024 x 256: far above clinical scans, and still held in memory
RIGHT_ANGLE = 1e-3  # by which the products of axes of length 1 may differ from 0

sitk.ProcessObject.SetGlobalWarningDisplay(False)


@dataclass(frozen=True)
class Volume:
    """Voxels [z, y, x], their range, and where they lie in the scanner's coordinates (mm, LPS).

    direction: row by row the matrix whose columns are the axes x, y and z. is_placed: whether the
    file says where it lies; if not, only the order of its axes is assumed.
    """

    voxels: np.ndarray
    range: Range
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    is_placed: bool = True

    @classmethod
    def of(cls, image: sitk.Image) -> Volume:
        array = sitk.GetArrayFromImage(image)
        return cls.at(array, image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @classmethod
    def at(
        cls,
        array: np.ndarray,
        spacing: npt.ArrayLike,
        origin: npt.ArrayLike,
        axes: npt.ArrayLike,
        is_placed: bool = True,
    ) -> Volume:
        """Voxels in their place. Raises Refusal where the place or a voxel is impossible."""
        spacing, origin, axes = (np.asarray(each, float) for each in (spacing, origin, axes))
        direction = check_geometry(spacing, origin, axes.reshape(3, 3))
        volume = cls(
            array,
            range_of(array),
            tuple(spacing.tolist()),
            tuple(origin.tolist()),
            tuple(direction.ravel().tolist()),
            is_placed,
        )
        volume._check_voxels()
        return volume

    @classmethod
    def affine(cls, array: np.ndarray, matrix: np.ndarray, is_placed: bool = True) -> Volume:
        """Voxels whose indices (x, y, z, 1) the 4 x 4 ``matrix`` brings to millimetres (LPS)."""
        spacing = np.linalg.norm(matrix[:3, :3], axis=0)
        axes = np.divide(matrix[:3, :3], spacing, where=spacing > 0, out=np.zeros((3, 3)))
        return cls.at(array, spacing, matrix[:3, 3], axes, is_placed)

    @property
    def size(self) -> tuple[int, ...]:
        """Voxels along x, y and z."""
        return self.voxels.shape[::-1]

    def image(self) -> sitk.Image:
        image = sitk.GetImageFromArray(self.voxels)
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    def _check_voxels(self) -> None:
        low, high, _ = self.range
        if not (math.isfinite(low) and math.isfinite(high)):
            bad = int(np.count_nonzero(~np.isfinite(self.voxels)))
            raise Refusal(f"has {bad} voxel(s) that are NaN or infinite")
        if max(-low, high) > float(np.finfo(np.float32).max):
            raise Refusal(f"has values up to {max(-low, high):g}, too large for 32 bits")
        if low == high:
            raise Refusal(f"is constant: all voxels are {low:g}")


def check_size(sizes: Sequence[int]) -> None:
    """Refuse what is no volume, or too large for one, by its voxels along each axis."""
    if len(sizes) != 3:
        raise Refusal(f"has {len(sizes)} dimensions, must have 3")
    if not all(0 < size <= MAX_VOXELS for size in sizes) or math.prod(sizes) > MAX_VOXELS:
        shape = " x ".join(map(str, sizes))
        raise Refusal(f"says it has {shape} voxels, must be 1 to {MAX_VOXELS}")


def check_geometry(spacing: np.ndarray, origin: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """The axes at exactly right angles that are nearest to ``axes`` (columns of a 3 x 3 matrix)."""
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise Refusal(f"has a voxel spacing of {numbers(spacing)} mm, must be above 0")
    if not np.isfinite(origin).all():
        raise Refusal("has an origin that is no number")
    products = axes.T @ axes
    if not np.allclose(products, np.eye(3), atol=RIGHT_ANGLE):
        raise Refusal("has axes that are not at right angles to each other")
    if np.allclose(products, np.eye(3), atol=1e-12, rtol=0):
        return axes
    left, _, right = np.linalg.svd(axes)
    nearest: np.ndarray = left @ right
    return nearest


def numbers(values: npt.ArrayLike, between: str = " x ") -> str:
    return between.join(f"{value:g}" for value in np.asarray(values))
