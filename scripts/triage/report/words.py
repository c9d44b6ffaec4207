"""Small words that several parts of the report share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triage.runs import places

NAMED = 3  # of more names than this only the number is told


@dataclass(frozen=True)
class Told:
    """What a study's settings say of it.

    ``limits`` are not to be concluded from it; ``statements`` are about its data.
    """

    title: str
    question: str
    limits: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


def listed(names: Sequence[str]) -> str:
    """Names as a list: "a, b and c"; empty where there are none."""
    if not names:
        return ""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def counted(number: int, word: str) -> str:
    """A number of things, each called by a ``word``: "1 case", "2 cases"."""
    return f"{number} {word}" + "s" * (number != 1)


def few(names: Sequence[str], total: int) -> str:
    """Some of the ``total`` classes: by name, or by number where there are many."""
    return listed(names) if len(names) <= NAMED else f"{len(names)} of {total} classes"


def flipped(metrics: Mapping[str, Any]) -> str:
    """Which networks of a run see images in reflections as well; empty where none does."""
    flips: Mapping[str, Sequence[str]] = metrics.get("flips", {})
    return "; ".join(
        f"{arm} also sees images flipped ({listed(each)})" for arm, each in flips.items()
    )


def folds_of(metrics: Mapping[str, Any]) -> int:
    """How many folds an ensemble is over; 0 where it is over none."""
    names = [places(name.rpartition("/")[2]) for name in metrics.get("members", ())]
    folds = {found[0] for found in names if found}
    return len(folds) if len(folds) > 1 else 0


def over(metrics: Mapping[str, Any]) -> str:
    """What an ensemble over folds or seeds is, and how it is validated; empty for other runs."""
    members, folds = metrics.get("members", ()), folds_of(metrics)
    if not members:
        return ""
    words = f"one predictor of {len(members)} networks"
    if not folds:
        return words
    return f"{words}; on validation, of all {folds} folds, those score a case that did not learn it"


def agreed(sentences: Mapping[str, str]) -> str:
    """Sentences about several arms: what holds for all is said once, what differs by arm."""
    arms: dict[str, list[str]] = {}
    for arm, sentence in sentences.items():
        arms.setdefault(sentence, []).append(arm)
    if len(arms) == 1:
        return next(iter(arms))
    return " ".join(
        f"{listed(those)}: {sentence[0].lower()}{sentence[1:]}" for sentence, those in arms.items()
    )
