"""What the pictures read of a study's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from triage.task import Task


@dataclass(frozen=True)
class ExploreSettings:
    """``cases``: how many cases of a class are shown; ``seed`` draws them.

    ``classes`` are in their order. ``pseudonyms``: cases are not called by their names.
    """

    classes: tuple[str, ...]
    cases: int
    seed: int
    pseudonyms: bool


Point = dict[str, float]  # what a point of a search tries, by setting


@dataclass(frozen=True)
class Balancing:
    """What an arm does to the numbers of its training cases."""

    method: Literal["none", "oversample", "hard_examples"]
    exclude_votes: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class Compared:
    """How arms belong together.

    ``chain``: each adds one thing to the last. ``searches``: the arms of each search with what they
    try. ``balancing``: of the arms that balance or leave cases out.
    """

    chain: tuple[str, ...]
    searches: dict[str, dict[str, Point]]
    balancing: dict[str, Balancing]


@dataclass(frozen=True)
class FigureSettings:
    """``cases``: how many mistakes of a kind are shown.

    ``confidence``, ``replicates`` and ``seed`` are those of the evaluation's bootstrap, ``bins``
    those of its reliability curve. ``selection`` says of an arm by what an epoch is kept;
    ``compared`` is for the pictures that need it.
    """

    classes: tuple[str, ...]
    task: Task
    cases: int
    confidence: float
    replicates: int
    seed: int
    bins: int
    pseudonyms: bool
    compared: Compared | None
    selection: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExplainSettings:
    """As ExploreSettings, for the pictures that need a network.

    ``members``: of each run of an ensemble, the runs whose mean it is, as ``<arm>/<run>``.
    """

    classes: tuple[str, ...]
    cases: int
    seed: int
    pseudonyms: bool
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)
