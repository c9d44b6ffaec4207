"""Pictures of a study's data: what the images look like and how the cases are spread."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator, NullLocator

from triage import pseudonyms
from triage.data import attributes
from triage.data.image_store import Images
from triage.data.manifest import split_cases
from triage.errors import UserError
from triage.figures import style, tiles, twins
from triage.figures.settings import ExploreSettings
from triage.figures.twins import Pair
from triage.files import each_row

Floats = npt.NDArray[np.float64]
Stack = npt.NDArray[np.generic]

PARTITIONS = ("train", "val", "test", "unlabelled", "excluded")
BINS = 96
# Enough to see the spread of a class, and a bound on what is read.
MOST_CASES = 100
SAMPLED = 128  # pixels along a side that a histogram takes
RANGES = ("first third of slices", "middle third", "last third")
SPOTS = 3  # circled in each slice
UNKNOWN = "unknown"
DECADES = 0.8  # inches: the room for labels such as 0.0001


@dataclass(frozen=True)
class Study:
    """The cases of a study (rows of its manifest, each with its partition) and their images."""

    cases: tuple[dict[str, str], ...]
    images: Images
    channels: tuple[str, ...]
    settings: ExploreSettings
    pairs: Sequence[Pair] = ()

    @classmethod
    def read(
        cls,
        manifest: Path,
        split: Path,
        arrays: Iterable[Path],
        tables: Sequence[Path],
        groups: Path,
        settings: ExploreSettings,
    ) -> Study:
        """The study in these files."""
        cases = tuple(split_cases(manifest, split))
        images = Images.open(list(arrays), list(tables))
        roles = [role for row in islice(each_row(manifest), 1) for role in json.loads(row["files"])]
        pairs = twins.read_pairs(groups, tables, cases)
        return cls(cases, images, _channel_names(roles, images.channels), settings, pairs)

    def shown(self, case: str) -> str:
        """What a picture calls a case."""
        return pseudonyms.shown(case, self.settings.pseudonyms)

    @property
    def is_volume(self) -> bool:
        """Whether a case has several slices."""
        return self.images.most_slices > 1

    @cached_property
    def training(self) -> dict[str, list[str]]:
        """Training cases by class, each class in an order drawn by the seed.

        Only classes that have some, and the commonest of them where they outnumber the colours.
        """
        found: dict[str, list[str]] = {label: [] for label in self.settings.classes}
        for case in self.cases:
            for label in case["label"].split("|"):
                if case["partition"] == "train" and label in found:
                    found[label].append(case["case"])
        common = sorted(filter(found.get, found), key=lambda label: -len(found[label]))
        chosen = set(common[: len(style.COLOURS)])
        return {
            label: _shuffled(cases, self.settings.seed, number)
            for number, (label, cases) in enumerate(found.items())
            if label in chosen
        }

    @property
    def selection(self) -> str:
        """Which classes pictures show; empty where it is all that have training cases."""
        training = [case for case in self.cases if case["partition"] == "train"]
        labels = {label for case in training for label in case["label"].split("|")}
        present, shown = labels & set(self.settings.classes), len(self.training)
        few = shown < len(present)
        return f"{shown} of {len(present)} classes, the commonest" if few else ""


def _shuffled(names: list[str], *key: int) -> list[str]:
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
    names = sorted(names)
    return [names[i] for i in generator.permutation(len(names))]


def _channel_names(roles: list[str], count: int) -> tuple[str, ...]:
    if len(roles) == count and count > 1:
        return tuple(roles)
    return {1: ("grey",), 3: ("red", "green", "blue")}.get(
        count, tuple(f"channel {i}" for i in range(count))
    )


def intensities(study: Study) -> Figure:
    """Intensities by class, channel and range of slices: the median case and its spread."""
    found = {label: _histograms(study, label) for label in study.training}
    edges = _edges(study)
    ranges = RANGES if study.is_volume else ("all",)
    columns = len(study.channels)
    figure, axes = style.panels(
        len(ranges) * columns, height=2.2, columns=columns, left=DECADES, sharex="col"
    )
    for i, ax in enumerate(axes):
        part, channel = divmod(i, columns)
        for k, histograms in enumerate(found.values()):
            low, middle, high = np.percentile(histograms[:, part, channel], (10, 50, 90), axis=0)
            centres = (edges[channel][1:] + edges[channel][:-1]) / 2
            ax.fill_between(centres, low, high, color=style.colour(k), alpha=0.15, linewidth=0)
            ax.plot(centres, middle, color=style.colour(k), linewidth=1.3)
        name = study.channels[channel]
        ax.set_title(f"{name}, {ranges[part]}" if study.is_volume else name)
        _histogram_axes(ax, first=channel == 0, last=part == len(ranges) - 1)
    style.key(figure, [style.swatch(k) for k in range(len(found))], list(found))
    return figure


def intensities_apart(study: Study) -> Figure:
    """Intensities of every case as a line of its own, a row a class; the median is bold."""
    edges = _edges(study)
    columns = len(study.channels)
    classes = study.training
    figure, axes = style.panels(
        len(classes) * columns, height=2.2, columns=columns, left=DECADES, sharex="col"
    )
    for k, label in enumerate(classes):
        whole = _histograms(study, label).mean(axis=1)
        for channel in range(columns):
            ax = axes[k * columns + channel]
            centres = (edges[channel][1:] + edges[channel][:-1]) / 2
            lines = whole[:, channel]
            ax.plot(centres, lines.T, color=style.colour(k), linewidth=0.5, alpha=0.35)
            ax.plot(centres, np.median(lines, axis=0), color=style.INK, linewidth=1.4)
            ax.set_title(f"{study.channels[channel]}, {label}")
            _histogram_axes(ax, first=channel == 0, last=k == len(classes) - 1)
    return figure


def _histogram_axes(ax: Axes, *, first: bool, last: bool) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.set_ylim(bottom=1e-4)
    if first:
        ax.set_ylabel("share of pixels")
    if last:
        ax.set_xlabel("intensity")


def _edges(study: Study) -> list[Floats]:
    """Bin edges of each channel, up to an intensity that few pixels exceed."""
    cases = [case for label in study.training for case in study.training[label][:8]]
    stacks = [_sampled(study.images.stack(case)) for case in cases]
    edges = []
    for channel in range(len(study.channels)):
        values = np.concatenate([stack[:, channel].ravel() for stack in stacks])
        low, high = float(values.min()), float(np.percentile(values, 99.9))
        edges.append(np.linspace(low, max(high, low + 1), BINS + 1))
    return edges


def _histograms(study: Study, label: str) -> Floats:
    """Shares of pixels [cases, ranges, channels, bins] of the training cases of a class."""
    edges = _edges(study)
    found = []
    for case in study.training[label][:MOST_CASES]:
        sampled = _sampled(study.images.stack(case))
        parts = np.array_split(sampled, len(RANGES)) if study.is_volume else [sampled]
        found.append([_channel_histograms(part, edges) for part in parts])
    return np.array(found)


def _channel_histograms(stack: Stack, edges: list[Floats]) -> list[Floats]:
    shares = []
    for channel, each in enumerate(edges):
        values = stack[:, channel].ravel()
        step = (each[-1] - each[0]) / BINS
        bins = ((values - each[0]) / step).astype(np.intp)
        bins = bins[(bins >= 0) & (bins < BINS)]
        shares.append(np.bincount(bins, minlength=BINS) / max(len(values), 1))
    return shares


def _sampled(stack: Stack) -> Stack:
    step = max(1, max(stack.shape[2:]) // SAMPLED)
    return stack[:, :, ::step, ::step]


def cases(study: Study) -> Figure:
    """Random training cases of every class: the middle slice, a row a channel of a volume."""
    rows: list[list[tiles.Image | None]] = []
    names: list[str] = []
    captions = {}
    for label in study.training:
        chosen = study.training[label][: study.settings.cases]
        faces = [tiles.faces(study.images.stack(case), 256) for case in chosen]
        captions[len(rows)] = list(map(study.shown, chosen))
        for i in range(len(faces[0])):
            rows.append([each[i] for each in faces])
            names.append(f"{label}\n{study.channels[i]}" if study.is_volume else label)
    return tiles.figure(tiles.sheet(rows, captions), names)


def patients(study: Study) -> Figure:
    """All slices of one random training case of every class, a row a channel."""
    wide = 16
    rows: list[list[tiles.Image | None]] = []
    names = []
    for label in study.training:
        for case in study.training[label][:1]:
            whole = study.images.stack(case)
            channels = [tiles.window(whole[:, c]) for c in range(whole.shape[1])]
            for start in range(0, len(whole), wide):
                for channel, windowed in zip(study.channels, channels, strict=True):
                    part = windowed[start : start + wide]
                    rows.append([tiles.shrink(image, 128) for image in part])
                    numbers = f"{start}-{start + len(part) - 1}"
                    names.append(f"{study.shown(case)} ({label})\n{channel}, {numbers}")
    return tiles.figure(tiles.sheet(rows), names, size=6.5)


def spots(study: Study) -> Figure:
    """The slice with the brightest spot of random training cases, its spots circled."""
    channel = study.channels.index("T2-FLAIR") if "T2-FLAIR" in study.channels else -1
    rows: list[list[tiles.Image | None]] = []
    circles = []
    for label in study.training:
        row: list[tiles.Image | None] = []
        for case in study.training[label][: study.settings.cases]:
            windowed = tiles.window(study.images.stack(case)[:, channel])
            image, found = _brightest_slice(windowed)
            circles += [(len(rows), len(row), *spot) for spot in found]
            row.append(image)
        rows.append(row)
    shown = tiles.sheet(rows)
    figure = tiles.figure(shown, list(study.training))
    width = shown.cell[1]
    for i, k, y, x in circles:
        centre = (k * width + x, shown.tops[i] + y)
        circle = Circle(centre, 0.05 * width, fill=False, color="#D55E00", linewidth=1.4)
        figure.axes[0].add_patch(circle)
    return figure


def _brightest_slice(volume: tiles.Image) -> tuple[tiles.Image, list[tuple[int, int]]]:
    """The slice of ``volume`` [slices, h, w] with the brightest spot, and its spots."""
    from triage.figures.spots import brightest  # its import is slow, and only volumes need it

    found = [brightest(image, SPOTS) for image in volume]
    tops = [spots[0][2] if spots else -1.0 for spots in found]
    best = int(np.argmax(tops))
    return volume[best], [(row, column) for row, column, _ in found[best]]


def counts(study: Study) -> Figure:
    """How many cases of each class, vote, sex and age there are in each partition."""
    sizes: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for case in study.cases:
        known, part = attributes.of(case), case["partition"]
        sizes["votes"][case["votes"] or UNKNOWN, part] += 1
        sizes["sex"][known.get("sex") or UNKNOWN, part] += 1
        sizes["age"][_decade(known.get("age", "")) or UNKNOWN, part] += 1
        for label in case["label"].split("|"):
            sizes["label"][label or "unlabelled", part] += 1
    present = {part for _, part in sizes["label"]}
    parts = [part for part in PARTITIONS if part in present]
    kinds = [kind for kind in ("votes", "sex", "age") if {of for of, _ in sizes[kind]} - {UNKNOWN}]
    values = {
        kind: _values(sizes[kind], kind, study.settings.classes) for kind in ("label", *kinds)
    }
    order = ["label", *sorted(kinds, key=lambda kind: -len(values[kind]))]  # like beside like
    most = [max(len(values[kind]) for kind in order[i : i + 2]) for i in range(0, len(order), 2)]
    heights = [0.75 + max(1.2, (0.13 * len(parts) + 0.05) * rows) for rows in most]
    left = style.room(value for each in values.values() for value in each)
    figure, axes = style.panels(len(order), height=heights, columns=2, left=left)
    for i, (kind, ax) in enumerate(zip(order, axes, strict=True)):
        _bars(ax, sizes[kind], values[kind], parts)
        ax.set_ylim(max(len(values[kind]), most[i // 2] / 2) - 0.5, -0.5)
        ax.set_title(f"cases by {'class' if kind == 'label' else kind}")
    style.key(figure, [style.swatch(i) for i in range(len(parts))], parts)
    return figure


def _values(sizes: Counter[tuple[str, str]], kind: str, classes: tuple[str, ...]) -> list[str]:
    """The values of a kind that cases have, in their order."""
    present = {value for value, _ in sizes}
    known = (*classes, "unlabelled") if kind == "label" else sorted(present - {UNKNOWN})
    return [value for value in (*known, UNKNOWN) if value in present]


def _decade(age: str) -> str:
    return f"{float(age) // 10 * 10:.0f}s" if age else ""


def _bars(ax: Axes, sizes: Counter[tuple[str, str]], values: list[str], parts: list[str]) -> None:
    """Horizontal bars: a group a value, a bar a partition, the count at its end."""
    height = 0.8 / len(parts)
    for i, part in enumerate(parts):
        widths = [sizes[value, part] for value in values]
        where = np.arange(len(values)) + (i - (len(parts) - 1) / 2) * height
        bars = ax.barh(where, widths, height * 0.92, color=style.colour(i))
        ax.bar_label(bars, [str(width or "") for width in widths], fontsize=6.5, padding=2)
    ax.set_yticks(range(len(values)), values)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set_xlabel("cases")


FIGURES = {
    "counts": counts,
    "intensities": intensities,
    "intensities_apart": intensities_apart,
    "cases": cases,
    "patients": patients,
    "spots": spots,
    "twins": lambda study: twins.figure(study.pairs, study.images, study.shown),
}


def draw(study: Study, targets: Iterable[Path]) -> Iterator[tuple[Path, Figure]]:
    """Each of the pictures that the names of ``targets`` ask for."""
    for target in targets:
        if target.stem not in FIGURES:
            raise UserError("no such picture", where=target, remedy=f"one of {', '.join(FIGURES)}")
        of_classes = target.stem not in ("counts", "twins")
        if of_classes and not study.training:
            yield target, style.notice("no training case has a known label")
            continue
        figure = FIGURES[target.stem](study)
        if of_classes and study.selection:
            style.remark(figure, study.selection)
        yield target, figure
