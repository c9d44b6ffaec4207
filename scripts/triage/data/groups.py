"""What belongs together in a study, what its source keeps apart, and the fold of each group.

A group (a patient, a lesion) is never torn apart, nor are cases that show the same picture. The
fold of a group is written down when it is first dealt and kept from then on, so that one more case
moves no other; the seed's permutation of the groups is the only randomness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pandas as pd
from annotated_types import Ge, Le

from triage.command import log
from triage.constraints import Seed, Text
from triage.data import left_out
from triage.data.fingerprints import near_any, near_pairs
from triage.data.folds import assign_folds
from triage.data.withdrawn import NEAR_WITHDRAWN
from triage.errors import UserError
from triage.files import each_row

COLUMNS = ["case", "group", "label", "votes", "part", "fold", "images", "reason", "twin"]
_SAME_GROUP = "the same group"
_SHOWN = 5


@dataclass(frozen=True)
class SplitSettings:
    """How cases are split into training, validation and test."""

    k: Annotated[int, Ge(2)] = 5
    """Folds that cases are dealt into, whole groups at a time."""
    seed: Seed = 1
    """Of the permutation that deals them."""
    validation: Literal["fold", "source", "none"] = "fold"
    """Cut from the folds, taken as the source gives it, or none."""
    test: Literal["fold", "source", "none"] = "source"
    """fold: the next fold is a labelled test part that chooses nothing."""
    stratify: Literal["label", "votes"] = "label"
    """What is spread evenly over the folds."""
    near_duplicate_bits: Annotated[int, Ge(0), Le(64)] = 16
    """Pictures whose fingerprints differ in no more of 256 bits count as the same."""
    leave_out: Text | None = None
    """In place of test, an attribute of the table's reader: fold 0 tests on its first value, fold 1
    on the next, and trains on the others. Validation is cut from folds all the same."""
    leaks: Literal["error", "drop"] = "drop"
    """Leave a training case out that is also in another of the source's parts, or stop there."""

    @property
    def cuts_test(self) -> bool:
        """Whether the test part is cut from what else would be for training."""
        return self.test == "fold" or self.leave_out is not None


class Shown(NamedTuple):
    """What the image shards say of a case: its fingerprint ("" if constant), and a checksum."""

    fingerprint: str
    checksum: str


def read_shown(tables: Sequence[Path], cases: Iterable[str]) -> dict[str, Shown]:
    """What each of ``cases`` shows, from the tables of the image shards."""
    found: dict[str, Shown] = {}
    wanted = set(cases)
    for table in tables:
        found |= {case: shown for case, shown in _shown(table) if case in wanted}
    missing = sorted(wanted - found.keys())
    if missing:
        raise UserError(
            f"{len(missing)} case(s) have no image, such as {missing[0]}",
            where=tables[0].parent if tables else "--tables",
            remedy="remake the images step",
        )
    return found


def _shown(table: Path) -> Iterator[tuple[str, Shown]]:
    """Of the cases of one shard; the slices of a case follow one another."""
    columns = ["case", "index", "height", "width", "fingerprint", "crc32"]
    case, fingerprint, checksum = "", "", hashlib.blake2b(digest_size=16)
    for row in each_row(table, "images", columns):
        if row["index"] == "0":
            if case:
                yield case, Shown(fingerprint, checksum.hexdigest())
            case, fingerprint, checksum = row["case"], "", hashlib.blake2b(digest_size=16)
        fingerprint = row["fingerprint"] or fingerprint
        checksum.update(f"{row['height']} {row['width']} {row['crc32']}\n".encode())
    if case:
        yield case, Shown(fingerprint, checksum.hexdigest())


