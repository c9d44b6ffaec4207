"""The cases that an arm gets most surely wrong, with their images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from triage.data.image_store import Images
from triage.figures import style, tiles
from triage.figures.panels import Panel
from triage.figures.slices import Slices

WIDE = 14  # slices of a volume that are shown
PAIRS = 6  # of classes that exclude each other


@dataclass(frozen=True)
class Mistake:
    """A case on the wrong side of the thresholds of a panel's class, and by how much."""

    case: str
    probability: float
    margin: float
    panel: Panel


Kinds = dict[str, list[Mistake]]  # by what a case was called


def surest(panels: Sequence[Panel], truth: int, count: int) -> list[Mistake]:
    """Up to ``count`` cases of label ``truth`` called the other, the surest first."""
    found = []
    for panel in panels:
        sample, index = panel.arm.mean, panel.index
        wrong = panel.arm.wrong(index) & (sample.labels[:, index] == truth)
        probabilities, margins = sample.probabilities[wrong, index], panel.arm.margins(index)[wrong]
        found += [
            Mistake(str(case), float(probability), abs(float(margin)), panel)
            for case, probability, margin in zip(
                sample.cases[wrong], probabilities, margins, strict=True
            )
        ]
    return sorted(found, key=lambda mistake: (-mistake.margin, mistake.case))[:count]


def mistakes(
    panels: Sequence[Panel],
    images: Images,
    count: int,
    slices: Slices,
    shown: Callable[[str], str],
    exclusive: bool = False,
) -> Figure:
    """The surest mistakes of the panels, which are of one arm: first those that miss the label.

    Of volumes a row of slices is shown, with their own probabilities from ``slices`` [cases, slice
    numbers] by class where it has them. ``shown``: what a case is called. Of ``exclusive`` classes
    the commonest pairs of true and called class are shown.
    """
    kinds = _by_pair(panels, count) if exclusive else {}
    for truth in () if exclusive else (1, 0):
        names = panels[0].names
        if found := surest(panels, truth, count):
            kinds[f"{names[truth]}\ncalled {names[1 - truth]}"] = found
    if not kinds:
        return style.notice(f"{panels[0].arm.name} makes no mistake on these cases")
    if images.most_slices > 1:
        return _volumes(kinds, images, slices, shown)
    return _pictures(kinds, images, shown)


def _by_pair(panels: Sequence[Panel], count: int) -> Kinds:
    """The surest mistakes by true and called class, of the pairs that are commonest."""
    arm, titles = panels[0].arm, [panel.title for panel in panels]
    sample = arm.mean
    margins = np.stack([arm.margins(panel.index) for panel in panels], axis=1)
    columns = [panel.index for panel in panels]
    true, called = sample.labels[:, columns].argmax(axis=1), margins.argmax(axis=1)
    pairs: dict[tuple[int, int], list[Mistake]] = {}
    for case in np.flatnonzero(true != called):
        own = panels[called[case]]
        probability = float(sample.probabilities[case, own.index])
        margin = float(margins[case, called[case]])
        found = pairs.setdefault((int(true[case]), int(called[case])), [])
        found.append(Mistake(str(sample.cases[case]), probability, margin, own))
    common = sorted(pairs, key=lambda pair: (-len(pairs[pair]), pair))[:PAIRS]
    return {
        f"{titles[truth]}\ncalled {titles[decided]}": sorted(
            pairs[truth, decided], key=lambda each: (-each.margin, each.case)
        )[:count]
        for truth, decided in common
    }


def _pictures(kinds: Kinds, images: Images, shown: Callable[[str], str]) -> Figure:
    """A row a kind of mistake."""
    rows: list[list[tiles.Image | None]] = []
    for kind in kinds.values():
        faces = [tiles.faces(images.stack(each.case), 200)[0] for each in kind]
        rows.append(list(faces))
    captions = {
        row: [f"{shown(each.case)}\n{_said(each)}" for each in kind]
        for row, kind in enumerate(kinds.values())
    }
    return tiles.figure(tiles.sheet(rows, captions), list(kinds))


def _volumes(kinds: Kinds, images: Images, slices: Slices, shown: Callable[[str], str]) -> Figure:
    """A row a case: slices of the last channel from bottom to top."""
    rows: list[list[tiles.Image | None]] = []
    notes, names = [], []
    for words, each in ((words, each) for words, kind in kinds.items() for each in kind):
        windowed = tiles.window(images.stack(each.case)[:, -1])
        own = _probabilities(each, slices)
        numbers = _spread(list(own) or list(range(len(windowed))))
        rows.append([tiles.shrink(windowed[number], 128) for number in numbers])
        names.append(f"{shown(each.case)}, {_said(each)}\n{words}")
        notes.append([f"{own[number]:.2f}" if number in own else "" for number in numbers])
    return tiles.figure(tiles.sheet(rows, dict(enumerate(notes))), names, size=7)


def _probabilities(mistake: Mistake, slices: Slices) -> dict[int, float]:
    """The probability of each slice for the class that the mistake is about."""
    table = slices.of(mistake.panel.arm.mean.classes[mistake.panel.index])
    if mistake.case not in table.index:
        return {}
    values = table.loc[mistake.case].to_numpy(float)
    return dict(zip(map(int, table.columns), values, strict=True))


def _spread(numbers: list[int]) -> list[int]:
    """At most WIDE of ``numbers``, evenly spread."""
    if len(numbers) <= WIDE:
        return numbers
    chosen = np.linspace(0, len(numbers) - 1, WIDE).round().astype(int)
    return [numbers[i] for i in chosen]


def _said(mistake: Mistake) -> str:
    """The probability that was predicted, and of what where a case has several labels."""
    several = len(mistake.panel.arm.mean.classes) > 1
    return f"p{f'({mistake.panel.title})' * several} = {mistake.probability:.2f}"
