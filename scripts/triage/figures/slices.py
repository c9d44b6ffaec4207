"""The probabilities of single slices: where in a volume a model sees something."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triage import pseudonyms
from triage.figures import style
from triage.figures.runs import Arm
from triage.figures.settings import FigureSettings
from triage.files import read_table

COLUMNS = ["case", "index", "class", "probability"]
NONE = pd.DataFrame(columns=COLUMNS)
LOOK: style.Look = {"cmap": "cividis", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
NAMED = 25  # more patients than this can't be named beside their rows
NAME = 6  # points: the size of their names


@dataclass(frozen=True)
class Slices:
    """The mean probabilities over an arm's runs, by class: [cases, slice numbers].

    NaN where a slice is not seen.
    """

    arm: str
    tables: Mapping[str, pd.DataFrame]

    def of(self, name: str) -> pd.DataFrame:
        """Those of a class, empty where no arm looks at single slices."""
        return self.tables.get(name, pd.DataFrame())


def read_slices(paths: Iterable[Path], preferred: str) -> Slices:
    """The slices of the preferred arm or, where it sees volumes as a whole, of the first that has.

    ``paths`` are tables of slices, whose folders name their arm.
    """
    by_arm: dict[str, list[Path]] = {}
    for path in paths:
        by_arm.setdefault(path.parent.parent.name, []).append(path)
    for name in (preferred, *by_arm):
        tables = [read_table(path, COLUMNS, step="predict") for path in by_arm.get(name, [])]
        found = pd.concat(tables or [NONE])
        if len(found):
            numbers = {"index": found["index"].astype(int)}
            found = found.assign(probability=found["probability"].astype(float), **numbers)
            by_class = {
                str(label): own.pivot_table(index="case", columns="index", values="probability")
                for label, own in found.groupby("class")
            }
            return Slices(name, by_class)
    return Slices("", {})


def probabilities(chosen: Arm, slices: Slices, settings: FigureSettings) -> Figure:
    """The probability of every slice: a line a patient, and all patients as a map by class.

    Of two classes that of the positive one, of several the patients' own class.
    """
    if not slices.tables:
        return style.notice("no arm looks at single slices")
    outputs = chosen.mean.classes
    kinds = [(label, index, 1) for index, label in enumerate(outputs)]
    if len(outputs) == 1:
        kinds = [(settings.classes[0], 0, 0), (settings.classes[-1], 0, 1)]
    tables = [
        (table := slices.of(outputs[index])).loc[_ordered(chosen, index, truth, table)]
        for _, index, truth in kinds
    ]
    names = [
        [pseudonyms.shown(case, settings.pseudonyms) for case in shown.index] for shown in tables
    ]
    left = style.room(itertools.chain(*filter(_are_few, names)), NAME, more=0.2)
    pairs = -(-len(kinds) // 2)
    figure, axes = style.panels(4 * pairs, height=3.0, columns=2, left=left)
    for number, (label, _, _) in enumerate(kinds):
        place = 4 * (number // 2) + number % 2  # a row of lines, below it a row of maps
        lines, chart, shown = axes[place], axes[place + 2], tables[number]
        lines.set_title(f"{slices.arm}, {label}")
        if len(shown):
            _lines(lines, shown, style.colour(number))
            _map(chart, shown, names[number])
    for ax in [axes[-3], axes[-1]] * (len(kinds) % 2):
        ax.set_visible(False)
    style.colour_key(figure, "probability", LOOK["cmap"])
    return figure


def _ordered(arm: Arm, index: int, truth: int, table: pd.DataFrame) -> list[str]:
    """The cases of a class's label that have slices, by their own probability, highest first."""
    sample = arm.mean
    order = np.argsort(-sample.probabilities[:, index], kind="stable")
    return [
        str(sample.cases[i])
        for i in order
        if sample.labels[i, index] == truth and sample.cases[i] in table.index
    ]


def _lines(ax: Axes, chosen: pd.DataFrame, colour: str) -> None:
    ax.plot(chosen.columns, chosen.to_numpy().T, color=colour, linewidth=0.8, alpha=0.45)
    ax.plot(chosen.columns, np.nanmedian(chosen, axis=0), color=style.INK, linewidth=2)
    ax.set(ylim=(-0.02, 1.02), ylabel="probability")
    ax.set_xlim(*_span(chosen))


def _map(ax: Axes, chosen: pd.DataFrame, names: Sequence[str]) -> None:
    extent = (*_span(chosen), len(chosen) - 0.5, -0.5)
    ax.imshow(chosen.to_numpy(), aspect="auto", extent=extent, **LOOK)
    ax.set(xlabel="slice", ylabel="patient")
    ax.grid(visible=False)
    if _are_few(names):
        ax.set_yticks(range(len(chosen)), names, fontsize=NAME)


def _are_few(names: Sequence[str]) -> bool:
    return len(names) <= NAMED


def _span(chosen: pd.DataFrame) -> tuple[float, float]:
    """From before the first slice to behind the last."""
    return int(chosen.columns[0]) - 0.5, int(chosen.columns[-1]) + 0.5
