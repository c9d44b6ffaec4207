"""Pictures of decisions at the operating point: confusion matrices, and runs as points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triage.figures import style
from triage.figures.panels import Panel
from triage.figures.runs import Member, Results

SHOWN = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy",
}


def confusion(panels: Sequence[Panel]) -> Figure:
    """Confusion matrices at the operating point, the mean over an arm's runs."""
    matrices = {
        panel.title: [_matrix(member, panel.index) for member in panel.arm.members]
        for panel in panels
    }
    return _matrices(matrices, panels[0].names, columns=4)


def confusion_of_classes(results: Results, classes: Sequence[str]) -> Figure:
    """The same of classes that exclude each other, in their order: one matrix an arm."""
    matrices = {
        arm.name: [_joint_matrix(member, classes) for member in arm.members] for arm in results.arms
    }
    return _matrices(matrices, classes, columns=3 if len(classes) < 4 else 2)


def _matrices(
    matrices: Mapping[str, Sequence[np.ndarray]], classes: Sequence[str], columns: int
) -> Figure:
    names = [style.wrapped(name, 0.8, 8) for name in classes]
    left = style.room(names, more=0.2)
    columns = min(columns, len(matrices))
    most = 2.9 if len(classes) == 2 else 0.9 + 0.55 * len(classes)
    height = min(most, style.WIDTH / columns - left + 0.7)  # no more than squares need
    figure, axes = style.panels(len(matrices), height=height, columns=columns, left=left)
    for (title, runs), ax in zip(matrices.items(), axes, strict=True):
        style.of_arm(ax, title)  # of classes none has the name
        _draw_matrix(ax, np.mean(runs, axis=0), names)
        ax.set_title(title if len(runs) == 1 else f"{title}, mean of {len(runs)} runs")
    return figure


def _matrix(member: Member, index: int) -> np.ndarray:
    """Counts [true class, predicted class] of a run."""
    sample = member.known(index)
    truth = sample.labels[:, index].astype(int)
    known = ~np.isnan(member.sample.labels[:, index])
    called = (member.margins(index)[known] > 0).astype(int)
    return np.bincount(2 * truth + called, minlength=4).reshape(2, 2)


def _joint_matrix(member: Member, classes: Sequence[str]) -> np.ndarray:
    sample = member.known(0)
    places = np.array([classes.index(name) for name in sample.classes])
    truth = places[sample.labels.argmax(axis=1)]
    called = places[sample.probabilities.argmax(axis=1)]
    count = len(classes)
    return np.bincount(count * truth + called, minlength=count**2).reshape(count, count)


def _draw_matrix(ax: Axes, matrix: np.ndarray, names: Sequence[str]) -> None:
    rows = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows > 0)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.3)
    for i, k in np.ndindex(matrix.shape):
        number = f"{matrix[i, k]:.1f}".removesuffix(".0")  # means over runs are no whole numbers
        text = f"{number}\n{shares[i, k]:.0%}" if rows[i, 0] else number
        colour = "white" if shares[i, k] > 0.85 else style.INK
        ax.text(k, i, text, ha="center", va="center", color=colour)
    ax.grid(visible=False)
    size = 8 if len(names) < 6 else 6
    ax.set_xticks(range(len(names)), names, fontsize=size)
    ax.set_yticks(range(len(names)), names, fontsize=size)
    ax.set(xlabel="called", ylabel="true")
    ax.tick_params(length=0)


def seeds(results: Results) -> Figure:
    """Every run as a point, with the mean of its arm and one deviation to both sides."""
    arms = results.arms
    if all(len(arm.members) == 1 for arm in arms):
        return style.notice("every arm has one run: there is no spread over seeds or folds")
    height = 0.9 + 0.35 * len(arms)
    left = style.room(arm.name for arm in arms)
    figure, axes = style.panels(len(SHOWN), height=height, columns=3, left=left, sharey=True)
    for (metric, name), ax in zip(SHOWN.items(), axes, strict=True):
        for row, arm in enumerate(arms):
            values = np.array(
                [member.run.value(results.partition, metric) for member in arm.members]
            )
            values = values[~np.isnan(values)]
            if not len(values):
                continue
            offsets = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            points = ax.plot(
                values, row + offsets, "o", color=style.colour(0), markersize=4, alpha=0.7
            )
            style.of_arm(points[0], arm.name)
            if len(values) > 1:
                error = np.std(values, ddof=1)
                ax.errorbar(
                    np.mean(values), row, xerr=error, fmt="D", color=style.INK, ms=4, capsize=3
                )
        style.metric_scale(ax)
        ax.set_title(name)
        ax.set_yticks(range(len(arms)), [arm.name for arm in arms])
        ax.set_ylim(len(arms) - 0.5, -0.5)
    return figure
