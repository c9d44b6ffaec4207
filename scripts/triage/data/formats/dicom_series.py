"""A folder of DICOM files as one volume, one file a slice.

Slices make a volume where they are one series of one person, of one size, pixel spacing and
direction, and stand one behind the other at equal steps along their normal. Each has its own
rescaling. (That these hold is what highdicom asks of a volume too; a series of a tilted gantry
would have to be resampled, and is refused.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset

from triage.data import inventory
from triage.data.formats import Refusal, dicom
from triage.data.formats.volume import MAX_VOXELS, RIGHT_ANGLE, Volume, numbers

_SIDE_FILES = (".json", ".bval", ".bvec")  # what converters and people put beside slices
_MAX_UNEVEN = 0.1  # share of a step by which steps may differ: positions have few decimals
_MAX_ASIDE = 0.5  # pixels by which a slice may stand beside the line of the others


@dataclass(frozen=True)
class _Slice:
    """Where a slice lies: position of the middle of its first pixel, and its two axes (mm, LPS).

    spacing: of pixels along x and y, in mm. thickness: in mm, 0 where it is not said.
    """

    path: Path
    size: tuple[int, int]
    position: np.ndarray
    axes: np.ndarray
    spacing: np.ndarray
    thickness: float
    series: str
    patient: str
    frame: str

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.axes[0], self.axes[1])


def read(folder: Path) -> Volume:
    """The volume in ``folder``. Raises Refusal, OSError."""
    slices = _slices(folder)
    _check_alike(slices)
    first = slices[0]
    rows, columns = first.size
    if rows * columns * len(slices) > MAX_VOXELS:
        raise Refusal(f"holds more than {MAX_VOXELS} voxels")
    heights = np.array([each.position for each in slices]) @ first.normal
    slices = [slices[i] for i in np.argsort(heights, kind="stable")]
    step = _step(slices)
    voxels = np.stack([_voxels(each) for each in slices])
    axes = np.stack([*first.axes, first.normal], axis=1)
    return Volume.at(voxels, [*first.spacing, step], slices[0].position, axes)


def is_slice(name: str) -> bool:
    """Whether a file in the folder of a series has to be one of its slices."""
    is_system = inventory.is_hidden(name) or name.upper() == "DICOMDIR"
    return not is_system and not name.lower().endswith(_SIDE_FILES)


def _slices(folder: Path) -> list[_Slice]:
    paths = sorted(path for path in folder.iterdir() if is_slice(path.name))
    folders = [path.name for path in paths if path.is_dir()]
    if folders and len(folders) == len(paths):
        what = "its files lie in a folder below"
        raise Refusal(f"holds 0 readable DICOM series, must hold one: {what}, {folders[0]}")
    slices, unread, why = [], [], ""
    for path in paths:
        try:
            slices.append(_slice(path))
        except Refusal as refusal:
            unread.append(path.name)
            why = why or str(refusal)
    if not slices and not unread:
        raise Refusal("holds 0 readable DICOM series, must hold one")
    if unread:
        what = f"{len(unread)} of its {len(paths)} files are no readable slices"
        raise Refusal(f"{what}: {', '.join(unread[:3])} ({unread[0]} {why})")
    return slices


def _slice(path: Path) -> _Slice:
    if not inventory.is_file(path):
        raise Refusal("is no file")
    content = path.read_bytes()
    with dicom.quiet("has a DICOM header that is damaged"):
        return _header(path, dicom.parse(content, header_only=True))


def _header(path: Path, data: Dataset) -> _Slice:
    dicom.check_frame(data)
    if dicom.value(data, "SamplesPerPixel", 1) != 1:
        raise Refusal("holds colours, must be grey")
    kind = dicom.value(data, "PhotometricInterpretation", "")
    if kind != "MONOCHROME2":
        raise Refusal(f"is no MONOCHROME2 but {kind if kind in _KNOWN else 'of another kind'}")
    position = dicom.fractions(data, "ImagePositionPatient", 3)
    axes = dicom.fractions(data, "ImageOrientationPatient", 6)
    spacing = dicom.fractions(data, "PixelSpacing", 2)
    if position is None or axes is None:
        raise Refusal("has no position")
    if spacing is None:
        raise Refusal("has no pixel spacing")
    if not (spacing > 0).all():
        raise Refusal(f"has a pixel spacing of {numbers(spacing)} mm, must be above 0")
    thickness = dicom.fractions(data, "SliceThickness", 1)
    return _Slice(
        path,
        (int(data.Rows), int(data.Columns)),
        position,
        axes.reshape(2, 3),
        spacing[::-1],
        0.0 if thickness is None else float(thickness[0]),
        str(dicom.value(data, "SeriesInstanceUID", "")),
        str(dicom.value(data, "PatientID", "")),
        str(dicom.value(data, "FrameOfReferenceUID", "")),
    )


_KNOWN = ("MONOCHROME1", "PALETTE COLOR", "RGB")


def _check_alike(slices: Sequence[_Slice]) -> None:
    """Refuse slices of several things, by what their headers say."""
    several = {
        "readable DICOM series": {each.series for each in slices},
        "patients": {each.patient for each in slices},
        "frames of reference": {each.frame for each in slices},
    }
    for what, found in several.items():
        if len(found) > 1:
            raise Refusal(f"holds {len(found)} {what}, must hold one")
    if len({each.size for each in slices}) != 1:
        raise Refusal("holds slices of differing size")
    first = slices[0]
    if not np.allclose(first.axes @ first.axes.T, np.eye(2), atol=RIGHT_ANGLE):
        raise Refusal("has axes that are not at right angles to each other")
    if any(not np.allclose(each.axes, first.axes, atol=RIGHT_ANGLE) for each in slices):
        raise Refusal("holds slices of differing direction")
    if any(not np.allclose(each.spacing, first.spacing, rtol=1e-3) for each in slices):
        raise Refusal("holds slices of differing pixel spacing")


def _step(slices: Sequence[_Slice]) -> float:
    """From one slice to the next in mm; refused where slices are no pile."""
    first = slices[0]
    if len(slices) == 1:
        return first.thickness or 1.0
    offsets = np.array([each.position for each in slices]) - first.position
    heights = offsets @ first.normal
    steps = np.diff(heights)
    if not (steps.min() > 0 and np.ptp(steps) <= _MAX_UNEVEN * np.median(steps)):
        found = numbers([steps.min(), steps.max()], " to ")
        raise Refusal(f"has slices {found} mm apart: some are missing or doubled")
    aside = offsets - np.outer(heights, first.normal)
    most = float(np.abs(aside @ first.axes.T / first.spacing).max())
    if most > _MAX_ASIDE:
        lean = math.degrees(math.atan2(float(np.linalg.norm(aside[-1])), float(heights[-1])))
        raise Refusal(
            f"has slices up to {most:.1f} pixels aside of the line along their normal: of a gantry"
            f" that was tilted (by {lean:.0f} degrees), or of several scans"
        )
    return float(heights[-1]) / (len(slices) - 1)


def _voxels(slice_: _Slice) -> np.ndarray:
    content = slice_.path.read_bytes()
    try:
        with dicom.quiet("is damaged"):
            data = dicom.parse(content)
            return dicom.rescaled(data, dicom.pixels(data))
    except Refusal as refusal:
        raise Refusal(f"its slice {slice_.path.name} {refusal}") from refusal
