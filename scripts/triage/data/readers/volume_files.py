"""Decoding of one volume: MetaImage, NIfTI or a folder of DICOM files, with SimpleITK.

SimpleITK fills up with zeros or noise where a compressed or NIfTI file is damaged or cut short,
follows a MetaImage header to any file of the machine, and drops unreadable files of a DICOM
series, each without a word. So every container is checked before its voxels are trusted.
"""

from __future__ import annotations

import math
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from isal import igzip, isal_zlib
from isal.igzip_lib import IsalError

from triage.data import inventory
from triage.data.readers import BadFile
from triage.data.voxels import Range, range_of

EXTENSIONS = (".mha", ".mhd", ".nii.gz", ".nii")
MAX_VOXELS = 2**28  # 1024 x 1024 x 256: far above clinical scans, and still held in memory
_DAMAGED = (
    "can't be decoded: damaged, cut short, of an impossible geometry, "
    "or not of the format that its name says"
)
_DECODER_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    IsalError,  # type: ignore[assignment]  # its stub says that it is no type
    struct.error,
    EOFError,
    igzip.BadGzipFile,
)
_CHUNK = 1 << 20
_HEADER_LIMIT = 1 << 16

sitk.ProcessObject.SetGlobalWarningDisplay(False)


@dataclass(frozen=True)
class Volume:
    """Voxels [z, y, x], their range, and where they lie in the scanner's coordinates (mm, LPS)."""

    voxels: np.ndarray
    range: Range
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image) -> Volume:
        return cls.at(image, sitk.GetArrayFromImage(image))

    @classmethod
    def at(cls, place: sitk.Image | sitk.ImageFileReader, array: np.ndarray) -> Volume:
        """Voxels of one's own where an image lies, or one whose header was read."""
        spacing, origin = place.GetSpacing(), place.GetOrigin()
        return cls(array, range_of(array), spacing, origin, place.GetDirection())

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


