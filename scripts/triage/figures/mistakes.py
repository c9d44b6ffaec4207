"""The cases that an arm gets most surely wrong, with their images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from triage.data.store import Images
from triage.figures import style, tiles
from triage.figures.panels import Panel
from triage.figures.stacks import most_slices, stack

WIDE = 14  # slices of a volume that are shown


@dataclass(frozen=True)
class Mistake:
    """A case on the wrong side of the operating point, by how much, and what it was taken for."""

    case: str
    probability: float
    margin: float
    words: str


def surest(panels: Sequence[Panel], truth: int, count: int) -> list[Mistake]:
    """Up to ``count`` cases of label ``truth`` called the other, the surest first."""
    found = []
    for panel in panels:
        sample, threshold = panel.arm.mean, panel.arm.threshold(panel.index)
        probability = sample.probabilities[:, panel.index]
        called = probability > threshold
        wrong = (sample.labels[:, panel.index] == truth) & (called != bool(truth))
        words = f"{panel.names[truth]} called {panel.names[1 - truth]}"
        if len(panels) > 1:
            words = f"{panel.title}: {words}"
        found += [
            Mistake(str(case), float(p), abs(float(p) - threshold), words)
            for case, p in zip(sample.cases[wrong], probability[wrong], strict=True)
        ]
    return sorted(found, key=lambda mistake: (-mistake.margin, mistake.case))[:count]


def mistakes(panels: Sequence[Panel], images: Images, count: int, slices: pd.DataFrame) -> Figure:
    """The surest mistakes of the panels, which are of one arm: first those that miss the label.

    Of volumes a row of slices is shown, with their own probabilities from ``slices`` [cases, slice
    numbers] where it has them.
    """
    kinds = [found for truth in (1, 0) if (found := surest(panels, truth, count))]
    if not kinds:
        return style.notice(f"{style.title(panels[0].arm.name)} makes no mistake on these cases")
    if most_slices(images) > 1:
        return _volumes([each for kind in kinds for each in kind], images, slices)
    return _pictures(kinds, images, count)


def _pictures(kinds: Sequence[Sequence[Mistake]], images: Images, count: int) -> Figure:
    """A row a kind of mistake."""
    rows: list[list[tiles.Image | None]] = []
    for kind in kinds:
        faces = [tiles.faces(stack(images, each.case), 200)[0] for each in kind]
        rows.append([*faces, *[None] * (count - len(faces))])
    shown = tiles.sheet(rows)
    figure = tiles.figure(shown, [_broken(kind[0].words) for kind in kinds])
    for row, kind in enumerate(kinds):
        words = [f"{each.case}\np = {each.probability:.2f}" for each in kind]
        tiles.write_names(figure, shown, row, words)
    return figure


def _volumes(found: Sequence[Mistake], images: Images, slices: pd.DataFrame) -> Figure:
    """A row a case: slices of the last channel from bottom to top."""
    rows: list[list[tiles.Image | None]] = []
    notes = []
    for each in found:
        windowed = tiles.window(stack(images, each.case)[:, -1])
        own = _probabilities(each.case, slices)
        numbers = _spread(list(own) or list(range(len(windowed))))
        rows.append([tiles.shrink(windowed[number], 128) for number in numbers])
        notes.append([f"{own[number]:.2f}" if number in own else "" for number in numbers])
    names = [f"{each.case}, p = {each.probability:.2f}\n{_broken(each.words)}" for each in found]
    shown = tiles.sheet(rows)
    figure = tiles.figure(shown, names, size=7)
    for row, words in enumerate(notes):
        tiles.write_names(figure, shown, row, words, size=5.5)
    return figure


def _probabilities(case: str, slices: pd.DataFrame) -> dict[int, float]:
    if case not in slices.index:
        return {}
    return dict(zip(map(int, slices.columns), slices.loc[case].to_numpy(float), strict=True))


def _spread(numbers: list[int]) -> list[int]:
    """At most WIDE of ``numbers``, evenly spread."""
    if len(numbers) <= WIDE:
        return numbers
    chosen = np.linspace(0, len(numbers) - 1, WIDE).round().astype(int)
    return [numbers[i] for i in chosen]


def _broken(words: str) -> str:
    return words.replace(" called ", "\ncalled ").replace(": ", ":\n")
