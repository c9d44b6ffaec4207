"""The probabilities of single slices: where in a volume a model sees something."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
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
    """The mean probability over an arm's runs [cases, slice numbers]; NaN where one is not seen."""

    arm: str
    table: pd.DataFrame


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
            table = found.pivot_table(index="case", columns="index", values="probability")
            return Slices(name, table)
    return Slices("", pd.DataFrame())


def probabilities(chosen: Arm, slices: Slices, settings: FigureSettings) -> Figure:
    """The probability of every slice: a line a patient, and all patients as a map by class."""
    if slices.table.empty:
        return style.notice("no arm looks at single slices")
    kinds = [slices.table.loc[_ordered(chosen, truth, slices.table)] for truth in (0, 1)]
    names = [
        [pseudonyms.shown(case, settings.pseudonyms) for case in shown.index] for shown in kinds
    ]
    left = style.room(itertools.chain(*filter(_are_few, names)), NAME, more=0.2)
    figure, axes = style.panels(4, height=3.0, columns=2, left=left)
    for truth, label in enumerate((settings.classes[0], settings.classes[-1])):
        shown, lines, chart = kinds[truth], axes[truth], axes[2 + truth]
        lines.set_title(f"{slices.arm}, {label}")
        if len(shown):
            _lines(lines, shown, style.colour(truth))
            _map(chart, shown, names[truth])
    style.colour_key(figure, "probability", LOOK["cmap"])
    return figure


def _ordered(arm: Arm, truth: int, table: pd.DataFrame) -> list[str]:
    """The cases of a label that have slices, by the patient's own probability, highest first."""
    sample = arm.mean
    order = np.argsort(-sample.probabilities[:, 0], kind="stable")
    return [
        str(sample.cases[i])
        for i in order
        if sample.labels[i, 0] == truth and sample.cases[i] in table.index
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
