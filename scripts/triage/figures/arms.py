"""Pictures of how arms belong together: the points of a search, the steps of an ablation chain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from triage.evaluation import arms as evaluated
from triage.evaluation.intervals import combined
from triage.evaluation.settings import EvaluationSettings
from triage.figures import style
from triage.figures.curves import History, read_history
from triage.figures.runs import Results
from triage.figures.settings import FigureSettings, Point

COURSES = {"val_auc": "ROC AUC on validation", "val_loss": "loss on validation"}
SLANT = 20  # degrees: of names below axes
PARTS = {"test": "the test part", "val": "validation"}
STEPS = {"roc_auc": "ROC AUC", "accuracy": "accuracy"}


def search(
    searches: Mapping[str, Mapping[str, Point]], results: Results, histories: Sequence[Path]
) -> Figure:
    """For each search the course of every point, and what each reaches on validation.

    The best point stands out.
    """
    known = {arm.name: arm for arm in results.arms}
    courses: dict[str, list[History]] = {}
    for path in histories:
        courses.setdefault(path.parent.parent.name, []).append(read_history(path))
    count = len(COURSES) + 1
    most = max(len(points) for points in searches.values())
    height = max(2.8, 1.2 + 0.25 * most)
    figure, axes = style.panels(count * len(searches), height=height, columns=count)
    for row, (name, points) in enumerate(searches.items()):
        own = axes[row * count : (row + 1) * count]
        reached = {arm: known[arm].validation for arm in points if arm in known}
        best = max(reached, key=reached.__getitem__, default=None)
        for ax, (column, title) in zip(own, COURSES.items(), strict=False):
            for arm in sorted(points, key=lambda each: each == best):
                look: style.Look = {"color": style.FAINT, "linewidth": 1}
                if arm == best:
                    look = {"color": style.colour(1), "linewidth": 1.8}
                for history in courses.get(arm, []):
                    if column in history.columns:
                        ax.plot(history.epochs, history.columns[column], **look)
            ax.set_title(f"{name}: {title}")
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ranked = sorted(reached, key=reached.__getitem__)
        last = own[-1]
        for place, arm in enumerate(ranked):
            colour = style.colour(1) if arm == best else style.QUIET
            last.plot(reached[arm], place, "o", color=colour)
        last.set_yticks(range(len(ranked)), [_point(points[arm]) for arm in ranked])
        last.tick_params(axis="y", length=0, pad=-8)
        for label in last.get_yticklabels():
            label.set_horizontalalignment("left")
        last.set_ylim(-0.6, max(0.6, len(ranked) - 0.4))
        low, high = min(reached.values(), default=0), max(reached.values(), default=1)
        last.set_xlim(low - max(0.1, 1.6 * (high - low)), high + 0.02)
        last.set_title("points by ROC AUC on validation")
    handles = [Line2D([], [], color=colour) for colour in (style.colour(1), style.FAINT)]
    style.key(figure, handles, ["best on validation", "others"])
    return figure


def _point(values: Point) -> str:
    return ", ".join(f"{key.rpartition('.')[2]} {value:g}" for key, value in values.items())


def chain(names: Sequence[str], known: Mapping[str, evaluated.Arm], partition: str) -> Figure:
    """Steps from arm to arm, each with what it adds to the one before and its interval."""
    arms = [known[name] for name in names if name in known]
    if not arms:
        return style.notice("no arm of the chain has a labelled case")
    left, below = _slanted([arm.name for arm in arms])
    height = 2.9 + below
    figure, axes = style.panels(len(STEPS), height=height, columns=2, left=left)
    figure.subplots_adjust(bottom=below / figure.get_figheight())
    places = np.arange(len(arms))
    for ax, (metric, title) in zip(axes, STEPS.items(), strict=True):
        means = [arm.means[metric] for arm in arms]
        values, low, high = np.array([(each.value, each.low, each.high) for each in means]).T
        edges = np.append(places - 0.5, len(arms) - 0.5)
        ax.stairs(values, edges, baseline=None, color=style.colour(0), linewidth=1.8)
        ax.errorbar(
            places,
            values,
            yerr=np.abs([values - low, high - values]),
            fmt="none",
            ecolor=style.QUIET,
            capsize=3,
        )
        for place, arm in zip(places, arms, strict=True):
            runs = list(arm.values[metric].values())
            ax.plot(np.full(len(runs), place), runs, "o", color=style.colour(0), ms=4)
        for step, (before, after) in enumerate(pairwise(means), 1):
            gain, least, most = combined((after, before), (1, -1), 0)
            told = least > 0 or most < 0
            ax.text(
                step,
                0.02,
                f"{gain:+.3f}",
                transform=ax.get_xaxis_transform(),
                ha="center",
                fontsize=8,
                weight="bold" if told else "normal",
                color=style.colour(2 if gain >= 0 else 1) if told else style.QUIET,
            )
        bottom, top = ax.get_ylim()
        margin = max(0.02, (style.LEAST_SPAN - (top - bottom)) / 2)
        ax.set_ylim(max(bottom - margin - 0.1 * (top - bottom), -0.02), min(top + margin, 1.02))
        names = [arm.name for arm in arms]
        ax.set_xticks(places, names, rotation=SLANT, ha="right", rotation_mode="anchor")
        ax.set_title(f"{title} on {PARTS[partition]}")
    return figure


def _slanted(names: Sequence[str]) -> tuple[float, float]:
    """The inches that slanted names below axes take to the left of them, and down."""
    angle = np.deg2rad(SLANT)
    widths = [style.width(name, style.RC["xtick.labelsize"]) for name in names]
    step = 3.5 / max(1, len(names))  # at least that far is a name from the one before
    reaches = [width * np.cos(angle) - place * step for place, width in enumerate(widths)]
    down = max(widths, default=0) * np.sin(angle)
    return max(style.LEFT, *reaches), float(down) + 0.3


def measured(results: Results, settings: FigureSettings) -> dict[str, evaluated.Arm]:
    """The arms by name as the study's table has them: all on the same resamples of groups."""
    evaluation = EvaluationSettings(
        replicates=settings.replicates,
        confidence=settings.confidence,
        seed=settings.seed,
        bins=settings.bins,
        operating_point=results.runs[0].metrics["operating_point"],
        task=settings.task,
    )
    return {arm.name: arm for arm in evaluated.measure_arms(results.runs, evaluation)}
