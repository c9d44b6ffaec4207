"""TIFFs of more than 8 bits, of signed numbers or of fractions, by tifffile."""

from __future__ import annotations

import io
import logging
import math

import numpy as np
from tifffile import PHOTOMETRIC, TiffFile, TiffPage

from triage.data.formats import Refusal
from triage.data.formats.samples import SEVERAL, Samples, check_single, check_size

logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)

_ORIENTATION = 274
_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS, _ZSTD = 1, 5, 8, 32946, 32773, 50000
_COMPRESSIONS = (_PLAIN, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS, _ZSTD)
_ALPHA = (1, 2)  # kinds of extra samples: associated and unassociated


def read(content: bytes) -> Samples:
    """The one picture of a TIFF, as its photometric tags have it. Raises Refusal."""
    with TiffFile(io.BytesIO(content)) as file:
        page = file.pages[0]
        assert isinstance(page, TiffPage)
        if len(file.pages) > 1:
            raise Refusal(SEVERAL)
        check_size(page.imagewidth, page.imagelength)
        check_single(page.description, math.prod(page.shape))
        _check(page, content)
        values = page.asarray()
    if page.planarconfig == 2 and values.ndim == 3:
        values = values.transpose(1, 2, 0)
    colours, alpha = _channels(page)
    values = values.reshape(page.imagelength, page.imagewidth, -1)
    tag = page.tags.get(_ORIENTATION)
    opacity = None
    if alpha is not None:
        opacity = _opacity(values[..., alpha])
        if page.extrasamples[alpha - colours] == 1:  # the values are multiplied already
            opacity = np.where(opacity > 0, 1.0, 0.0)
    return Samples(
        values[..., :colours],
        inverted=page.photometric == PHOTOMETRIC.MINISWHITE,
        opacity=opacity,
        bounds=(0, 2**page.bitspersample - 1) if _is_plain(page) else None,
        orientation=int(tag.value) if tag else 1,
    )


def _is_plain(page: TiffPage) -> bool:
    """Whether its samples are those of any picture: unsigned, of up to 8 bits."""
    return page.dtype == np.uint8 and int(page.bitspersample) <= 8


def _opacity(alpha: np.ndarray) -> np.ndarray:
    if alpha.dtype.kind != "u":
        raise Refusal("is a TIFF whose transparency is no unsigned number")
    return alpha / np.iinfo(alpha.dtype).max


def _channels(page: TiffPage) -> tuple[int, int | None]:
    """How many colours a pixel has, and which of its samples is alpha."""
    colours = 3 if page.photometric == PHOTOMETRIC.RGB else 1
    extra = [int(kind) for kind in page.extrasamples]
    if page.samplesperpixel != colours + len(extra):
        raise Refusal(f"is a TIFF of {page.samplesperpixel} samples a pixel")
    alphas = [colours + i for i, kind in enumerate(extra) if kind in _ALPHA]
    if len(alphas) != len(extra) or len(extra) > 1:
        raise Refusal(f"is a TIFF of {page.samplesperpixel} samples a pixel")
    return colours, alphas[0] if alphas else None


def _check(page: TiffPage, content: bytes) -> None:
    kinds = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB)
    bits = page.bitspersample
    if page.photometric not in kinds or page.dtype is None or page.dtype.kind not in "iuf":
        name = getattr(page.photometric, "name", page.photometric)
        kind = getattr(page.sampleformat, "name", page.sampleformat)
        raise Refusal(f"is a TIFF of {name} with {bits} bits of {kind}, which is not supported")
    if page.compression not in _COMPRESSIONS:
        raise Refusal("is a TIFF that is compressed in a rare way: save it by LZW or Deflate")
    if page.imagedepth > 1:
        raise Refusal("is a TIFF of several planes, must be a picture")
    if not page.dataoffsets or len(page.dataoffsets) != len(page.databytecounts):
        raise Refusal("is a TIFF without pixels")
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if not (offset and count and offset + count <= len(content)):
            raise Refusal("is cut short: parts of its pixels are not in it")
