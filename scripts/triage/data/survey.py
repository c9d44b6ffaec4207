"""A first look at a folder of images: what lies there, how large and deep it is, what is double.

Names and sizes of all files are looked at; headers of some, no pixels.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from triage import looks
from triage.data import inventory
from triage.data.counts import is_beside, kind_of
from triage.data.readers import picture_files, table_files, volume_files
from triage.errors import UserError
from triage.files import sha256

HEADERS = 400  # that are read, of each kind
VOLUME_HEADERS = 20
_SLICES = (".dcm", ".dicom", ".ima", "")  # what files of one DICOM series may be called
_MOST_DOUBLES = 200 << 20  # bytes that are read to tell files of one size apart


@dataclass
class Headers:
    """What the headers say: smaller side and pixels of each image, depth and channels by number."""

    sides: list[int] = field(default_factory=list)
    depths: Counter[str] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    slices: list[int] = field(default_factory=list)
    pixels: list[int] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def side(self) -> int:
        """The median smaller side; 0 where no header was read."""
        return int(statistics.median(self.sides)) if self.sides else 0


@dataclass(frozen=True)
class Survey:
    """What is below a folder. ``doubles``: groups of files with the same bytes."""

    raw: Path
    paths: list[str]
    kinds: Counter[str]
    pictures: list[str]
    volumes: list[str]
    series: list[str]
    tables: list[str]
    headers: Headers
    doubles: list[list[str]]

    @property
    def has_volumes(self) -> bool:
        """Whether most images are volumes, or series of slices."""
        return len(self.volumes) + len(self.series) > len(self.pictures)


def look(raw: Path) -> Survey:
    """The survey of a folder. Raises UserError where there is no image."""
    if not raw.is_dir():
        raise UserError("is no folder", where=raw, remedy="name the folder of the images")
    sizes = {path: looks.size(seen) for path, seen in sorted(inventory.walk(raw))}
    paths = list(sizes)
    volumes = [path for path in paths if path.lower().endswith(volume_files.EXTENSIONS)]
    series = _series(raw, paths)
    inside = set(series)
    pictures = [
        path
        for path in paths
        if picture_files.is_picture(path)
        and not is_beside(path)
        and path.rpartition("/")[0] not in inside
    ]
    kinds = Counter(map(kind_of, paths))
    if not (volumes or series or pictures):
        there = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        what = f"holds no image: {there or 'nothing'}"
        raise UserError(what, where=raw, remedy="name the folder of the images")
    tables = [path for path in paths if path.lower().endswith(table_files.EXTENSIONS)]
    headers = _headers(raw, [*pictures, *(files[0] for files in series.values())], volumes)
    headers.slices += map(len, series.values())
    images = {path: sizes[path] for path in [*pictures, *volumes]}
    return Survey(
        raw, paths, kinds, pictures, volumes, list(series), tables, headers, _doubles(raw, images)
    )


def stored(raw: Path, paths: Iterable[str], size: int | None, channels: int) -> int | None:
    """About how many bytes all images below ``raw`` take when decoded, by the headers of some.

    ``size``: pixels a side that pictures are scaled to; ``channels`` of each file. None where no
    header can be read.
    """
    volumes, pictures = [], []
    for path in paths:
        if path.lower().endswith(volume_files.EXTENSIONS):
            volumes.append(path)
        elif not is_beside(path) and (picture_files.is_picture(path) or _may_be_slice(path)):
            pictures.append(path)
    headers = _headers(raw, pictures, volumes)
    if not headers.pixels:
        return None
    pixels = size**2 if size else statistics.fmean(headers.pixels)
    shallow = sum(count for depth, count in headers.depths.items() if depth.startswith("8"))
    depth = 1 if 2 * shallow > headers.depths.total() else 2
    return int((len(pictures) + len(volumes)) * pixels * channels * depth)


def _may_be_slice(path: str) -> bool:
    suffix = Path(path).suffix.lower()
    return suffix in _SLICES or suffix[1:].isdigit()


def _series(raw: Path, paths: Sequence[str]) -> dict[str, list[str]]:
    """Folders with several files that are slices of one series, by headers of two; their files."""
    slices: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder and _may_be_slice(path) and not is_beside(path):
            slices[folder].append(path)
    return {
        folder: inside
        for folder, inside in sorted(slices.items())
        if len(inside) > 1 and _series_uid(raw / inside[0]) == _series_uid(raw / inside[-1]) != ""
    }


def _series_uid(path: Path) -> str:
    """Which series a file belongs to; empty where it is no DICOM file."""
    import pydicom

    try:
        found = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        return str(found.get("SeriesInstanceUID", ""))
    except Exception:  # whatever a file that is none makes the reader do
        return ""


def _some(paths: Sequence[str], most: int) -> Iterator[str]:
    """Up to ``most`` of them, evenly spread."""
    step = max(1, len(paths) / most)
    return (paths[int(i * step)] for i in range(min(most, len(paths))))


def _headers(raw: Path, pictures: Sequence[str], volumes: Sequence[str]) -> Headers:
    found = Headers()
    for path in _some(pictures, HEADERS):
        try:
            _picture_header(raw / path, found)
        except Exception:  # whatever a damaged file makes a reader do
            found.unreadable.append(path)
    for path in _some(volumes, VOLUME_HEADERS):
        try:
            _volume_header(raw / path, found)
        except Exception:
            found.unreadable.append(path)
    return found


def _picture_header(path: Path, found: Headers) -> None:
    if _may_be_slice(path.name):
        import pydicom

        data = pydicom.dcmread(path, stop_before_pixels=True)
        sides = int(data.Rows), int(data.Columns)
        found.sides.append(min(sides))
        found.pixels.append(math.prod(sides) * int(data.get("NumberOfFrames", 1)))
        found.depths[f"{data.BitsStored} bits"] += 1
        found.channels["grey" if data.SamplesPerPixel == 1 else "colour"] += 1
        return
    with Image.open(path) as image:
        found.sides.append(min(image.size))
        found.pixels.append(math.prod(image.size))
        deep = image.mode.startswith(("I", "F"))
        found.depths["more than 8 bits" if deep else "8 bits"] += 1
        grey = deep or image.mode in ("1", "L", "LA", "La")
        found.channels["grey" if grey else "colour"] += 1


def _volume_header(path: Path, found: Headers) -> None:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    width, height, *rest = reader.GetSize()
    found.sides.append(min(width, height))
    found.slices.append(rest[0] if rest else 1)
    found.pixels.append(math.prod(reader.GetSize()))
    found.depths[sitk.GetPixelIDValueAsString(reader.GetPixelID())] += 1


def _doubles(raw: Path, sizes: dict[str, int]) -> list[list[str]]:
    """Files with the same bytes, as far as not too much has to be read to find them."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for path, size in sizes.items():
        by_size[size].append(path)
    alike: dict[str, list[str]] = defaultdict(list)
    left = _MOST_DOUBLES
    for size, paths in sorted(by_size.items()):
        left -= size * len(paths) * (len(paths) > 1)
        if len(paths) < 2 or not size or left < 0:
            continue
        for path in paths:
            try:
                alike[sha256(raw / path)].append(path)
            except OSError:
                continue
    return [paths for paths in alike.values() if len(paths) > 1]
