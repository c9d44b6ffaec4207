"""How every picture looks: colours, sizes, panels, and files that are the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from triage.files import atomic

# Okabe and Ito's colours (2008), which people with any colour vision tell apart, most distinct
# first; their yellow is left out, since it is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
QUIET = "#8C8C8C"
FAINT = "#D9D9D9"
INK = "#222222"

WIDTH = 10.0  # inches
KEY = 0.35  # inches: the row of the key
DPI = 120  # of images; what is drawn of lines is written as SVG

# What a plotting call is told about looks.
Look = dict[str, Any]

RC: Look = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#666666",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.size": 9,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.dpi": DPI,
    "svg.fonttype": "path",
    "svg.hashsalt": "triage",
    "text.color": INK,
    "xtick.color": "#444444",
    "xtick.labelsize": 8,
    "ytick.color": "#444444",
    "ytick.labelsize": 8,
}


@contextmanager
def styled() -> Iterator[None]:
    """Everything drawn and saved inside looks as this module says."""
    with matplotlib.rc_context(cast(Any, RC)):
        yield


def panels(
    count: int, *, height: float, columns: int = 3, left: float = 0.62, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` axes, row by row, with room for titles, labels and a key on top.

    ``height`` is that of one row and ``left`` the room for labels left of each axes, in inches.
    """
    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    tall = KEY + rows * height
    figure = Figure(figsize=(WIDTH, tall))
    each = WIDTH / columns
    # Margins by hand: automatic layout draws everything twice.
    figure.subplots_adjust(
        left=left / WIDTH,
        right=1 - 0.15 / WIDTH,
        top=1 - (KEY + 0.25) / tall,
        bottom=0.5 / tall,
        wspace=(left + 0.15) / (each - left - 0.15),
        hspace=0.75 / (height - 0.75),
    )
    axes = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def key(figure: Figure, handles: Sequence[Artist], words: Sequence[str]) -> None:
    """Explain colours and lines in the top right corner."""
    figure.legend(
        handles,
        words,
        loc="upper right",
        bbox_to_anchor=(1 - 0.1 / WIDTH, 1),
        borderaxespad=0.2,
        ncols=min(len(words), 7),
        columnspacing=1.2,
        handlelength=1.6,
    )


def remark(figure: Figure, words: str) -> None:
    """Say something of the whole picture in its top left corner."""
    inches = 0.08
    place = (inches / WIDTH, 1 - inches / figure.get_figheight())
    figure.text(*place, words, ha="left", va="top", fontsize=8, color=QUIET)


def colour_key(figure: Figure, words: str, colours: str) -> None:
    """Explain a scale of colours from 0 to 1 in the top right corner."""
    tall = figure.get_figheight()
    ax = figure.add_axes((0.83, 1 - 0.15 / tall, 0.14, 0.1 / tall))
    ax.imshow(np.linspace(0, 1, 128)[None], cmap=colours, aspect="auto", extent=(0, 1, 0, 1))
    ax.grid(visible=False)
    ax.set(yticks=[], xticks=[0, 0.5, 1])
    ax.set_ylabel(words, rotation=0, ha="right", va="center")
    ax.tick_params(length=0, pad=1, labelsize=7)


def swatch(index: int) -> Line2D:
    """What a key shows for the series number ``index``."""
    return Line2D([], [], color=colour(index), linewidth=5)


def colour(index: int) -> str:
    """The colour of the series number ``index``; they repeat after the last."""
    return COLOURS[index % len(COLOURS)]


def title(name: str) -> str:
    """A name from a setting or path as words for people."""
    return name.replace("_", " ")


def square(axes: Axes) -> None:
    """Make ``axes`` a unit square with a little room for lines on its border."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")


def bare(axes: Axes) -> None:
    """Take away all but the picture."""
    axes.grid(visible=False)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def notice(text: str) -> Figure:
    """A small picture that says in words why there is nothing to show."""
    figure = Figure(figsize=(WIDTH, 0.8))
    figure.text(0.5, 0.5, text, ha="center", va="center", color="#444444", fontsize=11)
    return figure


def save(figure: Figure, target: Path) -> None:
    """Write ``figure`` as PNG or SVG, by the suffix of ``target``, without date or version."""
    with atomic(target) as partial:
        if target.suffix == ".svg":
            figure.savefig(partial, metadata={"Date": None, "Creator": None})
        else:
            _save_pixels(figure, partial)


def _save_pixels(figure: Figure, target: Path) -> None:
    """Write a PNG: of one channel where everything is grey, which halves it."""
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    grey = bool((pixels == pixels[..., :1]).all())
    Image.fromarray(np.ascontiguousarray(pixels[..., 0] if grey else pixels)).save(target, "PNG")
