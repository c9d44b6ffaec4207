"""Formats of image files: each module knows one, and what is in a file is read or refused."""

from __future__ import annotations

DAMAGED = (
    "can't be decoded: damaged, cut short, of an impossible geometry, "
    "or not of the format that its name says"
)


class Refusal(Exception):
    """Why a file is refused, before its name is known."""
