"""What the pictures read of a study's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExploreSettings:
    """``cases``: how many cases of a class are shown; ``seed`` draws them.

    ``classes`` are in their order.
    """

    classes: tuple[str, ...]
    cases: int
    seed: int


@dataclass(frozen=True)
class FigureSettings:
    """``cases``: how many mistakes of a kind are shown.

    ``confidence``, ``replicates`` and ``seed`` are those of the evaluation's bootstrap, ``bins``
    those of its reliability curve.
    """

    classes: tuple[str, ...]
    multilabel: bool
    cases: int
    confidence: float
    replicates: int
    seed: int
    bins: int


@dataclass(frozen=True)
class ExplainSettings:
    """As ExploreSettings, for the pictures that need a network."""

    classes: tuple[str, ...]
    cases: int
    seed: int
