"""Which picture of a study's results each name stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from triage import pseudonyms
from triage.data.image_store import Images
from triage.errors import UserError
from triage.evaluation.arms import Arm
from triage.figures import arms as related
from triage.figures import curves, decisions, mistakes, scores, slices, style, subsets
from triage.figures.panels import panels
from triage.figures.runs import Results
from triage.figures.settings import FigureSettings
from triage.task import Task

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
    "votes",
    "findings",
    "balancing",
    "search",
    "chain",
)

WITH_INTERVALS = ("roc", "precision_recall", "chain")  # of arms
OF_TRAINING = ("curves", "balancing", "search")  # no pictures of the part that arms are compared on


@dataclass(frozen=True)
class Sources:
    """All that the pictures are drawn from; ``parts``: lists of the cases of each fold's parts."""

    results: Results | None
    histories: Sequence[Path]
    slices: Sequence[Path]
    images: Images
    parts: Sequence[Path]
    settings: FigureSettings


def draw(sources: Sources, targets: Iterable[Path]) -> Iterator[tuple[Path, Figure]]:
    """Each of the pictures that the names of ``targets`` ask for."""
    targets = list(targets)
    for target in targets:
        if target.stem not in NAMES:
            raise UserError("no such picture", where=target, remedy=f"one of {', '.join(NAMES)}")
    known: dict[str, Arm] = {}
    if sources.results and any(target.stem in WITH_INTERVALS for target in targets):
        known = related.measured(sources.results, sources.settings)
    for target in targets:
        figure = _picture(target.stem, sources, known)
        if sources.results and (words := _remarks(target.stem, sources.results)):
            style.remark(figure, "\n".join(words))
        yield target, figure


def _remarks(name: str, results: Results) -> list[str]:
    """What has to be said of a picture as a whole."""
    words = []
    if results.left_out:
        words.append(style.left_out(results.left_out))
    if results.partition == "val" and name not in OF_TRAINING:
        words.append(style.ON_VALIDATION)
    return words


def _picture(name: str, sources: Sources, known: Mapping[str, Arm]) -> Figure:
    results, settings = sources.results, sources.settings
    if name == "curves":
        kept = {arm.name for arm in results.arms} if results and results.left_out else None
        return curves.curves(sources.histories, kept, settings.selection)
    compared = settings.compared
    if name == "balancing" and compared:
        return subsets.balancing(compared.balancing, sources.parts, settings.classes)
    if results is None:
        return style.notice("no case has a known label")
    if name == "search" and compared:
        return related.search(compared.searches, results, sources.histories)
    if name == "chain" and compared:
        return related.chain(compared.chain, known, results.partition)
    shown, chosen = panels(results, settings, known), results.winner
    if name == "roc":
        return scores.roc(shown, chosen, settings)
    if name == "precision_recall":
        return scores.precision_recall(shown, chosen, settings)
    if name == "reliability":
        return scores.reliability(shown, settings)
    if name == "scores":
        return scores.distributions(shown)
    if name == "confusion":
        if settings.task is Task.MULTICLASS:
            return decisions.confusion_of_classes(results, settings.classes)
        return decisions.confusion(shown)
    if name == "seeds":
        return decisions.seeds(results)
    seen = slices.read_slices(sources.slices, chosen.name)
    if name == "slices":
        return slices.probabilities(chosen, seen, settings)
    own = [panel for panel in shown if panel.arm is chosen]
    if name == "votes":
        return subsets.votes(own[0], sources.parts, settings)
    if name == "findings":
        return subsets.findings(own, settings)
    return mistakes.mistakes(
        own,
        sources.images,
        settings.cases,
        seen,
        lambda case: pseudonyms.shown(case, settings.pseudonyms),
        exclusive=settings.task is Task.MULTICLASS,
    )
