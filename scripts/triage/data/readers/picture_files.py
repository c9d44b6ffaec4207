"""Decoding of one picture, whatever is in the file: with Pillow, or by its format.

Pictures become 8 bits deep and upright, as ``formats.samples`` has it.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from posixpath import basename, splitext

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from triage.data.counts import is_beside
from triage.data.formats import Refusal, jpeg, png
from triage.data.formats.samples import (
    CONSTANT,
    MAX_PIXELS,
    MIN_SIDE,
    SEVERAL,
    TRANSPARENT,
    Samples,
    check_single,
    check_size,
)
from triage.data.readers import USUAL, BadFile, Case, Found, Loading, Problem

__all__ = ["EXTENSIONS", "MAX_PIXELS", "MIN_SIDE", "gather", "is_picture", "load"]

EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".dcm", ".dicom",
)  # fmt: skip
# None of these runs other programs or reads other files.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
MAX_BYTES = 2**28
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# How files of other formats begin, and where, so that they are called by their name.
_OTHERS = {
    "HEIC or AVIF": (4, (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif")),
    "JPEG 2000": (0, (b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")),
    "JPEG XL": (0, (b"\0\0\0\x0cJXL", b"\xff\x0a")),
    "a Photoshop document": (0, (b"8BPS",)),
    "PostScript": (0, (b"%!PS",)),
    "a PDF": (0, (b"%PDF",)),
    "a page of the web, or SVG": (0, (b"<",)),
    "a pointer to large storage": (0, (b"version https://git-lfs",)),
    "an archive": (0, (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf")),
}
_KNOWN = {"PNG": (b"\x89PNG",), "JPEG": (b"\xff\xd8",), "TIFF": _TIFF, "BMP": (b"BM",),
          "GIF": (b"GIF8",), "WEBP": (b"RIFF",)}  # fmt: skip


def is_picture(path: str) -> bool:
    """Whether a file is a picture by its name."""
    return path.lower().endswith(EXTENSIONS)


def stem(path: str) -> str:
    """The file's name without folder and extension."""
    return splitext(basename(path))[0]


def gather(paths: Sequence[str], how: Loading = USUAL) -> Found:
    """Each picture among ``paths`` as a case; what is none by its name is a problem."""
    paths = [path for path in paths if not is_beside(path)]
    cases = [Case(path, path, "", "", {"image": path}) for path in paths if is_picture(path)]
    others = [path for path in paths if not is_picture(path)]
    return cases, [Problem(path, path, "is no picture by its name") for path in others]


def beside(raw: Path, file: str) -> list[str]:
    """None: a picture is one file."""
    return []


def load(raw: Path, files: Mapping[str, str], how: Loading = USUAL) -> NDArray[np.uint8]:
    """The one picture of a case, as of ``read``. Raises BadFile."""
    return read(raw, files["image"], how)


def read(raw: Path, file: str, how: Loading = USUAL) -> NDArray[np.uint8]:
    """The picture in ``file`` below ``raw``, [1, channels, height, width].

    One channel of grey or three of red, green, blue, as the file has it. Raises BadFile.
    """
    try:
        return _decode(raw / file, how)
    except Refusal as refusal:
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


def _damaged(error: Exception) -> str:
    return f"can't be decoded: damaged or cut short ({str(error) or type(error).__name__})"


def _decode(path: Path, how: Loading) -> NDArray[np.uint8]:
    size = path.stat().st_size
    if size == 0:
        raise Refusal("is empty")
    if size > MAX_BYTES:
        raise Refusal(f"has {size} bytes, must have at most {MAX_BYTES}")
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = _dicom(content, how) if content[128:132] == b"DICM" else _picture(content)
    if all(plane.min() == plane.max() for plane in pixels):
        raise Refusal(CONSTANT)
    return pixels[None]


def _dicom(content: bytes, how: Loading) -> NDArray[np.uint8]:
    from triage.data.formats import dicom_picture  # what it needs takes a second to import

    return dicom_picture.read(content, how.window).pixels()


def _picture(content: bytes) -> NDArray[np.uint8]:
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.UnidentifiedImageError as error:
        if content.startswith(_TIFF):  # of a kind that Pillow does not know
            return _tiff(content)
        raise Refusal(_not_of_these(content)) from error
    except ValueError:
        if not content.startswith(_KNOWN["PNG"]):
            raise
        content = png.without_texts(content)
        image = Image.open(io.BytesIO(content), formats=("PNG",))
    with image:
        check_size(*image.size)
        # The second picture of an MPO file is a camera's preview.
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise Refusal(SEVERAL)
        if image.format in ("JPEG", "MPO"):
            jpeg.check_whole(content)
        if image.format == "PNG":
            png.check_whole(content)
            if png.is_deep(content):
                orientation = image.getexif().get(_ORIENTATION, 1)
                return png.read_deep(content, orientation).pixels()
        if image.format == "TIFF":
            if not _is_plain(image):
                return _tiff(content)
            tags = image.tag_v2  # type: ignore[attr-defined]
            values = math.prod(image.size) * tags.get(_SAMPLES, 1)
            check_single(str(tags.get(_TEXT, "")), values)
        ImageOps.exif_transpose(image, in_place=True)
        return _eight_bits(image)


_ORIENTATION, _BITS, _SAMPLE_FORMAT, _SAMPLES, _EXTRA, _TEXT = 274, 258, 339, 277, 338, 270


def _is_plain(image: Image.Image) -> bool:
    """Whether a TIFF has unsigned samples of up to 8 bits, all of which have a meaning."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    if tags.get(_SAMPLES, 1) > 1 and 0 in tags.get(_EXTRA, ()):
        return False
    kinds = tags.get(_SAMPLE_FORMAT, (1,))
    return max(tags.get(_BITS, (1,))) <= 8 and set(kinds) == {1}


def _tiff(content: bytes) -> NDArray[np.uint8]:
    from triage.data.formats import tiff  # few files need it, and it takes its time

    return tiff.read(content).pixels()


def _not_of_these(content: bytes) -> str:
    for name, begins in _KNOWN.items():
        if content.startswith(begins):
            return f"is {name} by its first bytes, but what follows is damaged or of a rare kind"
    wanted = f"none of {', '.join((*FORMATS, 'DICOM'))}"
    for name, (at, begins) in _OTHERS.items():
        if content.startswith(begins, at):
            return f"is {name}, {wanted}"
    return f"is {wanted}"


def _eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a picture of up to 8 bits, [channels, height, width]."""
    if image.mode in ("I", "F", "I;16"):
        return Samples(np.asarray(image)[..., None]).pixels()
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = _on_black(image)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))[None]
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


def _on_black(image: Image.Image) -> Image.Image:
    grey = image.mode in ("1", "L", "LA", "La")
    covered = image.convert("RGBA")
    black = Image.new("RGBA", covered.size, (0, 0, 0, 255))
    found = Image.alpha_composite(black, covered).convert("L" if grey else "RGB")
    if not np.asarray(found).any():
        opacity = np.asarray(covered.getchannel("A"))
        if not opacity.any():
            raise Refusal(TRANSPARENT)
        if opacity.min() < 255:
            raise Refusal("is black all over once its transparent parts are black")
    return found
