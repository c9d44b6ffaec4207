"""MetaImage: a header of lines, and voxels behind it or in a file beside it.

MetaIO, which SimpleITK reads with, takes some headers in another way than they look: it follows
them to any file, takes the next line for a value that is missing, and a colon for an equals sign.
So nothing is handed on to it: what this one parser does not understand and allow is not read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from triage.data import inventory
from triage.data.formats import Refusal
from triage.data.formats.inflate import inflate
from triage.data.formats.volume import Volume, check_size, numbers

EXTENSIONS = (".mha", ".mhd")
_HEADER_LIMIT = 1 << 16
_KINDS = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",  # by MetaIO on every system
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# Names of one thing: where several are given they have to say the same.
_ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_ORIGIN = ("Offset", "Position", "Origin")
_AXES = ("TransformMatrix", "Rotation", "Orientation")
_MAY_BE_EMPTY = ("CompressedDataSize", "Comment", "Name", "Modality", "AcquisitionDate")
_REQUIRED = ("NDims", "DimSize", "ElementType")


def data_file(path: Path) -> str:
    """The name of the file beside ``path`` that its header takes voxels from.

    Empty where there is none: of another format, with its voxels inside, or damaged.
    """
    try:
        if not (is_metaimage(path) and inventory.is_file(path)):
            return ""
        with open(path, "rb") as stream:
            name = _Header.read(stream).data
    except (OSError, Refusal):
        return ""
    return name if not _is_local(name) and _is_beside(name) else ""


def is_metaimage(path: Path) -> bool:
    """Whether a file is a MetaImage by its name."""
    return path.name.lower().endswith(EXTENSIONS)


def read(path: Path) -> Volume:
    """The volume in ``path``, and in the file beside it that it names. Raises Refusal, OSError."""
    with open(path, "rb") as stream:
        header = _Header.read(stream)
        if _is_local(header.data):
            array = header.voxels(stream, stream.tell())
        else:
            beside = _beside(path.parent, header.data)
            if stream.read(_HEADER_LIMIT).strip():
                raise Refusal("goes on behind ElementDataFile, which has to end a header")
            with open(beside, "rb") as other:
                array = header.voxels(other, 0)
    return Volume.at(array, header.spacing(), header.origin(), header.axes())


def _is_local(data: str) -> bool:
    return data.upper() == "LOCAL"


def _is_beside(data: str) -> bool:
    """Whether a header takes its voxels from one file in its own folder, as an inventory has it."""
    several = data.upper().startswith("LIST") or "%" in data
    return Path(data).name == data != "" and not several and not inventory.is_hidden(data)


def _beside(folder: Path, data: str) -> Path:
    if not _is_beside(data):
        what = "must be LOCAL or a file beside it that is not hidden"
        raise Refusal(f"takes its voxels from {data!r}: {what}")
    if not (folder / data).is_file():
        raise Refusal(f"takes its voxels from {data!r}, which is not beside it")
    return folder / data


@dataclass(frozen=True)
class _Header:
    """The fields of a header, each of them given once and with a value."""

    fields: dict[str, str]

    @classmethod
    def read(cls, stream: BinaryIO) -> _Header:
        """From the beginning of ``stream``, which is left where the header ends."""
        fields: dict[str, str] = {}
        while stream.tell() < _HEADER_LIMIT:
            line = stream.readline(_HEADER_LIMIT).decode("utf-8", "replace")
            key, separator, value = (part.strip() for part in line.partition("="))
            if not (separator and key.isprintable()):
                break
            if ":" in key or key == "":
                raise Refusal(f"has a line in its header that can be read in two ways: {key[:40]}")
            if key in fields:
                raise Refusal(f"says {key} more than once in its header")
            fields[key] = value
            if key == "ElementDataFile":
                return cls(fields)
        raise Refusal("is no MetaImage file, or its header is cut short")

    @property
    def data(self) -> str:
        return self.fields["ElementDataFile"]

    def voxels(self, stream: BinaryIO, start: int) -> np.ndarray:
        """The voxels [z, y, x] in ``stream``, of which this header takes ``start`` bytes."""
        self._check()
        sizes = self._whole("DimSize")
        if self._whole("NDims") != [len(sizes)]:
            raise Refusal(f"has {self.fields['NDims']} dimensions, but a size of {len(sizes)}")
        check_size(sizes)
        if self._whole("ElementNumberOfChannels") not in ([], [1]):
            channels = self.fields["ElementNumberOfChannels"]
            raise Refusal(f"has {channels} values a voxel, must have 1")
        kind = _KINDS.get(self.fields["ElementType"])
        if kind is None:
            raise Refusal(f"holds {self.fields['ElementType']}, which is no type of a grey voxel")
        stored = np.dtype(kind).newbyteorder(">" if self._is_set(_ORDER) else "<")
        array = self._stored(stream, start, stored, math.prod(sizes))
        return array.astype(kind, copy=False).reshape(sizes[::-1])

    def _stored(self, stream: BinaryIO, start: int, stored: np.dtype, count: int) -> np.ndarray:
        wanted = count * stored.itemsize
        packed = self._is_set(("CompressedData",))
        end = stream.seek(0, 2)
        skipped = (self._whole("HeaderSize") or [0])[0]
        if skipped < -1 or (skipped == -1 and packed):
            raise Refusal(f"says HeaderSize = {skipped} in its header")
        begin = end - wanted if skipped == -1 else max(skipped, start)
        if 0 < skipped < start:
            raise Refusal(f"says HeaderSize = {skipped}, but its header has {start} bytes")
        stream.seek(max(begin, start))
        if packed:
            size = (self._whole("CompressedDataSize") or [0])[0]
            unpacked = inflate(stream, size, wanted)
            _check_length(len(unpacked), wanted)
            return np.frombuffer(unpacked, stored)
        _check_length(end - max(begin, start), wanted)
        return np.fromfile(stream, stored, count)

    def _check(self) -> None:
        """Refuse what no reader could be sure about."""
        for key in _REQUIRED:
            if not self.fields.get(key):
                raise Refusal(f"lacks {key} in its header")
        for key, value in self.fields.items():
            if not value and key not in _MAY_BE_EMPTY:
                raise Refusal(f"says {key} without a value in its header")
        if self.fields.get("ObjectType", "Image") != "Image":
            raise Refusal(f"holds a MetaIO {self.fields['ObjectType']}, must hold an Image")
        if not self._is_set(("BinaryData",), default=True):
            raise Refusal("holds its voxels as text, must be binary")
        for key, plain in (("Slope", 1), ("Offset", 0)):
            if self._fractions(f"ElementToIntensityFunction{key}") not in ([], [plain]):
                raise Refusal(f"says ElementToIntensityFunction{key}, which readers pass over")

    def spacing(self) -> list[float]:
        """Of x, y and z in mm."""
        given = [self._numbers((key,), 3) for key in ("ElementSpacing", "ElementSize")]
        for spacing in filter(None, given):
            if not all(value > 0 for value in spacing):
                raise Refusal(f"has a voxel spacing of {numbers(spacing)} mm, must be above 0")
        return next(filter(None, given), [1.0, 1.0, 1.0])

    def origin(self) -> list[float]:
        return self._numbers(_ORIGIN, 3) or [0.0, 0.0, 0.0]

    def axes(self) -> np.ndarray:
        """The axes x, y and z as columns; a header writes them one after another."""
        return np.array(self._numbers(_AXES, 9) or np.eye(3).ravel()).reshape(3, 3).T

    def _one(self, names: tuple[str, ...]) -> str:
        """What is said under one of several names; refused where they disagree."""
        said = {name: self.fields[name] for name in names if self.fields.get(name)}
        if len({text.casefold() for text in said.values()}) > 1:
            raise Refusal(f"says different things in its header: {', '.join(said)}")
        return next(iter(said.values()), "")

    def _is_set(self, names: tuple[str, ...], default: bool = False) -> bool:
        """A flag as MetaIO reads it: T, t, True, 1 and so on."""
        text = self._one(names)
        return text[:1].upper() in ("T", "1") if text else default

    def _whole(self, key: str) -> list[int]:
        return [int(value) for value in self._parsed(key, int)]

    def _fractions(self, key: str) -> list[float]:
        return self._parsed(key, float)

    def _numbers(self, names: tuple[str, ...], count: int) -> list[float]:
        """So many numbers under one of several names, or none."""
        self._one(names)
        key = next((name for name in names if self.fields.get(name)), names[0])
        found = self._fractions(key)
        if found and len(found) != count:
            raise Refusal(f"says {key} = {self.fields[key]} in its header, must be {count} numbers")
        return found

    def _parsed(self, key: str, kind: type[int] | type[float]) -> list[float]:
        text = self.fields.get(key, "")
        try:
            if "_" in text or not text.isascii():
                raise ValueError(text)
            return [kind(word) for word in text.split()]
        except ValueError as error:
            raise Refusal(f"says {key} = {text} in its header") from error


def _check_length(found: int, wanted: int) -> None:
    if found < wanted:
        raise Refusal(f"is cut short: {max(found, 0)} of {wanted} bytes of voxels")