def make(
    manifest: pd.DataFrame,
    shown: Mapping[str, Shown],
    settings: SplitSettings,
    known: Mapping[str, int],
    withdrawn: Sequence[str] = (),
) -> tuple[pd.DataFrame, dict[str, int]]:
    """A row a case, sorted: group, part as the source has it, and fold; and all folds dealt so far.

    ``group`` is that of the manifest, joined with those that show the same pictures. ``fold`` is
    -1 for what is not dealt. ``reason`` and ``twin``: why a case is excluded, and because of which
    other one. ``known``: folds by the digest of a group, as an earlier call returned them.
    ``withdrawn``: fingerprints of withdrawn cases, whose near copies are excluded. Raises UserError
    where the cases do not allow such a split.
    """
    cases = manifest.sort_values("case", ignore_index=True)
    fingerprints = [shown[case].fingerprint for case in cases["case"]]
    groups = _merged_groups(cases, fingerprints, settings)
    parts = _source_parts(cases, settings)
    reasons = pd.DataFrame("", index=cases.index, columns=["reason", "twin"])
    reasons.loc[parts == "excluded", "reason"] = "the source keeps it for testing"
    near = near_any(fingerprints, withdrawn, settings.near_duplicate_bits)
    if near.any():
        log.info("left out, since they nearly show a withdrawn case: %d case(s)", near.sum())
    parts[near], reasons.loc[near, "reason"] = "excluded", NEAR_WITHDRAWN
    parts, reasons = _without_leaks(cases, groups, parts, reasons, settings)
    folds, dealt = np.full(len(cases), -1), dict(known)
    pool = (parts == "train").to_numpy()
    if "fold" in (settings.validation, settings.test):
        folds[pool], dealt = _dealt(cases[pool], groups[pool], settings, known)
    table = _table(cases, shown, groups, parts, reasons, folds)
    if settings.leave_out:
        used = parts.isin(["train", "val"])  # a value that is left out validates nothing either
        left, dealt = left_out.of(cases[used], groups[used], settings.leave_out, dealt)
        table = table.join(left.reindex(table.index, fill_value=""))
    return table, dealt


def exclude_seen(
    manifest: pd.DataFrame,
    shown: Mapping[str, Shown],
    seen: pd.DataFrame,
    seen_shown: Mapping[str, Shown],
    settings: SplitSettings,
    same_patients: bool,
    withdrawn: Sequence[str] = (),
) -> pd.DataFrame:
    """The groups (COLUMNS) of a manifest from elsewhere: the part of each case is external, or
    excluded if its group has a picture, or with ``same_patients`` the name, of one that was seen.

    ``seen``: the manifest of the cases that training or validation use. ``withdrawn``:
    fingerprints of withdrawn cases, whose near copies are excluded.
    """
    cases = manifest.sort_values("case", ignore_index=True)
    # A name means another patient on the other side, unless it is said that it does not.
    sides = (cases, "="), (seen, "=" if same_patients else "~")
    both = pd.concat([side.assign(group=mark + side["group"]) for side, mark in sides])
    both = both.reset_index(drop=True)
    prints = [shown[case].fingerprint for case in cases["case"]]
    prints += [seen_shown[case].fingerprint for case in seen["case"]]
    parts = pd.Series(["train"] * len(cases) + ["val"] * len(seen), dtype=object)
    reasons = pd.DataFrame("", index=both.index, columns=["reason", "twin"])
    near = np.zeros(len(both), bool)  # what was seen stays seen, whatever it is a copy of
    own = slice(len(cases))
    near[own] = near_any(prints[own], withdrawn, settings.near_duplicate_bits)
    parts[near], reasons.loc[near, "reason"] = "excluded", NEAR_WITHDRAWN
    groups = _merged_groups(both, prints, settings)
    parts, reasons = _without_leaks(both, groups, parts, reasons, replace(settings, leaks="drop"))
    found = parts[own].replace("train", "external")
    return _table(cases, shown, groups[own].str[1:], found, reasons[own], -1)


