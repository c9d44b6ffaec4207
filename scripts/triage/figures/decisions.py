"""Pictures of decisions at the operating point: confusion matrices, mistakes, seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triage.data.store import Images
from triage.figures import style, tiles
from triage.figures.runs import Arm, Member, Results
from triage.figures.scores import Panel, class_names
from triage.figures.settings import FigureSettings
from triage.figures.stacks import stack

SHOWN = ("roc_auc", "pr_auc", "balanced_accuracy")


def confusion(front: Sequence[Panel], settings: FigureSettings) -> Figure:
    """Confusion matrices at the operating point, the mean over an arm's runs."""
    figure, axes = style.panels(len(front), height=2.9, columns=4, left=0.85)
    for panel, ax in zip(front, axes, strict=True):
        arm, index, name = panel
        matrix = np.mean([_matrix(member, index) for member in arm.members], axis=0)
        _draw_matrix(ax, matrix, class_names(panel, settings))
        ax.set_title(name)
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
    figure, axes = style.panels(len(SHOWN), height=height, columns=3, left=1.0, sharey=True)
    for metric, ax in zip(SHOWN, axes, strict=True):
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
        ax.set_title(metric.replace("_", " ").replace("roc", "ROC").replace("pr ", "PR "))
        ax.set_yticks(range(len(arms)), [style.title(arm.name) for arm in arms])
        ax.set_ylim(len(arms) - 0.5, -0.5)
    return figure


@dataclass(frozen=True)
class Mistake:
    """A case on the wrong side of the operating point."""

    case: str
    probability: float
    margin: float


def surest(arm: Arm, index: int, truth: int, count: int) -> list[Mistake]:
    """Up to ``count`` cases of label ``truth`` called the other, the surest first."""
    sample, threshold = arm.mean, arm.threshold(index)
    probability = sample.probabilities[:, index]
    wrong = (sample.labels[:, index] == truth) & ((probability > threshold) != bool(truth))
    found = [
        Mistake(str(case), float(p), abs(float(p) - threshold))
        for case, p in zip(sample.cases[wrong], probability[wrong], strict=True)
    ]
    return sorted(found, key=lambda mistake: (-mistake.margin, mistake.case))[:count]


def mistakes(panel: Panel, images: Images, settings: FigureSettings) -> Figure:
    """The cases that an arm gets most surely wrong, with their images."""
    arm, index, _ = panel
    names = class_names(panel, settings)
    rows: list[list[tiles.Image | None]] = []
    labels: list[str] = []
    captions: list[tuple[int, list[str]]] = []
    for truth in (1, 0):
        found = surest(arm, index, truth, settings.cases)
        shown = [tiles.faces(stack(images, mistake.case), 160) for mistake in found]
        if not found:
            continue
        captions.append((len(rows), [f"{each.case}\np = {each.probability:.2f}" for each in found]))
        for i in range(len(shown[0])):
            rows.append([faces[i] for faces in shown])
            labels.append(f"{names[truth]}\ncalled\n{names[1 - truth]}" if i == 0 else "")
    if not rows:
        return style.notice(f"{style.title(arm.name)} makes no mistake on these cases")
    for row in rows:
        row.extend([None] * (settings.cases - len(row)))
    shown_sheet = tiles.sheet(rows)
    figure = tiles.figure(shown_sheet, labels)
    for place, words in captions:
        tiles.write_names(figure, shown_sheet, place, words)
    return figure
