"""Unpacking of what zlib or gzip packed, to no more than is expected."""

from __future__ import annotations

from typing import BinaryIO

from isal import isal_zlib

from triage.data.formats import Refusal

_CHUNK = 1 << 20
GZIP = b"\x1f\x8b"


def inflate(stream: BinaryIO, packed: int, limit: int, beyond: int = 0) -> bytes:
    """What is packed from where ``stream`` stands; its end and its checksum are checked.

    ``packed``: its length in bytes; 0 where it goes to its own end, behind which anything may
    stand. Raises Refusal where it unpacks to more than ``limit`` + ``beyond`` bytes.
    """
    room = limit + beyond + 1  # one byte more than there may be
    left = packed or room + _CHUNK
    parts: list[bytes] = []
    source = b""
    while True:
        inflater = isal_zlib.decompressobj(wbits=47)  # zlib's or gzip's header, found by itself
        while not inflater.eof:
            if not source:
                source = stream.read(max(0, min(left, room + _CHUNK)))
                left -= len(source)
            if not source:
                raise Refusal("is cut short: its compressed voxels have no end")
            parts.append(inflater.decompress(source, room))
            source = inflater.unconsumed_tail
            room -= len(parts[-1])
            if not room:
                raise Refusal(f"holds more than the {limit} bytes of voxels that its header says")
        source = inflater.unused_data
        if len(source) < 2:
            source += stream.read(max(0, min(left, _CHUNK)))
        if not source.startswith(GZIP):  # of several members, as bgzip writes them
            return parts[0] if len(parts) == 1 else b"".join(parts)
