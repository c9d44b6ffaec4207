"""Pictures of decisions at the operating point: confusion matrices, and runs as points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triage.figures import style
from triage.figures.panels import Panel
from triage.figures.runs import Member, Results

LEAST_SPAN = 0.2  # of an axis, so that small differences look small
SHOWN = {
    "roc_auc": "ROC AUC",
    "average_precision": "PR AUC",
    "balanced_accuracy": "balanced accuracy",
}


def confusion(panels: Sequence[Panel]) -> Figure:
    """Confusion matrices at the operating point, the mean over an arm's runs."""
    names = [style.wrapped(name, 0.8, 8) for name in panels[0].names]
    left = style.room(names, more=0.2)
    columns = min(4, len(panels))
    height = min(2.9, style.WIDTH / columns - left + 0.7)  # no more than squares need
    figure, axes = style.panels(len(panels), height=height, columns=columns, left=left)
    for panel, ax in zip(panels, axes, strict=True):
        matrix = np.mean([_matrix(member, panel.index) for member in panel.arm.members], axis=0)
        _draw_matrix(ax, matrix, names)
        ax.set_title(panel.title)
    return figure


def _matrix(member: Member, index: int) -> np.ndarray:
    """Counts [true class, predicted class] of a run."""
    sample = member.known(index)
    truth = sample.labels[:, index].astype(int)
    called = (sample.probabilities[:, index] > member.threshold(index)).astype(int)
    return np.bincount(2 * truth + called, minlength=4).reshape(2, 2)


def _draw_matrix(ax: Axes, matrix: np.ndarray, names: Sequence[str]) -> None:
    rows = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.zeros(matrix.shape), where=rows > 0)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1.3)
    for i, k in np.ndindex(matrix.shape):
        text = f"{matrix[i, k]:.4g}\n{shares[i, k]:.0%}"
        colour = "white" if shares[i, k] > 0.65 else style.INK
        ax.text(k, i, text, ha="center", va="center", color=colour)
    ax.grid(visible=False)
    ax.set_xticks((0, 1), names)
    ax.set_yticks((0, 1), names)
    ax.set(xlabel="called", ylabel="true")
    ax.tick_params(length=0)


def seeds(results: Results) -> Figure:
    """Every run as a point, with the mean of its arm and one deviation to both sides."""
    arms = results.arms
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
            ax.plot(values, row + offsets, "o", color=style.colour(0), markersize=4, alpha=0.7)
            if len(values) > 1:
                error = np.std(values, ddof=1)
                ax.errorbar(
                    np.mean(values), row, xerr=error, fmt="D", color=style.INK, ms=4, capsize=3
                )
        low, high = ax.get_xlim()
        margin = max(0.0, LEAST_SPAN - (high - low)) / 2
        ax.set_xlim(low - margin, high + margin)
        ax.set_title(name)
        ax.set_yticks(range(len(arms)), [arm.name for arm in arms])
        ax.set_ylim(len(arms) - 0.5, -0.5)
    return figure
