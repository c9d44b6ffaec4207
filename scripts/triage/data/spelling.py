"""One spelling of names and cells that look the same."""

from __future__ import annotations

import re
from unicodedata import normalize

_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def spelt(text: str) -> str:
    """A text in Unicode's composed form, with plain spaces and without what takes no place."""
    if text.isascii():
        return text
    return normalize("NFC", _UNSEEN.sub("", _SPACES.sub(" ", text)))
