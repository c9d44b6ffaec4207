"""One picture in a DICOM file: radiographs, mammograms, stills of ultrasound, secondary captures.

Grey values are rescaled, then a window (the first of the header, if ``window`` is voi and there is
one) or their whole range becomes 0 to 255; padding becomes black.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_color_lut, apply_voi

from triage.data.formats import Refusal, dicom
from triage.data.formats.samples import Samples, check_size

Window = Literal["voi", "full"]
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def read(content: bytes, window: Window) -> Samples:
    """The picture in a file. Raises Refusal, whose words have nothing of the header's texts."""
    with dicom.quiet("is DICOM that is damaged"):
        return _read(dicom.parse(content), window)


def _read(data: Dataset, window: Window) -> Samples:
    dicom.check_frame(data)
    check_size(int(data.Columns), int(data.Rows))
    kind = dicom.value(data, "PhotometricInterpretation", "")
    if kind == "MONOCHROME2" and dicom.value(data, "PresentationLUTShape") == "INVERSE":
        raise Refusal("says both that its greatest value is white and that it is black")
    if kind in _GREY:
        return _grey(data, window)
    if kind in _COLOURS:
        return _colours(dicom.pixels(data))
    if kind == "PALETTE COLOR":
        with dicom.quiet("has a palette that is damaged"):
            return _colours(apply_color_lut(dicom.pixels(data), data))
    raise Refusal("is DICOM of a photometric interpretation that is not supported")


def _colours(values: np.ndarray) -> Samples:
    if values.ndim != 3 or values.shape[2] != 3 or values.dtype.kind != "u":
        raise Refusal("is DICOM of an unknown kind of colours")
    return Samples(values, bounds=(0, 255) if values.dtype == np.uint8 else None)


def _grey(data: Dataset, window: Window) -> Samples:
    stored = dicom.pixels(data)
    if stored.ndim != 2:
        raise Refusal("is DICOM of several samples a pixel, though it says that it is grey")
    values = dicom.rescaled(data, stored)
    bounds = None
    if window == "voi":
        values, bounds = _windowed(data, values)
    if bounds is None and dicom.value(data, "BitsStored") == 8 and stored.dtype == np.uint8:
        bounds = (0.0, 255.0) if values is stored else None
    return Samples(
        values[..., None],
        inverted=data.PhotometricInterpretation == "MONOCHROME1",
        ignored=_padding(data, stored),
        bounds=bounds,
    )


def _windowed(data: Dataset, values: np.ndarray) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Values by the header's first table or window, and what of them is black and white."""
    if table := dicom.value(data, "VOILUTSequence"):
        with dicom.quiet("has a table of grey values that is damaged"):
            whole = np.rint(values).astype(np.int64)
            return apply_voi(whole, data), (0, 2 ** int(table[0].LUTDescriptor[2]) - 1)
    centres, widths = (dicom.fractions(data, f"Window{each}", None) for each in ("Center", "Width"))
    if centres is None or widths is None:
        return values, None
    centre, width = float(centres[0]), float(widths[0])
    shape = str(dicom.value(data, "VOILUTFunction", "LINEAR")).upper()
    if shape == "SIGMOID" and width > 0:
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-4 * (values - centre) / width)), (0, 1)
    if shape == "LINEAR" and width > 1:
        centre, width = centre - 0.5, width - 1
    elif shape not in ("LINEAR", "LINEAR_EXACT") or width <= 0:
        raise Refusal(f"has a window of width {width:g} that makes no picture")
    return values, (centre - width / 2, centre + width / 2)


def _padding(data: Dataset, stored: np.ndarray) -> np.ndarray | None:
    """Which pixels only fill up the picture."""
    first = dicom.value(data, "PixelPaddingValue")
    if first is None:
        return None
    last = dicom.value(data, "PixelPaddingRangeLimit", first)
    with dicom.quiet("has a DICOM header whose padding is no number"):
        low, high = sorted(_as_stored(int(each), stored.dtype) for each in (first, last))
    found: np.ndarray = (stored >= low) & (stored <= high)
    return found if found.any() else None


def _as_stored(value: int, kind: np.dtype) -> int:
    """A number of 16 bits, which is often written as unsigned where pixels are signed, as they."""
    limits = np.iinfo(kind)
    if limits.min < 0 and value > limits.max:
        return value - 2**16
    return value + 2**16 if value < limits.min else value
