"""Which picture of a study's results each name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from triage.data.store import Images
from triage.errors import UserError
from triage.figures import curves, decisions, scores, slices, style
from triage.figures.runs import Results
from triage.figures.scores import Panel
from triage.figures.settings import FigureSettings

NAMES = (
    "curves",
    "roc",
    "precision_recall",
    "reliability",
    "scores",
    "confusion",
    "seeds",
    "mistakes",
    "slices",
)


@dataclass(frozen=True)
class Sources:
    """All that the pictures are drawn from."""

    results: Results | None
    histories: Sequence[Path]
    slices: Sequence[Path]
    images: Images
    settings: FigureSettings


def draw(sources: Sources, targets: Iterable[Path]) -> Iterator[tuple[Path, Figure]]:
    """Each of the pictures that the names of ``targets`` ask for."""
    for target in targets:
        if target.stem not in NAMES:
            raise UserError("no such picture", where=target, remedy=f"one of {', '.join(NAMES)}")
        yield target, _picture(target.stem, sources)


def _picture(name: str, sources: Sources) -> Figure:
    results, settings = sources.results, sources.settings
    if name == "curves":
        return curves.curves(sources.histories)
    if results is None:
        return style.notice("no case has a known label")
    front = panels(results, settings)
    if name == "roc":
        return scores.roc(results.arms, front, settings)
    if name == "precision_recall":
        return scores.precision_recall(results.arms, front, settings)
    if name == "reliability":
        return scores.reliability(front, settings)
    if name == "scores":
        return scores.distributions(front, settings)
    if name == "confusion":
        return decisions.confusion(front, settings)
    if name == "seeds":
        return decisions.seeds(results)
    chosen = next(panel for panel in front if panel[0] is results.winner)
    if name == "mistakes":
        return decisions.mistakes(chosen, sources.images, settings)
    return slices.probabilities(results, sources.slices, settings)


def panels(results: Results, settings: FigureSettings) -> list[Panel]:
    """What is compared side by side: the arms, or the classes of the chosen arm."""
    if settings.multilabel:
        classes = results.winner.mean.classes
        return [(results.winner, index, name) for index, name in enumerate(classes)]
    return [(arm, 0, style.title(arm.name)) for arm in results.arms]
