"""Pictures of kinds of cases: mistakes by the annotators' votes and by finding, and balancing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from triage.figures import shares, style
from triage.figures.panels import Panel
from triage.figures.settings import Balancing, FigureSettings
from triage.files import read_rows
from triage.training import balance, rng
from triage.training.settings import Balance

Row = Mapping[str, str]


def votes(panel: Panel, parts: Sequence[Path], settings: FigureSettings) -> Figure:
    """How often the chosen arm is wrong, by how many annotators chose the positive class."""
    rows = (row for part in parts for row in read_rows(part))
    number = {row["case"]: int(row["votes"]) for row in rows if row["votes"]}
    sample, wrong = panel.arm.mean, panel.arm.wrong(panel.index)
    of_case = np.array([number.get(str(case), -1) for case in sample.cases])
    kinds = sorted(set(of_case[of_case >= 0].tolist()))
    if not kinds:
        return style.notice("no case of this part has a number of votes")
    figure, (ax,) = style.panels(1, height=3.2)
    words = []
    for place, kind in enumerate(kinds):
        among = of_case == kind
        share, low, high = shares.share(sample, wrong, among, settings)
        ax.plot([place, place], [low, high], color=style.QUIET, linewidth=1.2)
        ax.plot(place, share, "o", color=style.colour(0), markersize=7)
        words.append(f"{kind}\n{among.sum()} cases")
    ax.set_ylim(-0.02, 1.02)
    ax.set_xticks(range(len(kinds)), words)
    ax.set_xlabel(f"annotators who chose {panel.names[1]}")
    ax.set_title(f"{panel.title}: share of cases called wrongly")
    figure.subplots_adjust(bottom=0.2)
    return figure


def findings(panels: Sequence[Panel], settings: FigureSettings) -> Figure:
    """Of the chosen arm, how often each finding is missed, and how often wrongly called."""
    left = style.room(panel.title for panel in panels)
    height = 1.4 + 0.3 * len(panels)
    figure, axes = style.panels(2, height=height, columns=2, left=left, sharey=True)
    titles = ("Missed where present", "Called where absent")
    for ax, truth, title in zip(axes, (1, 0), titles, strict=True):
        for place, panel in enumerate(panels):
            sample, wrong = panel.arm.mean, panel.arm.wrong(panel.index)
            among = sample.labels[:, panel.index] == truth
            if not among.any():
                continue
            share, low, high = shares.share(sample, wrong, among, settings)
            ax.plot([low, high], [place, place], color=style.QUIET, linewidth=1.2)
            ax.plot(share, place, "o", color=style.colour(1 - truth))
            ax.text(1.04, place, f"{among.sum()}", va="center", fontsize=7, color=style.QUIET)
        ax.set(xlim=(-0.02, 1.13), xlabel="share of cases")
        ax.set_title(title)
        ax.set_yticks(range(len(panels)), [panel.title for panel in panels])
        ax.set_ylim(len(panels) - 0.5, -0.5)
    return figure


def balancing(
    arms: Mapping[str, Balancing], parts: Sequence[Path], classes: Sequence[str]
) -> Figure:
    """Training cases by class and by votes, as they are and as an epoch of each arm has them."""
    training = next(part for part in parts if part.parent.name == "train")
    rows = [row for row in read_rows(training) if row["label"]]
    has_votes = any(row["votes"] for row in rows)
    columns = 1 + has_votes
    figure, axes = style.panels(len(arms) * columns, height=2.5, columns=columns)
    for place, (arm, settings) in enumerate(arms.items()):
        times = _times(rows, settings, classes)
        own = axes[place * columns : (place + 1) * columns]
        words = _words(settings)
        counted = [row["label"].split("|") for row in rows]
        _pairs(own[0], list(classes), counted, times, f"{arm} ({words}): classes")
        if has_votes:
            given = [[row["votes"]] for row in rows]
            kinds = sorted({each[0] for each in given})
            _pairs(own[1], kinds, given, times, f"{arm}: votes")
    style.key(figure, [style.swatch(i) for i in range(2)], ["in the training part", "in an epoch"])
    return figure


def _words(settings: Balancing) -> str:
    parts: list[str] = [settings.method] * (settings.method != "none")
    if settings.exclude_votes:
        parts.append(f"without votes {', '.join(map(str, settings.exclude_votes))}")
    return "; ".join(parts)


def _times(
    rows: Sequence[Row], settings: Balancing, classes: Sequence[str]
) -> npt.NDArray[np.int64]:
    """How often the first epoch shows each of the cases [rows]."""
    left_out = {str(each) for each in settings.exclude_votes}
    kept = [i for i, row in enumerate(rows) if row["votes"] not in left_out]
    names = [rows[i]["case"] for i in kept]
    targets = np.array([[float(classes[-1] in rows[i]["label"].split("|"))] for i in kept])
    plan = balance.plan(
        Balance(settings.method, "all"), settings.seed, 0, rng.keys(names), targets, None
    )
    times = np.zeros(len(rows), np.int64)
    times[kept] = np.bincount(plan.rows, minlength=len(kept))
    return times


def _pairs(
    ax: Axes,
    names: Sequence[str],
    kinds: Sequence[Sequence[str]],
    times: npt.NDArray[np.int64],
    title: str,
) -> None:
    """Two bars for each name: how many cases are of it, and how many samples of an epoch."""
    before, after = Counter[str](), Counter[str]()
    for own, count in zip(kinds, times, strict=True):
        for name in own:
            before[name] += 1
            after[name] += int(count)
    places = np.arange(len(names))
    for side, counts in enumerate((before, after)):
        heights = [counts[name] for name in names]
        bars = ax.bar(places + 0.4 * side - 0.2, heights, 0.38, color=style.colour(side))
        ax.bar_label(bars, fontsize=7, padding=1)
    ax.set_xticks(places, names)
    ax.margins(y=0.15)
    ax.grid(visible=False, axis="x")
    ax.set_title(title)
