"""One DICOM file, by pydicom: its header, and its pixels as stored and rescaled.

What a header says of a person stays in it: no reason quotes any of its texts.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from isal import isal_zlib
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.pixels import apply_modality_lut, pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    RLELossless,
)

from triage.data.formats import Refusal

logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)  # its warnings quote headers

MAX_BYTES = 2**30
_GROUP_LENGTH = 140  # where the length of the first group stands
_END = b"\xff\xd9"
_DEFLATED = DeflatedExplicitVRLittleEndian.encode()


def parse(content: bytes, header_only: bool = False) -> Dataset:
    """The data set of a file. Raises Refusal."""
    if len(content) > MAX_BYTES:
        raise Refusal(f"has {len(content)} bytes, must have at most {MAX_BYTES}")
    with quiet("has a DICOM header that is damaged or cut short"):
        if _DEFLATED in content:  # by pydicom it would be unpacked to whatever size
            return _flat(_unpacked(content))
        try:
            return _flat(dcmread(io.BytesIO(content), stop_before_pixels=header_only))
        except InvalidDicomError as error:
            raise Refusal("is no DICOM file") from error


def _flat(data: Dataset) -> Dataset:
    """What an enhanced file says of its one frame stands where others have it."""
    for name in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        groups = list(data.get(name) or ())
        for macro in groups[0] if len(groups) == 1 else ():
            if macro.VR == "SQ" and len(macro.value) == 1:
                data.update({each.tag: each for each in macro.value[0] if each.tag not in data})
    return data


def value(data: Dataset, name: str, default: Any = None) -> Any:
    """What a header says under a name, or the default where that is missing or empty."""
    with quiet(f"has a DICOM header whose {name} can't be read"):
        found = data.get(name)
        return default if found is None or found == "" else found


def fractions(data: Dataset, name: str, count: int | None) -> np.ndarray | None:
    """So many finite numbers that a header says under a name, or any number of them; None where it
    says nothing."""
    found = value(data, name)
    if found is None:
        return None
    with quiet(f"has a DICOM header whose {name} is no number"):
        numbers = np.atleast_1d(np.array(found, dtype=np.float64))
    if numbers.shape != (count or numbers.size,) or not np.isfinite(numbers).all():
        raise Refusal(f"has a DICOM header whose {name} must be {count or 'finite'} number(s)")
    return numbers


def check_frame(data: Dataset) -> None:
    """Refuse what is not one picture that can be read for sure."""
    frames = fractions(data, "NumberOfFrames", 1)
    if frames is not None and frames[0] not in (0, 1):
        raise Refusal(f"is a DICOM file of {frames[0]:g} frames, must have one")
    if not all(isinstance(value(data, name), int) for name in ("Rows", "Columns")):
        raise Refusal("is a DICOM file without a picture")
    stored, high = value(data, "BitsStored"), value(data, "HighBit")
    if high is not None and stored is not None and high != stored - 1:
        raise Refusal(f"has its {stored} bits up to bit {high}, which readers take differently")


def pixels(data: Dataset) -> np.ndarray:
    """The pixels as stored, [rows, columns] or [rows, columns, colours]; YBR becomes RGB."""
    with quiet("has pixels that can't be decoded: damaged, cut short, or packed in a rare way"):
        syntax = data.file_meta.TransferSyntaxUID
        if syntax.is_compressed and syntax != RLELossless:
            frame = _packed_frame(data)
            if syntax == JPEGExtended12Bit and data.BitsStored > 8:  # which GDCM leaves out
                import imagecodecs  # few files need it, and it takes its time

                return np.asarray(imagecodecs.jpeg8_decode(frame))
        found: np.ndarray = pixel_array(data, correct_unused_bits=True)
    return found


def rescaled(data: Dataset, stored: np.ndarray) -> np.ndarray:
    """What stored pixels mean: whole numbers where they are sure to be, or 64-bit fractions."""
    slope, intercept = (fractions(data, f"Rescale{name}", 1) for name in ("Slope", "Intercept"))
    if value(data, "ModalityLUTSequence"):
        with quiet("has a DICOM header whose table of values is damaged"):
            found: np.ndarray = apply_modality_lut(stored, data)
            return found
    factor = 1.0 if slope is None else float(slope[0])
    offset = 0.0 if intercept is None else float(intercept[0])
    if factor == 0:
        raise Refusal("has a rescale slope of 0")
    if (factor, offset) == (1, 0):
        return stored
    if factor.is_integer() and offset.is_integer() and max(abs(factor), abs(offset)) < 2**31:
        return stored.astype(np.int64) * int(factor) + int(offset)
    return stored.astype(np.float64) * factor + offset


def _unpacked(content: bytes) -> Dataset:
    """The data set of a file that is packed as a whole, behind its first group."""
    (length,) = struct.unpack_from("<I", content, _GROUP_LENGTH)
    packed = content[_GROUP_LENGTH + 4 + length :]
    inflater = isal_zlib.decompressobj(wbits=-15)
    body = inflater.decompress(packed, MAX_BYTES)
    if not inflater.eof:
        raise Refusal("is cut short, or unpacks to too much")
    data = read_dataset(io.BytesIO(body), is_implicit_VR=False, is_little_endian=True)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def _packed_frame(data: Dataset) -> bytes:
    """The packed picture; refused where it has no end, or would unpack to another size."""
    frame = next(generate_frames(data.PixelData, number_of_frames=1))
    is_2000 = data.file_meta.TransferSyntaxUID in JPEG2000TransferSyntaxes
    size = _size_of_jpeg2000(frame) if is_2000 else _size_of_jpeg(frame)
    if size != (data.Rows, data.Columns):
        raise Refusal("has packed pixels of another size than its header says")
    if _END not in frame[-16:]:
        raise Refusal("is cut short: its packed pixels have no end")
    return frame


def _size_of_jpeg2000(frame: bytes) -> tuple[int, int]:
    """Rows and columns in the SIZ segment, which begins the codestream."""
    start = frame.index(b"\xff\x4f\xff\x51")
    width, height, left, top = struct.unpack_from(">4I", frame, start + 8)
    return height - top, width - left


def _size_of_jpeg(frame: bytes) -> tuple[int, int]:
    """Rows and columns in the first frame header, of any kind of JPEG or JPEG-LS."""
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker == 0xFFF7 or (0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFCC)):
            rows, columns = struct.unpack_from(">HH", frame, at + 5)
            return rows, columns
        at += 2 + length


@contextmanager
def quiet(reason: str) -> Iterator[None]:
    """No warning quotes a header, and whatever a damaged file makes of a parser has one reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        raise Refusal(reason) from error
