"""Training curves: one line a run, for every arm of a study."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from triage.evaluation.samples import Floats
from triage.figures import style
from triage.files import read_table

MEASURES = ("loss", "accuracy")
WORDS = {"auc": "ROC AUC", "f1": "F1"}  # of what selects an epoch, as in the tables
PARTS = {"training": "{}", "validation": "val_{}"}  # how a history names their columns


@dataclass(frozen=True)
class History:
    """One run's measures by epoch; columns that it lacks are absent."""

    arm: str
    run: str
    epochs: Floats
    columns: dict[str, Floats]


def read_history(path: Path) -> History:
    """The history in a file whose folders name its arm and run."""
    table = read_table(path, ["epoch"]).replace("", "nan")
    columns = {name: table[name].to_numpy(float) for name in table.columns}
    return History(path.parent.parent.name, path.parent.name, columns["epoch"], columns)


def curves(
    paths: Iterable[Path],
    kept: Container[str] | None = None,
    selection: Mapping[str, str] | None = None,
) -> Figure:
    """Loss and accuracy of every arm on training and validation, a pair of panels an arm.

    ``kept`` names the arms that are shown, if not all; ``selection`` says by what the epoch of an
    arm is kept.
    """
    arms: dict[str, list[History]] = {}
    for path in paths:
        if kept is None or path.parent.parent.name in kept:
            history = read_history(path)
            if not np.isnan(history.columns.get("lr", 0)).all():  # else it took no epochs
                arms.setdefault(history.arm, []).append(history)
    if not arms:
        return style.notice("no arm is trained in epochs")
    figure, axes = style.panels(len(arms) * len(MEASURES), height=2.4, columns=4)
    others: set[str] = set()  # metrics beside MEASURES by which epochs are kept
    for i, (arm, histories) in enumerate(arms.items()):
        pair = axes[2 * i : 2 * i + 2]
        by = (selection or {}).get(arm, "")
        told = {"": "", "last": ": last epoch kept"}.get(by, f": best {WORDS.get(by, by)} kept")
        pair[0].set_title(f"{arm}{told}")  # long names run on over the second one
        beside = by not in ("", "last", *MEASURES)
        if beside:
            _line(pair[1], histories, f"val_{by}", {"color": style.colour(len(PARTS))})
            others.add(WORDS.get(by, by))
        for measure, ax in zip(MEASURES, pair, strict=True):
            style.of_arm(ax, arm)
            _panel(ax, histories, measure)
            epochs = {_kept(history, by) for history in histories}
            for epoch in filter(None, epochs):
                ax.axvline(epoch, color=style.QUIET, linewidth=0.8, linestyle=":")
            both = beside and measure == "accuracy"
            ax.set(xlabel="epoch", ylabel=f"{measure}, {WORDS.get(by, by)}" if both else measure)
    names = [*PARTS, *(f"{name} on validation" for name in sorted(others))]
    handles = [Line2D([], [], color=style.colour(min(i, len(PARTS)))) for i in range(len(names))]
    dotted = Line2D([], [], color=style.QUIET, linewidth=0.8, linestyle=":")
    more = bool(selection)
    style.key(figure, handles + [dotted] * more, names + ["kept epoch"] * more)
    return figure


def _kept(history: History, by: str) -> float | None:
    """The epoch whose weights a run has kept, the first of equals."""
    values = history.columns.get(f"val_{by}")
    if by == "last":
        return float(history.epochs[-1])
    if values is None or np.isnan(values).all():
        return None
    best = np.nanargmin(values) if by == "loss" else np.nanargmax(values)
    return float(history.epochs[best])


def _panel(ax: Axes, histories: Sequence[History], measure: str) -> None:
    for i, column in enumerate(PARTS.values()):
        _line(ax, histories, column.format(measure), {"color": style.colour(i)})
    if measure == "accuracy":
        ax.set_ylim(max(ax.get_ylim()[0] - 0.03, -0.02), 1.02)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    last = max(float(history.epochs[-1]) for history in histories)
    if last <= 1:
        ax.set(xlim=(0, 2), xticks=[1])


def _line(ax: Axes, histories: Sequence[History], column: str, look: style.Look) -> None:
    """A column of each run's history, if it has it."""
    width = 1.6 if len(histories) == 1 else 0.9
    for history in histories:
        values = history.columns.get(column)
        if values is not None and not np.isnan(values).all():
            marker = "o" if len(values) == 1 else ""
            ax.plot(history.epochs, values, linewidth=width, marker=marker, **look)
