"""Decoding of one picture with Pillow, whatever is in the file.

Pictures become 8 bits deep. More bits (or whole numbers of any size, or fractions) are scaled so
that the picture's own darkest and brightest values become 0 and 255: how bright such an export is
as a whole depends on its program, and says nothing. Transparent parts become black. A picture is
turned upright where its EXIF data says how it was held.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from triage.data.readers import BadFile, Case, Problem

EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
# None of these runs other programs or reads other files.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
MAX_PIXELS = 2**25  # 5792 x 5792, 0.7 GB while it is decoded; a small file can say far more
MAX_BYTES = 2**28
MAX_SCANS = 100  # each goes over all pixels; real files have up to about 20
MIN_SIDE = 16
MAX_ASPECT = 16
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"


def is_picture(path: str) -> bool:
    """Whether a file is a picture by its name."""
    return path.lower().endswith(EXTENSIONS)


def stem(path: str) -> str:
    """The file's name without folder and extension."""
    return PurePosixPath(path).stem


def by_name(paths: Iterable[str]) -> tuple[dict[str, str], list[Problem]]:
    """The pictures among ``paths`` by file name; all but one of the same name are problems."""
    found: dict[str, str] = {}
    problems = []
    for path in sorted(filter(is_picture, paths), key=lambda path: (path.count("/"), path)):
        first = found.setdefault(PurePosixPath(path).name, path)
        if first != path:
            problems.append(Problem(path, "", f"has the same name as {first}"))
    return found, problems


def gather(paths: Sequence[str]) -> tuple[list[Case], list[Problem]]:
    """Each picture among ``paths`` as a case; what is none by its name is a problem."""
    cases = [Case(path, path, "", "", {"image": path}) for path in paths if is_picture(path)]
    others = [path for path in paths if not is_picture(path)]
    return cases, [Problem(path, path, "is no picture by its name") for path in others]


def beside(raw: Path, file: str) -> list[str]:
    """None: a picture is one file."""
    return []


def load(raw: Path, files: Mapping[str, str]) -> NDArray[np.uint8]:
    """The one picture of a case, as of ``read``. Raises BadFile."""
    return read(raw, files["image"])


def read(raw: Path, file: str) -> NDArray[np.uint8]:
    """The picture in ``file`` below ``raw``, [1, channels, height, width].

    One channel of grey or three of red, green, blue, as the file has it. Raises BadFile.
    """
    try:
        return _decode(raw / file)
    except _Refusal as refusal:
        raise BadFile(file, str(refusal)) from refusal
    except OSError as error:
        reason = f"can't be read ({error.strerror})" if error.strerror else _damaged(error)
        raise BadFile(file, reason) from error
    except MemoryError as error:
        raise BadFile(file, "does not fit into memory") from error
    except Image.DecompressionBombError as error:
        raise BadFile(file, f"says it has far more than {MAX_PIXELS} pixels") from error
    except Exception as error:  # whatever a damaged file makes a decoder do
        raise BadFile(file, _damaged(error)) from error


class _Refusal(Exception):
    """Why a file is refused, before its name is known."""


def _damaged(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return f"is none of {', '.join(FORMATS)}, or its beginning is damaged"
    return f"can't be decoded: damaged or cut short ({str(error) or type(error).__name__})"


def _decode(path: Path) -> NDArray[np.uint8]:
    size = path.stat().st_size
    if size == 0:
        raise _Refusal("is empty")
    if size > MAX_BYTES:
        raise _Refusal(f"has {size} bytes, must have at most {MAX_BYTES}")
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_header(image)
            _check_whole(image.format, content)
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _pixels(image)
    if all(plane.min() == plane.max() for plane in pixels):
        raise _Refusal("is constant: all its pixels are the same")
    return pixels[None]


def _check_header(image: Image.Image) -> None:
    """Refuse what is no picture to learn from, before its pixels are unpacked."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _Refusal(f"says it has {width} x {height} pixels, more than {MAX_PIXELS}")
    if min(width, height) < MIN_SIDE:
        raise _Refusal(f"has {width} x {height} pixels, must have at least {MIN_SIDE} a side")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _Refusal(f"has {width} x {height} pixels, too long for its width")
    # The second picture of an MPO file is a camera's preview.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise _Refusal("holds several pictures, must hold one")


def _check_whole(kind: str | None, content: bytes) -> None:
    """Refuse a file without its end, or with wrong checksums, where the format has any."""
    if kind == "PNG":
        if content.rfind(_PNG_END) < 0:
            raise _Refusal("is cut short: it has no end")
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            image.verify()
    if kind in ("JPEG", "MPO"):
        if content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
            raise _Refusal("is cut short: it has no end")
        if content.count(_JPEG_SCAN) > MAX_SCANS:
            raise _Refusal(f"says that it is drawn in more than {MAX_SCANS} passes")


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels, [channels, height, width]."""
    if image.mode in _DEEP:
        return _to_eight_bits(np.asarray(image))[None]
    if image.has_transparency_data:
        image = _on_black(image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[None]
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _to_eight_bits(values: np.ndarray) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())  # NaN if any pixel is
    if not (math.isfinite(low) and math.isfinite(high)):
        raise _Refusal("has pixels that are NaN or infinite")
    scaled = np.zeros(values.shape, np.uint8)
    if high > low:
        for row, target in zip(values, scaled, strict=True):  # row by row, to spare memory
            target[:] = np.rint((row.astype(np.float64) - low) * (255 / (high - low)))
    return scaled


def _on_black(image: Image.Image) -> Image.Image:
    grey = image.mode in ("1", "L", "LA", "La")
    covered = image.convert("RGBA")
    black = Image.new("RGBA", covered.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, covered).convert("L" if grey else "RGB")
