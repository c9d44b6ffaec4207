"""The split of a study's cases into training, validation and test, by folds.

A group (a patient, a lesion) is never torn apart, nor are cases that show the same picture. The
seed's permutation of the groups is the only randomness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from triage.command import log
from triage.data.fingerprints import near_pairs
from triage.data.folds import assign_folds
from triage.errors import UserError
from triage.files import each_row

COLUMNS = ["case", "group", "label", "fold", "partition"]
PARTITIONS = ("train", "val", "test", "unlabelled")
_SHOWN = 5


@dataclass(frozen=True)
class SplitSettings:
    """What the split reads of ``params.yaml``.

    validation, test: cut from the folds, taken as the source gives it, or none. stratify: spread
    labels or numbers of votes evenly. near_duplicate_bits: fingerprints that differ in no more of
    256 bits count as the same picture. leaks: what is done where the source's own parts share a
    group or a picture: an error, or drop what is on the side of training.
    """

    k: int
    seed: int
    validation: Literal["fold", "source", "none"]
    test: Literal["fold", "source", "none"]
    stratify: Literal["label", "votes"]
    near_duplicate_bits: int
    leaks: Literal["error", "drop"]


def make(
    manifest: pd.DataFrame, fingerprints: Mapping[str, str], fold: int, settings: SplitSettings
) -> pd.DataFrame:
    """The split for a run of ``fold``: case, group, label, fold, partition; sorted by case.

    ``fingerprints``: of each case, empty where it has none. ``group`` is that of the manifest,
    joined with the groups that show the same pictures. Raises UserError where the cases do not
    allow such a split.
    """
    _check_fold(fold, settings)
    cases = manifest.sort_values("case", ignore_index=True)
    groups = _merged_groups(cases, [fingerprints[case] for case in cases["case"]], settings)
    parts = _source_parts(cases, settings)
    parts = _without_leaks(cases, groups, parts, settings)
    folds = np.full(len(cases), -1)
    if "fold" in (settings.validation, settings.test):
        pool = (parts == "train").to_numpy()
        folds[pool] = _assign(cases[pool], groups[pool], settings)
        if settings.validation == "fold":
            parts[folds == fold] = "val"
        if settings.test == "fold":
            parts[folds == (fold + 1) % settings.k] = "test"
    split = pd.DataFrame(
        {
            "case": cases["case"],
            "group": groups,
            "label": cases["label"],
            "fold": folds,
            "partition": parts,
        }
    )
    _check_filled(split, settings)
    check(split)
    _report(split)
    return split


def check(split: pd.DataFrame) -> None:
    """Raise UserError where a case stands twice or a group is in two partitions."""
    doubled = split["case"][split["case"].duplicated()]
    if len(doubled):
        raise UserError(f"case {doubled.iloc[0]} stands in the split twice", where="split")
    used = split[split["partition"].isin(PARTITIONS)]
    spread = used.groupby("group")["partition"].nunique()
    torn = spread.index[spread > 1]
    if len(torn):
        rows = used[used["group"] == torn[0]]
        where = "; ".join(f"{row.case} in {row.partition}" for row in rows.itertuples())
        raise UserError(
            f"{len(torn)} group(s) are in more than one partition: {torn[0]}: {where}",
            where="split",
            remedy="remake the split step",
        )


def read_fingerprints(tables: Sequence[Path], cases: Sequence[str]) -> dict[str, str]:
    """The fingerprint of each of ``cases``, from the tables of the image shards."""
    found: dict[str, str] = {}
    for table in tables:
        for row in each_row(table, "images", ["case", "fingerprint"]):
            found[row["case"]] = row["fingerprint"] or found.get(row["case"], "")
    missing = sorted(set(cases) - found.keys())
    if missing:
        raise UserError(
            f"{len(missing)} case(s) have no image, such as {missing[0]}",
            where=tables[0].parent if tables else "--tables",
            remedy="remake the images step",
        )
    return found


# --- groups


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
    _, component = csgraph.connected_components(links, directed=False)
    groups = cases["group"].groupby(component).transform("min")
    joined = cases["group"].nunique() - groups.nunique()
    if joined:
        log.info("%d group(s) show the same pictures as others and are joined to them", joined)
    return groups


def _equal(values: Iterable[str]) -> list[tuple[int, int]]:
    """Each position that holds the same text as an earlier one, with the first such."""
    firsts: dict[str, int] = {}
    return [(firsts[text], i) for i, text in enumerate(values) if firsts.setdefault(text, i) != i]


# --- what the source says


def _source_parts(cases: pd.DataFrame, settings: SplitSettings) -> pd.Series:
    """The partition of each case before anything is cut from the training part."""
    source = cases["partition"]
    parts = pd.Series("train", index=cases.index, dtype=object)
    if settings.validation == "source":
        parts[source == "val"] = "val"
    if settings.test != "fold":
        # What the source keeps for testing is not trained on, even where nothing is tested.
        parts[source == "test"] = "test" if settings.test == "source" else "excluded"
    parts[cases["label"] == ""] = "unlabelled"
    return parts


_LEVELS = {"excluded": -1, "train": 0, "val": 1, "test": 2, "unlabelled": 2}


def _without_leaks(
    cases: pd.DataFrame, groups: pd.Series, parts: pd.Series, settings: SplitSettings
) -> pd.Series:
    """``parts`` where no group is on two sides: refused or, if so set, dropped from training."""
    level = parts.map(_LEVELS)
    highest = level.groupby(groups).transform("max")
    leaking = (level >= 0) & (level < highest)
    if not leaking.any():
        return parts
    if settings.leaks == "error":
        raise _leak(cases, groups, parts, level, leaking)
    log.info("left out, since another part has the same group or picture: %d", leaking.sum())
    return parts.mask(leaking, "excluded")


def _leak(
    cases: pd.DataFrame,
    groups: pd.Series,
    parts: pd.Series,
    level: pd.Series,
    leaking: pd.Series,
) -> UserError:
    lines = []
    for position in np.flatnonzero(leaking)[:_SHOWN]:
        others = np.flatnonzero((groups == groups[position]) & (level > level[position]))
        same_group = others[cases["group"][others] == cases["group"][position]]
        same_files = others[cases["sha256"][others] == cases["sha256"][position]]
        other, why = others[0], "the same or nearly the same picture"
        if len(same_group):
            other, why = same_group[0], f"both of group {cases['group'][position]}"
        elif len(same_files):
            other, why = same_files[0], "the same file"
        names = [f"{cases['case'][each]} ({parts[each]})" for each in (position, other)]
        lines.append(f"\n  {names[0]} and {names[1]}: {why}")
    more = f"\n  and {leaking.sum() - _SHOWN} more" if leaking.sum() > _SHOWN else ""
    return UserError(
        f"{leaking.sum()} case(s) for training or validation are also in another part of the data:"
        + "".join(lines)
        + more,
        where="split",
        remedy="set split.leaks: drop to leave them out of training, or mend the raw data",
    )


# --- folds


def _assign(cases: pd.DataFrame, groups: pd.Series, settings: SplitSettings) -> np.ndarray:
    """The fold of each case."""
    _check_enough(cases, groups, settings)
    if settings.stratify == "votes":
        strata = _votes(cases).str.get_dummies()
    else:
        strata = cases["label"].str.get_dummies("|")
    members = strata.groupby(groups).sum()  # sorted by group
    folds = pd.Series(
        assign_folds(members.to_numpy(), settings.k, settings.seed), index=members.index
    )
    return groups.map(folds).to_numpy()


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
    raise UserError(
        f"{settings.k} folds, but fewer groups: {listed}",
        where="split.k",
        remedy=f"set split.k to {max(min(few.values()), 2)} or less, or add cases",
    )


# --- verdict


def _check_fold(fold: int, settings: SplitSettings) -> None:
    if "fold" not in (settings.validation, settings.test):
        if fold:
            raise UserError(
                f"fold {fold}, but no part is cut from folds",
                where="folds",
                remedy="set folds: [0], or split.validation: fold",
            )
        return
    if not 0 <= fold < settings.k:
        remedy = f"folds are 0 to {settings.k - 1}; see split.k"
        raise UserError(f"{fold} is not one of {settings.k} folds", where="folds", remedy=remedy)
    needed = 3 if settings.validation == settings.test == "fold" else 2
    if settings.k < needed:
        raise UserError(
            f"{settings.k} fold(s) can't be shared out",
            where="split.k",
            remedy=f"must be at least {needed} with this split.validation and split.test",
        )


def _check_filled(split: pd.DataFrame, settings: SplitSettings) -> None:
    needed = {"train": "", "val": settings.validation, "test": settings.test}
    present = set(split["partition"])
    for partition, source in needed.items():
        if source != "none" and partition not in present:
            remedy = "add labelled cases"
            if source == "source":
                remedy = f"the data has no labelled {partition} part of its own: set fold or none"
            raise UserError(
                f"the {partition} part has no case",
                where={"train": "split", "val": "split.validation", "test": "split.test"}[
                    partition
                ],
                remedy=remedy,
            )


def _report(split: pd.DataFrame) -> None:
    for partition in (*PARTITIONS, "excluded"):
        rows = split[split["partition"] == partition]
        if len(rows):
            labels = Counter(name for each in rows["label"] if each for name in each.split("|"))
            listed = "".join(f", {name} {count}" for name, count in sorted(labels.items()))
            groups = rows["group"].nunique()
            log.info("%s: %d case(s) of %d group(s)%s", partition, len(rows), groups, listed)
