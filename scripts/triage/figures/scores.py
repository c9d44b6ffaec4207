"""Pictures of what the probabilities are worth: ranking, calibration, decisions, spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from triage.evaluation.metrics import in_bins
from triage.evaluation.samples import Floats
from triage.figures import bands, style
from triage.figures.panels import Panel
from triage.figures.runs import Arm
from triage.figures.settings import FigureSettings

MOST_POINTS = 300  # of a line
TICKS = 200  # more cases than this are not shown one by one

Points = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]


def roc(panels: Sequence[Panel], chosen: Arm, settings: FigureSettings) -> Figure:
    """ROC curves with bootstrap bands, a panel an arm, and the chosen arm in grey behind them."""
    figure, axes = style.panels(len(panels), height=3.4, columns=3)
    for panel, ax in zip(panels, axes, strict=True):
        style.of_arm(ax, panel.arm.name)
        ax.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.8, linestyle=":")
        _curves(ax, panel, chosen, bands.roc, bands.roc_points, settings)
        ax.set_title(panel.titled("roc_auc", "ROC AUC"))
        ax.set(xlabel="1 - specificity", ylabel="sensitivity")
        if not _explain_lack(ax, panel):
            _operating_points(ax, panel)
    _key(figure, panels, chosen, settings, marked=True)
    return figure


def precision_recall(panels: Sequence[Panel], chosen: Arm, settings: FigureSettings) -> Figure:
    """Precision-recall curves with bootstrap bands; the dotted line is the share of positives."""
    figure, axes = style.panels(len(panels), height=3.4, columns=3)
    for panel, ax in zip(panels, axes, strict=True):
        style.of_arm(ax, panel.arm.name)
        share = float(np.nanmean(panel.arm.mean.labels[:, panel.index]))
        ax.axhline(share, color=style.QUIET, linewidth=0.8, linestyle=":")
        points = bands.precision_recall_points
        _curves(ax, panel, chosen, bands.precision_recall, points, settings)
        ax.set_title(panel.titled("average_precision", "average precision"))
        ax.set(xlabel="recall (sensitivity)", ylabel="precision")
        _explain_lack(ax, panel)
    _key(figure, panels, chosen, settings)
    return figure


def reliability(panels: Sequence[Panel], settings: FigureSettings) -> Figure:
    """The share of positives among cases of like probability, and how many cases there are."""
    figure, axes = style.panels(len(panels), height=3.4, columns=3)
    edges = np.linspace(0, 1, settings.bins + 1)
    for panel, ax in zip(panels, axes, strict=True):
        style.of_arm(ax, panel.arm.name)
        bins = calibration(panel, settings)
        ax.bar(
            edges[:-1],
            0.2 * bins.counts / bins.counts.max(),
            width=1 / settings.bins,
            align="edge",
            color=style.FAINT,
            edgecolor="white",
        )
        ax.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.8, linestyle=":")
        ax.errorbar(
            bins.centre,
            bins.share,
            yerr=np.maximum([bins.share - bins.low, bins.high - bins.share], 0),
            color=style.colour(0),
            marker="o",
            markersize=4,
            elinewidth=1,
            capsize=2,
            clip_on=False,
        )
        ax.set_title(panel.title)
        ax.set(xlabel="mean predicted probability", ylabel="share of positives")
        style.square(ax)
    return figure


@dataclass(frozen=True)
class Calibration:
    """Cases by predicted probability: ``counts`` [bins], and the rest of bins that hold a case.

    ``centre`` is the mean probability, ``low`` and ``high`` are the limits of ``share``.
    """

    counts: Floats
    centre: Floats
    share: Floats
    low: Floats
    high: Floats


def calibration(panel: Panel, settings: FigureSettings) -> Calibration:
    """The share of positives in bins of equal width, with its interval."""
    arm, index, curve = panel.arm, panel.index, bands.reliability(settings.bins)
    found = bands.band(arm, index, curve, settings, settings.bins)
    spread = np.concatenate([sample.probabilities[:, index] for sample in arm.known(index)])
    members = in_bins(spread, settings.bins)
    counts = members.sum(axis=0)
    filled = counts > 0
    share, low, high = (each[filled] for each in (found.middle, found.low, found.high))
    return Calibration(counts, (spread @ members)[filled] / counts[filled], share, low, high)


def distributions(panels: Sequence[Panel]) -> Figure:
    """Histograms of the probabilities by true class, and a tick for every case."""
    figure, axes = style.panels(len(panels), height=2.7, columns=3)
    edges = np.linspace(0, 1, 21).tolist()
    for panel, ax in zip(panels, axes, strict=True):
        style.of_arm(ax, panel.arm.name)
        arm, index = panel.arm, panel.index
        sample = arm.mean
        for value in (0, 1):
            chosen = sample.probabilities[sample.labels[:, index] == value, index]
            shared: style.Look = {"color": style.colour(value)}
            ax.hist(chosen, edges, alpha=0.35, **shared)
            ax.hist(chosen, edges, histtype="step", **shared)
            if len(chosen) <= TICKS:
                middle = -0.03 - 0.05 * value
                ends = np.tile([middle - 0.018, middle + 0.018, np.nan], len(chosen))
                line = (np.repeat(chosen, 3), ends)  # one for all: a tick each takes much room
                across = ax.get_xaxis_transform()
                ax.plot(*line, linewidth=1, transform=across, clip_on=False, **shared)
        ax.set_title(panel.title)
        thresholds = [member.threshold(index) for member in arm.members]
        for threshold in filter(None, thresholds):
            ax.axvline(threshold, color=style.INK, linewidth=0.8, linestyle="--")
        ax.set(xlim=(-0.01, 1.01), ylabel="cases")
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.tick_params(axis="x", pad=12)
        ax.set_xlabel("predicted probability", labelpad=1)
    dashed = Line2D([], [], color=style.INK, linewidth=0.8, linestyle="--")
    handles, words = [style.swatch(0), style.swatch(1), dashed], [*panels[0].names, "threshold"]
    shown = 3 if panels[0].arm.members[0].threshold(0) is not None else 2
    style.key(figure, handles[:shown], words[:shown])
    return figure


def _explain_lack(ax: Axes, panel: Panel) -> bool:
    """Say so where a curve needs both kinds of cases, and only one is there."""
    labels = panel.arm.mean.labels[:, panel.index]
    missing = [name for value, name in enumerate(panel.names) if value not in labels]
    if missing:
        ax.text(0.5, 0.5, f"no case is {missing[0]}", ha="center", va="center", color=style.QUIET)
    return bool(missing)


def _operating_points(ax: Axes, panel: Panel) -> None:
    """What each run of an arm decides at its own operating point."""
    for member in panel.arm.members:
        labels = member.sample.labels[:, panel.index]
        called = member.margins(panel.index) > 0
        hits, alarms = called[labels == 1].mean(), called[labels == 0].mean()
        look: style.Look = {"color": style.INK, "markersize": 5, "markerfacecolor": "none"}
        ax.plot(alarms, hits, "o", clip_on=False, zorder=3, **look)  # whole on the border, too


def _curves(
    ax: Axes,
    panel: Panel,
    chosen: Arm,
    curve: bands.Curve,
    points: Points,
    settings: FigureSettings,
) -> None:
    arm, index = panel.arm, panel.index
    if chosen is not arm:
        _lines(ax, chosen, index, points, {"color": style.FAINT, "linewidth": 1.4})
    found = bands.band(arm, index, curve, settings)
    hue = style.colour(0)
    # At the last point of a ROC curve all is called positive, whatever the cases are.
    grid, low, high = (each[:-1] for each in (bands.GRID, found.low, found.high))
    ax.fill_between(grid, low, high, color=hue, alpha=0.18, linewidth=0)
    if len(arm.members) == 1:
        _lines(ax, arm, index, points, {"color": hue})
    else:
        _lines(ax, arm, index, points, {"color": hue, "linewidth": 0.6, "alpha": 0.6})
        ax.plot(bands.GRID, found.middle, color=hue, linewidth=2)
    style.square(ax)


def _lines(ax: Axes, arm: Arm, index: int, points: Points, look: style.Look) -> None:
    """One line a run through all its points, or as many of them as can be seen."""
    for sample in arm.known(index):
        once = np.ones((1, len(sample.cases)))
        across, up = points(sample.labels[:, index], sample.probabilities[:, index], once)
        kept = np.unique(np.linspace(0, len(across[0]) - 1, MOST_POINTS).round().astype(int))
        ax.plot(across[0][kept], up[0][kept], **look)


def _key(
    figure: Figure,
    panels: Sequence[Panel],
    chosen: Arm,
    settings: FigureSettings,
    marked: bool = False,
) -> None:
    blue = style.colour(0)
    handles = [
        Line2D([], [], color=blue),
        Line2D([], [], color=blue, alpha=0.25, linewidth=8),
        Line2D([], [], color=style.FAINT),
    ]
    words = ["this arm", f"{settings.confidence:.0%} interval", "the chosen arm"]
    shown = 3 if any(panel.arm is not chosen for panel in panels) else 2
    marks = [Line2D([], [], color=style.INK, marker="o", markerfacecolor="none", linestyle="")]
    points = (marks, ["operating point of a run"]) if marked else ([], [])
    style.key(figure, handles[:shown] + points[0], words[:shown] + points[1])
