"""The structure of a PNG file, and the pixels of one of 16 bits, by libpng."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from triage.data.formats import Refusal
from triage.data.formats.samples import Samples

_BEGIN = b"\x89PNG\r\n\x1a\n"
_END = b"IEND\xaeB`\x82"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")


def is_deep(content: bytes) -> bool:
    """Whether a file is a PNG of 16 bits."""
    return content.startswith(_BEGIN) and content[24:25] == b"\x10"


def check_whole(content: bytes) -> None:
    """Refuse a file without its end, or with a chunk whose checksum is wrong."""
    if content.find(_END) < 0:
        raise Refusal("is cut short: it has no end")
    for kind, chunk in _chunks(content):
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:]):
            raise Refusal(f"is damaged: the checksum of its part {kind.decode('latin-1')} is wrong")


def without_texts(content: bytes) -> bytes:
    """The file without texts and colour profile, which may be larger than Pillow allows."""
    kept = (chunk for kind, chunk in _chunks(content) if kind not in _TEXTS)
    return _BEGIN + b"".join(kept)


def read_deep(content: bytes, orientation: int) -> Samples:
    """The pixels of a PNG of 16 bits, whatever its colours and transparency."""
    import imagecodecs  # few files need it, and it takes its time

    return Samples.with_alpha(imagecodecs.png_decode(content), orientation)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk up to the end, with its length and its checksum."""
    at = len(_BEGIN)
    while at + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at : at + length + 12]
        at += length + 12
        if kind == b"IEND":
            return
