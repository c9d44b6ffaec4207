"""The structure of a JPEG file: whether it has its end, and how often it goes over its pixels."""

from __future__ import annotations

import re

from triage.data.formats import Refusal

MAX_SCANS = 100  # each goes over all pixels; real files have up to about 20
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd8\x01])")  # and no part of packed pixels
_END, _SCAN = 0xD9, 0xDA


def check_whole(content: bytes) -> None:
    """Refuse a file without its end or of endless passes; what follows its end does not count."""
    scans = content.count(b"\xff\xda")
    if scans > MAX_SCANS or content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
        _check_markers(content)  # or other data follows that looks like this


def _check_markers(content: bytes) -> None:
    at, scans = 2, 0
    while found := _MARKER.search(content, at):
        kind, at = found[1][0], found.end()
        if kind == _END:
            return
        if kind == _SCAN:
            scans += 1
            if scans > MAX_SCANS:
                raise Refusal(f"says that it is drawn in more than {MAX_SCANS} passes")
        at += max(2, int.from_bytes(content[at : at + 2]))
    raise Refusal("is cut short: it has no end")
