"""What runs are called: by their fold and seed, or "all" where an ensemble is over them."""

from __future__ import annotations

import re
from typing import Literal

ALL: Literal["all"] = "all"
Place = int | Literal["all"]  # a fold or a seed

_NAME = re.compile(r"fold(\d+|all)-seed(\d+|all)")


def run_name(fold: Place, seed: Place) -> str:
    """The name of a run, as its files and folders have it."""
    return f"fold{fold}-seed{seed}"


def places(name: str) -> tuple[Place, Place] | None:
    """The fold and the seed of a run by its name; None where it is no such name."""
    found = _NAME.fullmatch(name)
    return (place(found[1]), place(found[2])) if found else None


def place(text: str | int) -> Place:
    """A fold or a seed, as a name has it."""
    return ALL if text == ALL else int(text)
