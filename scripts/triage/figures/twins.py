"""Pairs of cases of which one is left out, or whose groups are joined, since they show the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from triage.data.fingerprints import BITS, distance
from triage.data.groups import Shown, read_shown
from triage.data.image_store import Images
from triage.figures import style, tiles
from triage.files import read_rows

MOST = 12  # pairs that are shown
_COMPARED = 50  # cases of a joined group, of which the nearest are shown
_LONGEST = 160  # pixels of an image


class Pair(NamedTuple):
    """Two cases, what became of them, and how many bits of their fingerprints differ."""

    case: str
    twin: str
    why: str
    bits: int | None


def read_pairs(
    groups: Path, tables: Sequence[Path], cases: Iterable[Mapping[str, str]]
) -> list[Pair]:
    """The pairs in the table of ``groups``: of other pictures the nearest first.

    ``tables`` of the image shards have the fingerprints, ``cases`` are rows of the manifest.
    """
    source = {row["case"]: row["group"] for row in cases}
    columns = ("case", "group", "reason", "twin")
    rows = [row for row in read_rows(groups, columns=columns) if row["case"] in source]
    first = {row["group"]: source[row["case"]] for row in rows}
    mixed = {row["group"] for row in rows if source[row["case"]] != first[row["group"]]}
    rows = [row for row in rows if row["twin"] or row["group"] in mixed]
    involved = {row[name] for row in rows for name in ("case", "twin")} & source.keys()
    shown = read_shown(tables, involved)
    left_out = [
        Pair(case, twin, f"left out: {row['reason']}", _bits(case, twin, shown))
        for row in rows
        if (case := row["case"]) and (twin := row["twin"])
    ]
    known = {frozenset(pair[:2]) for pair in left_out}
    joined = [pair for pair in _joined(rows, source, shown) if frozenset(pair[:2]) not in known]

    def order(pair: Pair) -> tuple[bool, int]:
        is_one_group = source[pair.case] == source[pair.twin]
        return is_one_group, BITS if pair.bits is None else pair.bits

    return sorted([*left_out, *joined], key=order)


def _joined(
    rows: Iterable[Mapping[str, str]], source: Mapping[str, str], shown: Mapping[str, Shown]
) -> Iterator[Pair]:
    """The nearest two cases of each two groups of the source that are one."""
    members: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        members[row["group"]].append(row["case"])
    for cases in members.values():
        if len({source[case] for case in cases}) < 2:
            continue
        nearest: dict[frozenset[str], Pair] = {}
        for case, twin in combinations(cases[:_COMPARED], 2):
            both, bits = frozenset((source[case], source[twin])), _bits(case, twin, shown)
            if len(both) < 2 or bits is None:
                continue
            if both not in nearest or bits < (nearest[both].bits or 0):
                nearest[both] = Pair(case, twin, "their groups are joined", bits)
        yield from nearest.values()


def _bits(case: str, twin: str, shown: Mapping[str, Shown]) -> int | None:
    one, other = (shown[each].fingerprint for each in (case, twin))
    return distance(one, other) if one and other else None


def figure(pairs: Sequence[Pair], images: Images, name: Callable[[str], str]) -> Figure:
    """A sheet of the first pairs, side by side; ``name``: what a case is called."""
    if not pairs:
        return style.notice("no case is left out or joined because of another one")
    first = pairs[:MOST]
    drawn, axes = style.panels(len(first), height=2.6, columns=3, left=0.1)
    for pair, ax in zip(first, axes, strict=True):
        ax.imshow(_side_by_side([images.stack(case) for case in pair[:2]]))
        style.bare(ax)
        far = "" if pair.bits is None else f"\n{pair.bits} of {BITS} bits differ"
        words = f"{name(pair.case)} | {name(pair.twin)}\n{pair.why}{far}"
        ax.set_title(words, fontsize=7)
    if len(pairs) > MOST:
        style.remark(drawn, f"{len(pairs) - MOST} more pairs in groups.csv")
    return drawn


def _side_by_side(stacks: Sequence[np.ndarray]) -> np.ndarray:
    """Each case a column, a channel below the other, padded to one size with white."""
    columns = [tiles.faces(stack, _LONGEST) for stack in stacks]
    every = [image for column in columns for image in column]
    height = max(image.shape[0] for image in every) + tiles.GAP
    width = max(image.shape[1] for image in every) + tiles.GAP
    sheet = np.ones((height * max(map(len, columns)), 2 * width, 3), np.float32)
    for across, column in enumerate(columns):
        for down, image in enumerate(column):
            top, left = down * height, across * width
            coloured = image if image.ndim == 3 else image[..., None]
            sheet[top : top + image.shape[0], left : left + image.shape[1]] = coloured
    return sheet
