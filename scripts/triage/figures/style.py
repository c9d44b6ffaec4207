"""How every picture looks: colours, sizes, panels, and files that are the same bytes each time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator
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
LEFT = 0.62  # inches: the room for labels left of axes, if nothing asks for more
TITLES = ((1, 10), (1, 9), (1, 8), (2, 8), (2, 7), (2, 6), (2, 5))  # lines, and size of letters
LEAST_SPAN = 0.2  # of an axis, so that small differences look small
DPI = 120  # of images; what is drawn of lines is written as SVG
ON_VALIDATION = "on the validation part: no test case is labelled"  # of results

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
    "text.parse_math": False,  # names from data are no formulas
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
    count: int,
    *,
    height: float | Sequence[float],
    columns: int = 3,
    left: float = LEFT,
    **options: Any,
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` axes, row by row, with room for titles, labels and a key on top.

    ``height`` is that of a row, or of each row, and ``left`` the room for labels left of each axes,
    in inches; axes that share y have labels left of the first one only.
    """
    columns = max(1, min(columns, count))
    rows = max(1, -(-count // columns))
    heights = np.full(rows, height, float) if isinstance(height, float | int) else np.array(height)
    tall = KEY + float(heights.sum())
    figure = Figure(figsize=(WIDTH, tall))
    between = 0.35 if options.get("sharey") else left + 0.15
    each = (WIDTH - left - 0.15 - (columns - 1) * between) / columns
    # Margins by hand: automatic layout draws everything twice.
    figure.subplots_adjust(
        left=left / WIDTH,
        right=1 - 0.15 / WIDTH,
        top=1 - (KEY + 0.25) / tall,
        bottom=0.5 / tall,
        wspace=between / each,
        hspace=0.75 / float((heights - 0.75).mean()),
    )
    inner = {"height_ratios": heights - 0.75}
    axes = list(figure.subplots(rows, columns, squeeze=False, gridspec_kw=inner, **options).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def width(words: str, size: float, weight: str = "normal") -> float:
    """How many inches a text takes, that is its longest line."""
    font = FontProperties(size=size, weight=weight)
    measure = text_to_path.get_text_width_height_descent
    return max(measure(line, font, ismath=False)[0] for line in words.split("\n")) / 72


def room(names: Iterable[str], size: float = RC["ytick.labelsize"], more: float = 0) -> float:
    """The inches left of axes whose scale has ``names``, and a label that takes ``more``."""
    longest = max((width(name, size) for name in names), default=0.0)
    return max(LEFT, longest + 0.2 + more)


def wrapped(words: str, inches: float, size: float, weight: str = "normal") -> str:
    """``words`` in lines no wider than ``inches``, broken after spaces and underscores."""
    lines = [""]
    for piece in re.findall(r"[^ _]*[ _]?", words):
        if lines[-1] and width((lines[-1] + piece).rstrip(), size, weight) > inches:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


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
    """Say something of the whole picture in its top left corner, which grows where it is taken."""
    inches = 0.08
    _make_room(figure, 2 * inches + 0.14 * (words.count("\n") + 1))
    place = (inches / WIDTH, 1 - inches / figure.get_figheight())
    figure.text(*place, words, ha="left", va="top", fontsize=8, color=QUIET)


def left_out(count: int) -> str:
    """What a picture says that can't hold all arms."""
    return f"{count} arms that are worse on validation are left out"


def _make_room(figure: Figure, inches: float) -> None:
    """Make ``figure`` higher where less than that is free above its axes."""
    tall = figure.get_figheight()
    boxes = {ax: ax.get_position(original=True) for ax in figure.axes}
    top = max((box.y1 for box in boxes.values()), default=0.0)
    higher = tall + max(0.0, inches - (1 - top) * tall)
    scale = tall / higher
    for ax, box in boxes.items():
        ax.set_position((box.x0, box.y0 * scale, box.width, box.height * scale))
    figure.set_figheight(higher)


def colour_key(figure: Figure, words: str, colours: str) -> None:
    """Explain a scale of colours from 0 to 1 in the top right corner."""
    _make_room(figure, KEY)
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


def of_arm(artist: Artist, name: str) -> None:
    """Mark what is drawn of an arm, so that the report can fade it where the arm is left out."""
    artist.set_gid(f"arm-{name}")


def metric_scale(axes: Axes) -> None:
    """Let what is drawn along x reach no further than metrics do, though deviations may."""
    low, high = axes.get_xlim()
    margin = max(0.0, LEAST_SPAN - (high - low)) / 2
    axes.set_xlim(max(low - margin, -0.01), min(high + margin, 1.01))
    axes.xaxis.set_major_locator(MaxNLocator(5))


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


def fit_titles(figure: Figure) -> None:
    """Make the titles of axes smaller, or break them, where they don't fit beside each other."""
    titled = [ax for ax in figure.axes if ax.get_title(loc="left")]
    texts = [ax.get_title(loc="left") for ax in titled]
    rooms = [_room_right_of(ax, titled) for ax in titled]
    for lines, size in TITLES:
        fitted = [
            text if lines == 1 else wrapped(text, inches, size, "bold")
            for text, inches in zip(texts, rooms, strict=True)
        ]
        both = list(zip(fitted, rooms, strict=True))
        if all(
            text.count("\n") < lines and width(text, size, "bold") <= inches
            for text, inches in both
        ):
            break
    for ax, text in zip(titled, fitted if titled else [], strict=True):
        ax.set_title(text, fontsize=size)


def _room_right_of(ax: Axes, others: Sequence[Axes]) -> float:
    """The inches from the left of ``ax`` to the next of the others, or to the figure's edge."""
    starts = [1.0]
    own = _corner(ax)
    for left, top in map(_corner, others):
        if abs(top - own[1]) < 1e-6 and left > own[0] + 1e-6:
            starts.append(left)
    return (min(starts) - own[0]) * WIDTH - 0.12


def _corner(ax: Axes) -> tuple[float, float]:
    ax.apply_aspect()
    box = ax.get_position()
    return box.x0, box.y1


def save(figure: Figure, target: Path) -> None:
    """Write ``figure`` as PNG or SVG, by the suffix of ``target``, without date or version."""
    fit_titles(figure)
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
