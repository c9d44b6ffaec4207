"""The picture of external validation: arms on each set, and the intensities of its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from triage.figures import style
from triage.figures.runs import MOST_ARMS

PARTS = {"test": "test part", "val": "validation"}

Row = Mapping[str, str]


def external(
    table: Sequence[Row], elsewhere: Sequence[Row], shifts: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """From the rows of table.csv and external.csv, and the shift of each set."""
    ranked = sorted(
        (row for row in elsewhere if row["val_roc_auc"]),
        key=lambda row: -float(row["val_roc_auc"]),
    )
    names = list(dict.fromkeys(row["arm"] for row in ranked))
    arms = names[:MOST_ARMS]
    own = PARTS[next((row["partition"] for row in table if row["cases"]), "test")]
    parts = {own: table, **{name: _on(elsewhere, name) for name in shifts}}
    spread = [(name, channel) for name in shifts for channel in range(len(shifts[name]["edges"]))]
    left = max([style.LEFT, *(style.width(arm, 8) + 0.25 for arm in arms)])
    height = max(2.6, 1.3 + 0.11 * len(arms) * len(parts))
    figure, axes = style.panels(1 + len(spread), height=height, columns=3, left=left)
    _reached(axes[0], arms, parts)
    for ax, (name, channel) in zip(axes[1:], spread, strict=True):
        _intensities(ax, name, channel, list(parts).index(name), shifts[name])
    colours = [*(style.colour(i) for i in range(len(parts))), style.QUIET]
    handles = [Line2D([], [], color=colour) for colour in colours]
    style.key(figure, handles, [*parts, "training part"])
    if len(names) > len(arms):
        style.remark(figure, style.left_out(len(names) - len(arms)))
    return figure


def _on(rows: Sequence[Row], name: str) -> list[Row]:
    return [row for row in rows if row["partition"] == name]


def _reached(ax: Axes, arms: Sequence[str], parts: Mapping[str, Sequence[Row]]) -> None:
    for number, rows in enumerate(parts.values()):
        shift = (number - (len(parts) - 1) / 2) * 0.6 / len(parts)
        for row in rows:
            if row["arm"] not in arms or not row["roc_auc"]:
                continue
            place = arms.index(row["arm"]) + shift
            value, *limits = (float(row[f"roc_auc{end}"] or "nan") for end in ("", "_low", "_high"))
            colour = style.colour(number)
            for points, look in ((limits, "-"), ([value], "o")):
                (drawn,) = ax.plot(
                    points, [place] * len(points), look, color=colour, linewidth=1.2, markersize=4
                )
                style.of_arm(drawn, row["arm"])
    style.metric_scale(ax)
    ax.set_yticks(range(len(arms)), arms)
    ax.set_ylim(len(arms) - 0.5, -0.5)
    ax.set_title("ROC AUC")


def _intensities(ax: Axes, name: str, channel: int, number: int, shift: Mapping[str, Any]) -> None:
    edges = np.array(shift["edges"][channel])
    for part, colour in (("training", style.QUIET), ("external", style.colour(number))):
        shares = shift[part]["channels"][channel]["shares"]
        ax.stairs(shares, edges, color=colour, linewidth=1.4)
    of = f", channel {channel + 1}" if len(shift["edges"]) > 1 else ""
    ax.set_title(f"intensities, {name}{of}")
    ax.set(yticks=[], ylabel="share of pixels", xlabel="intensity")