def read(raw: Path, file: str) -> Volume:
    """The volume in ``file``, a file or a folder of one DICOM series below ``raw``.

    Its geometry is usable and its voxels are finite numbers. Raises BadFile.
    """
    try:
        volume = _decode(raw / file)
    except _DECODER_ERRORS as error:
        raise BadFile(file, _DAMAGED) from error
    except OSError as error:
        raise BadFile(file, f"can't be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise BadFile(file, "does not fit into memory") from error
    except _Refusal as refusal:
        raise BadFile(file, str(refusal)) from refusal
    return volume


class _Refusal(Exception):
    """Why a file is refused, before its name is known."""


def _decode(path: Path) -> Volume:
    volume = Volume.of(_read_series(path)) if path.is_dir() else _read_file(path)
    _check_geometry(volume)
    _check_voxels(volume)
    return volume


def _read_file(path: Path) -> Volume:
    if path.stat().st_size == 0:
        raise _Refusal("is empty")
    if _is_metaimage(path):
        return _read_metaimage(path)
    reader = _open(path, "NiftiImageIO")
    _check_nifti(path, math.prod(reader.GetSize()))
    return Volume.of(reader.Execute())


def _open(path: Path, kind: str) -> sitk.ImageFileReader:
    """A reader that has read the header of a volume."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(kind)
    reader.ReadImageInformation()
    _check_header(reader)
    return reader


def _check_header(reader: sitk.ImageFileReader) -> None:
    """Refuse what is no volume by its header."""
    if reader.GetDimension() != 3:
        raise _Refusal(f"has {reader.GetDimension()} dimensions, must have 3")
    if reader.GetNumberOfComponents() != 1:
        raise _Refusal(f"has {reader.GetNumberOfComponents()} values a voxel, must have 1")
    size = reader.GetSize()
    if not 0 < math.prod(size) <= MAX_VOXELS:
        shape = " x ".join(map(str, size))
        raise _Refusal(f"says it has {shape} voxels, must be 1 to {MAX_VOXELS}")


def _check_geometry(volume: Volume) -> None:
    spacing, origin = np.array(volume.spacing), np.array(volume.origin)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise _Refusal(f"has a voxel spacing of {_numbers(spacing)} mm, must be above 0")
    if not np.isfinite(origin).all():
        raise _Refusal("has an origin that is no number")
    direction = np.array(volume.direction).reshape(3, 3)
    if not np.allclose(direction @ direction.T, np.eye(3), atol=1e-3):
        raise _Refusal("has axes that are not at right angles to each other")


def _check_voxels(volume: Volume) -> None:
    if volume.voxels.dtype.kind not in "iuf":
        raise _Refusal("holds complex numbers")
    low, high, _ = volume.range
    if not (math.isfinite(low) and math.isfinite(high)):
        bad = int(np.count_nonzero(~np.isfinite(volume.voxels)))
        raise _Refusal(f"has {bad} voxel(s) that are NaN or infinite")
    if max(-low, high) > float(np.finfo(np.float32).max):
        raise _Refusal(f"has values up to {max(-low, high):g}, too large for 32 bits")
    if low == high:
        raise _Refusal(f"is constant: all voxels are {low:g}")


# --- MetaImage


def data_file(path: Path) -> str:
    """The name of the file beside ``path`` that its header takes voxels from.

    Empty where there is none: of another format, with its voxels inside, or damaged.
    """
    try:
        if not (_is_metaimage(path) and inventory.is_file(path)):
            return ""
        with open(path, "rb") as stream:
            name = _metaimage_header(stream)["ElementDataFile"]
    except (OSError, _Refusal):
        return ""
    return name if name.upper() != "LOCAL" and _is_beside(name) else ""


def _is_metaimage(path: Path) -> bool:
    return path.name.lower().endswith((".mha", ".mhd"))


def _is_beside(data: str) -> bool:
    """Whether a header takes its voxels from one file in its own folder, as an inventory has it."""
    several = data.upper().startswith("LIST") or "%" in data
    return Path(data).name == data != "" and not several and not inventory.is_hidden(data)


def _read_metaimage(path: Path) -> Volume:
    with open(path, "rb") as stream:
        header = _metaimage_header(stream)
        if header["ElementDataFile"].upper() == "LOCAL":
            array = _read_metaimage_data(header, stream)
        else:
            array = _read_metaimage_beside(header, path.parent)
    if array is None:
        return Volume.of(_open(path, "MetaImageIO").Execute())
    with _without_empty_fields(header, path) as whole:
        reader = _open(whole, "MetaImageIO")
    return Volume.at(reader, array.reshape(reader.GetSize()[::-1]))


def _read_metaimage_beside(header: dict[str, str], folder: Path) -> np.ndarray | None:
    data = header["ElementDataFile"]
    if not _is_beside(data):
        what = "must be LOCAL or a file beside it that is not hidden"
        raise _Refusal(f"takes its voxels from {data!r}: {what}")
    if not (folder / data).is_file():
        raise _Refusal(f"takes its voxels from {data!r}, which is not beside it")
    with open(folder / data, "rb") as stream:
        stream.seek(max(0, *_whole(header, "HeaderSize"), 0))
        return _read_metaimage_data(header, stream)


@contextmanager
def _without_empty_fields(header: dict[str, str], path: Path) -> Iterator[Path]:
    """The file, or a copy of its header: MetaIO takes the next line for a field's missing value."""
    if all(header.values()):
        yield path
        return
    with tempfile.NamedTemporaryFile("w", suffix=".mha", encoding="utf-8") as copy:
        given = {key: value for key, value in header.items() if value}
        copy.writelines(f"{key} = {value}\n" for key, value in given.items())
        copy.flush()
        yield Path(copy.name)


def _metaimage_header(stream: BinaryIO) -> dict[str, str]:
    """The header's fields; ``stream`` is left where the voxels begin."""
    fields: dict[str, str] = {}
    while stream.tell() < _HEADER_LIMIT:
        line = stream.readline(_HEADER_LIMIT)
        key, separator, value = line.decode("utf-8", "replace").partition("=")
        if not separator:
            break
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return fields
    raise _Refusal("is no MetaImage file, or its header is cut short")


def _is_set(header: dict[str, str], key: str, default: str = "False") -> bool:
    """A flag as MetaIO reads it: T, t, True, 1 and so on."""
    return (header.get(key) or default)[:1].upper() in ("T", "1")


def _read_metaimage_data(header: dict[str, str], stream: BinaryIO) -> np.ndarray | None:
    """The voxels, one after another; None where only SimpleITK knows at which byte they begin."""
    if not _is_set(header, "BinaryData", "True"):
        raise _Refusal("holds its voxels as text, must be binary")
    for key in ("NDims", "DimSize", "ElementType"):
        if not header.get(key):
            raise _Refusal(f"lacks {key} in its header")
    sizes = _whole(header, "DimSize")
    if _whole(header, "NDims") != [3] or len(sizes) != 3:
        raise _Refusal(f"has {header['NDims']} dimensions, must have 3")
    if not all(0 < size <= MAX_VOXELS for size in sizes) or math.prod(sizes) > MAX_VOXELS:
        raise _Refusal(f"says it has {header['DimSize']} voxels, must be 1 to {MAX_VOXELS}")
    for key in ("ElementSpacing", "ElementSize"):
        if not all(spacing > 0 for spacing in _fractions(header, key)):
            raise _Refusal(f"has a voxel spacing of {header[key]} mm, must be above 0")
    kind = _METAIMAGE_KINDS.get(header["ElementType"])
    if kind is None:
        raise _Refusal(f"holds {header['ElementType']}, which is no type of a grey voxel")
    is_big_endian = any(_is_set(header, key) for key in _BIG_ENDIAN)
    order = ">" if is_big_endian else "<"
    stored = np.dtype(order + kind)
    wanted = math.prod(sizes) * stored.itemsize
    if not _is_set(header, "CompressedData"):
        start = stream.tell()
        _check_length(stream.seek(0, 2) - start, wanted)
        if header.get("HeaderSize"):
            return None
        stream.seek(start)
        return np.fromfile(stream, stored, math.prod(sizes)).astype(kind, copy=False)
    unpacked = _unpack(stream, _whole(header, "CompressedDataSize"), wanted)
    _check_length(len(unpacked), wanted)
    return np.frombuffer(unpacked, stored).astype(kind, copy=False)


def _check_length(found: int, wanted: int) -> None:
    if found < wanted:
        raise _Refusal(f"is cut short: {found} of {wanted} bytes of voxels")


_BIG_ENDIAN = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_METAIMAGE_KINDS = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "l",
    "MET_ULONG": "L",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def _unpack(stream: BinaryIO, packed_size: list[int], limit: int) -> bytes:
    """What a zlib or gzip stream unpacks to; its end and its checksum are checked.

    ``packed_size``: its length as [n]; [] or [0] where it goes to the end of the file.
    """
    inflater = isal_zlib.decompressobj(wbits=47)  # zlib's or gzip's header, found out by itself
    left = packed_size[0] if any(packed_size) else limit + _CHUNK
    parts: list[bytes] = []
    room = limit + 1  # one byte more than there may be
    while not inflater.eof:
        packed = inflater.unconsumed_tail
        if not packed:
            packed = stream.read(max(0, min(left, limit + _CHUNK)))
            left -= len(packed)
        if not packed:
            raise _Refusal("is cut short: its compressed voxels have no end")
        parts.append(inflater.decompress(packed, room))
        room -= len(parts[-1])
        if not room:
            raise _Refusal(f"holds more than the {limit} bytes of voxels that its header says")
    return parts[0] if len(parts) == 1 else b"".join(parts)


# --- NIfTI


def _check_nifti(path: Path, count: int) -> None:
    """Refuse a file that holds fewer than ``count`` voxels."""
    with open(path, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    with igzip.open(path) if packed else open(path, "rb") as stream:
        head = stream.read(540)
        offset, size = _nifti_layout(head)
        found, wanted = len(head) - offset, count * size
        while found < wanted and (piece := stream.read(_CHUNK)):
            found += len(piece)
        # The checksum of a gzip file stands at its end.
        while packed and (piece := stream.read(_CHUNK)):
            found += len(piece)
            if found > wanted + _CHUNK:
                raise _Refusal(f"holds more than the {wanted} bytes of voxels that its header says")
    if found < wanted:
        raise _Refusal(f"is cut short: {max(found, 0)} of {wanted} bytes of voxels")


def _nifti_layout(head: bytes) -> tuple[int, int]:
    """Where the voxels begin, and the bytes of each as stored: before slope and intercept."""
    for order in "<>":
        size = struct.unpack_from(order + "i", head)[0]
        if size in _NIFTI_LAYOUTS:
            (offset_kind, offset_at), kind_at = _NIFTI_LAYOUTS[size]
            offset = struct.unpack_from(order + offset_kind, head, offset_at)[0]
            kind = struct.unpack_from(order + "h", head, kind_at)[0]
            if kind not in _NIFTI_BYTES:
                raise _Refusal(f"holds NIfTI datatype {kind}, which is no type of a grey voxel")
            return int(offset), _NIFTI_BYTES[kind]
    raise _Refusal("is no NIfTI file")


# By the header's size (NIfTI-1 and NIfTI-2): type and place of vox_offset, place of datatype.
_NIFTI_LAYOUTS = {348: (("f", 108), 70), 540: (("q", 168), 12)}
# By datatype, as decoders go by it; bitpix says the same, where it is right.
_NIFTI_BYTES = {
    2: 1,
    256: 1,
    4: 2,
    512: 2,
    8: 4,
    768: 4,
    16: 4,
    64: 8,
    1024: 8,
    1280: 8,
    32: 8,  # complex, which is refused when it is read
    1792: 16,
}


# --- DICOM


def _read_series(folder: Path) -> sitk.Image:
    files = {path.name for path in folder.iterdir() if _is_slice(path.name)}
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise _Refusal(f"holds {len(series)} readable DICOM series, must hold one")
    names = reader.GetGDCMSeriesFileNames(str(folder), series[0])
    unread = sorted(files - {Path(name).name for name in names})
    if unread:
        what = f"{len(unread)} of its {len(files)} files are no readable slices"
        raise _Refusal(f"{what}: {', '.join(unread[:3])}")
    _check_slices([_slice_position(name) for name in names])
    reader.SetFileNames(names)
    return reader.Execute()


def _is_slice(name: str) -> bool:
    """Whether a file in the folder of a series has to be one of its slices."""
    return not inventory.is_hidden(name) and name.upper() != "DICOMDIR"


def _slice_position(name: str) -> tuple[np.ndarray, tuple[int, ...]]:
    """Position of one DICOM slice's corner in mm along its normal, and its size in pixels."""
    header = sitk.ImageFileReader()
    header.SetFileName(name)
    header.SetImageIO("GDCMImageIO")
    header.ReadImageInformation()
    if header.GetDimension() == 3 and header.GetSize()[2] != 1:
        raise _Refusal("holds a DICOM file of several frames, must hold one file a slice")
    if header.GetNumberOfComponents() != 1:
        raise _Refusal("holds colour slices")
    normal = np.array(header.GetDirection()).reshape(3, 3)[:, 2]
    return normal @ np.array(header.GetOrigin()), header.GetSize()[:2]


def _check_slices(slices: list[tuple[np.ndarray, tuple[int, ...]]]) -> None:
    if len({size for _, size in slices}) != 1:
        raise _Refusal("holds slices of differing size")
    if math.prod(slices[0][1]) * len(slices) > MAX_VOXELS:
        raise _Refusal(f"holds more than {MAX_VOXELS} voxels")
    steps = np.abs(np.diff([position for position, _ in slices]))
    # Positions are written with few decimals; a missing slice doubles a step.
    if len(steps) and not (steps.min() > 0 and np.ptp(steps) <= 0.1 * np.median(steps)):
        range_ = _numbers([steps.min(), steps.max()], " to ")
        raise _Refusal(f"has slices {range_} mm apart: some are missing or doubled")


def _whole(header: dict[str, str], key: str) -> list[int]:
    try:
        return [int(text) for text in header.get(key, "").split()]
    except ValueError as error:
        raise _Refusal(f"says {key} = {header[key]} in its header") from error


def _fractions(header: dict[str, str], key: str) -> list[float]:
    try:
        return [float(text) for text in header.get(key, "").split()]
    except ValueError as error:
        raise _Refusal(f"says {key} = {header[key]} in its header") from error


def _numbers(values: npt.ArrayLike, between: str = " x ") -> str:
    return between.join(f"{value:g}" for value in np.asarray(values))