def _table(
    cases: pd.DataFrame,
    shown: Mapping[str, Shown],
    groups: pd.Series,
    parts: pd.Series,
    reasons: pd.DataFrame,
    folds: np.ndarray | int,
) -> pd.DataFrame:
    """COLUMNS."""
    images = [shown[case].checksum for case in cases["case"]]
    own = {"group": groups, "part": parts, "fold": folds, "images": images, **reasons}
    return cases[["case", "label", "votes"]].assign(**own)[COLUMNS]


def _merged_groups(
    cases: pd.DataFrame, fingerprints: Sequence[str], settings: SplitSettings
) -> pd.Series:
    """The group of each case; those that share a picture are joined under the first one's name."""
    from scipy.sparse import coo_array, csgraph  # here: takes longer to load than most splits

    pairs = [
        *_equal(cases["group"]),
        *_equal(cases["sha256"]),
        *near_pairs(fingerprints, settings.near_duplicate_bits),
    ]
    ones, others = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(ones)), (ones, others)), shape=(len(cases), len(cases)))
    count, component = csgraph.connected_components(links, directed=False)
    codes, names = pd.factorize(cases["group"], sort=True)
    first = np.full(count, len(names))
    np.minimum.at(first, component, codes)
    groups = pd.Series(names.take(first[component]), index=cases.index)
    joined = len(names) - groups.nunique()
    if joined:
        log.info("%d group(s) show the same pictures as others and are joined to them", joined)
    return groups


def _equal(values: Iterable[str]) -> list[tuple[int, int]]:
    """Each position that holds the same text as an earlier one, with the first such."""
    firsts: dict[str, int] = {}
    return [(firsts[text], i) for i, text in enumerate(values) if firsts.setdefault(text, i) != i]


def _source_parts(cases: pd.DataFrame, settings: SplitSettings) -> pd.Series:
    """The partition of each case before anything is cut from the training part."""
    source = cases["partition"]
    parts = pd.Series("train", index=cases.index, dtype=object)
    if settings.validation == "source":
        parts[source == "val"] = "val"
    if not settings.cuts_test:
        # What the source keeps for testing is not trained on, even where nothing is tested.
        parts[source == "test"] = "test" if settings.test == "source" else "excluded"
    parts[cases["label"] == ""] = "unlabelled"
    return parts


_LEVELS = {"excluded": -1, "train": 0, "val": 1, "test": 2, "unlabelled": 2}


def _without_leaks(
    cases: pd.DataFrame,
    groups: pd.Series,
    parts: pd.Series,
    reasons: pd.DataFrame,
    settings: SplitSettings,
) -> tuple[pd.Series, pd.DataFrame]:
    """Parts where no group is on two sides: refused or, if so set, dropped from training."""
    level = parts.map(_LEVELS)
    highest = level.groupby(groups).transform("max")
    leaking = (level >= 0) & (level < highest)
    if not leaking.any():
        return parts, reasons
    reasons = reasons.copy()
    for leak in _leaks(cases, groups, level, leaking):
        reasons.loc[leak.position, ["reason", "twin"]] = [leak.why, cases["case"][leak.other]]
    if settings.leaks == "error":
        raise _refusal(cases, parts, reasons, leaking)
    log.info("left out, since another part has the same group or picture: %d", leaking.sum())
    return parts.mask(leaking, "excluded"), reasons


class _Leak(NamedTuple):
    """A case, another one that gives it away in a part of more weight, and in what respect."""

    position: int
    other: int
    why: str


def _leaks(
    cases: pd.DataFrame, groups: pd.Series, level: pd.Series, leaking: pd.Series
) -> Iterator[_Leak]:
    members = groups.groupby(groups).indices
    for position in np.flatnonzero(leaking).tolist():
        own = members[groups[position]]
        others = own[(level[own] > level[position]).to_numpy()]
        same_group = others[(cases["group"][others] == cases["group"][position]).to_numpy()]
        same_files = others[(cases["sha256"][others] == cases["sha256"][position]).to_numpy()]
        if len(same_group):
            yield _Leak(position, same_group[0], _SAME_GROUP)
        elif len(same_files):
            yield _Leak(position, same_files[0], "the same file")
        else:
            yield _Leak(position, others[0], "the same or nearly the same picture")


