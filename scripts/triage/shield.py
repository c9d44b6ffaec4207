"""Text from data that another program would act on: a spreadsheet on formulas, a terminal on
control characters."""

from __future__ import annotations

import re

# What a spreadsheet begins a formula with, also in full width; tabs and line ends are skipped.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
BEGINNINGS = frozenset("'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")

# Control characters but for line ends and tabs, and those that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def is_formula(cell: object) -> bool:
    """Whether a spreadsheet would calculate, or look elsewhere, instead of showing the text."""
    return (
        isinstance(cell, str)
        and _FORMULA.match(cell) is not None
        and _NUMBER.fullmatch(cell) is None
    )


def shielded(cell: str) -> str:
    """``cell`` with an apostrophe before it where it is a formula: a spreadsheet shows the text."""
    return f"'{cell}" if cell[:1] in BEGINNINGS and is_formula(cell) else cell


def unshielded(cell: str) -> str:
    """The inverse of ``shielded``."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def printable(text: str) -> str:
    """``text`` with control characters spelt out, so that a terminal shows them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