def _refusal(
    cases: pd.DataFrame, parts: pd.Series, reasons: pd.DataFrame, leaking: pd.Series
) -> UserError:
    part_of = dict(zip(cases["case"], parts, strict=True))
    lines = []
    for position in np.flatnonzero(leaking)[:_SHOWN]:
        case, group = cases.loc[position, ["case", "group"]]
        why, twin = reasons.loc[position, ["reason", "twin"]]
        why += f", {group}" if why == _SAME_GROUP else ""
        lines.append(f"\n  {case} ({part_of[case]}) and {twin} ({part_of[twin]}): {why}")
    more = f"\n  and {leaking.sum() - _SHOWN} more" if leaking.sum() > _SHOWN else ""
    return UserError(
        f"{leaking.sum()} case(s) for training or validation are also in another part of the data:"
        + "".join(lines)
        + more,
        where="split",
        remedy="set split.leaks: drop to leave them out of training, or mend the raw data",
    )


def _dealt(
    cases: pd.DataFrame, groups: pd.Series, settings: SplitSettings, known: Mapping[str, int]
) -> tuple[np.ndarray, dict[str, int]]:
    """The fold of each case, and those of all groups with what was known before."""
    _check_enough(cases, groups, settings)
    if settings.stratify == "votes":
        strata = _votes(cases).str.get_dummies()
    else:
        strata = cases["label"].str.get_dummies("|")
    members = strata.groupby(groups).sum()  # sorted by group
    digests = cases["group"].map({own: _digest(own, settings) for own in cases["group"].unique()})
    # Of joined groups, the first that has a fold says it.
    dealt = pd.DataFrame({"own": cases["group"], "group": groups, "fold": digests.map(known)})
    dealt = dealt.dropna().sort_values("own").drop_duplicates("group").set_index("group")
    before = dealt["fold"].reindex(members.index, fill_value=-1).to_numpy(int)
    found = assign_folds(members.to_numpy(), settings.k, settings.seed, before)
    folds = groups.map(pd.Series(found, index=members.index)).to_numpy()
    return folds, dict(known) | dict(zip(digests, folds.tolist(), strict=True))


def _digest(group: str, settings: SplitSettings) -> str:
    """What a group is written down by: no name, and another one for each way to deal."""
    text = "\0".join([str(settings.k), str(settings.seed), settings.stratify, group])
    return hashlib.blake2b(text.encode("utf-8"), digest_size=8).hexdigest()


def _votes(cases: pd.DataFrame) -> pd.Series:
    without = cases["case"][cases["votes"] == ""]
    if len(without):
        raise UserError(
            f"case {without.iloc[0]} has no votes",
            where="split.stratify",
            remedy="set split.stratify: label",
        )
    return cases["votes"]


def _check_enough(cases: pd.DataFrame, groups: pd.Series, settings: SplitSettings) -> None:
    """Refuse more folds than a class has groups, since a fold without it can't be judged."""
    present = pd.DataFrame({"group": groups, "label": cases["label"].str.split("|")})
    counts = present.explode("label").drop_duplicates()["label"].value_counts().sort_index()
    few = {str(label): int(count) for label, count in counts.items() if count < settings.k}
    if not few:
        return
    listed = ", ".join(f"{label} {count}" for label, count in few.items())
    if cases["label"].str.contains("|", regex=False).any():  # rare findings can't be everywhere
        log.warning("warning: fewer groups than %d folds: %s", settings.k, listed)
        return
    least = min(few.values())
    merge = "leave the class out, join it to another one, or add cases"
    raise UserError(
        f"{settings.k} folds, but fewer groups: {listed}",
        where="split.k",
        remedy=merge if least < 2 else f"set split.k to {least} or less, or add cases",
    )
