"""The split of a run: the training, validation and test cases of one fold, each part a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from triage.command import log
from triage.data.groups import SplitSettings
from triage.errors import UserError
from triage.files import read_table
from triage.task import classes_of

COLUMNS = ["case", "group", "label", "fold", "partition"]
PARTITIONS = ("train", "val", "test", "unlabelled")
_SETTING = {"train": "k", "val": "validation", "test": "test"}  # what says who is in a part
# What those read that use one part: nothing in it changes with a case of another part.
PART_COLUMNS = ["case", "group", "label", "votes", "images"]


def make(groups: pd.DataFrame, fold: int, settings: SplitSettings) -> pd.DataFrame:
    """The split for a run of ``fold``: a row a case, with its ``partition``.

    ``groups``: what ``groups.make`` returns. Raises UserError where the cases do not allow it.
    """
    _check_fold(fold, settings)
    split = groups.rename(columns={"part": "partition"})
    folds, partition = split["fold"].to_numpy(int), split["partition"].to_numpy(object)
    if settings.validation == "fold":
        partition = np.where(folds == fold % settings.k, "val", partition)
    if settings.leave_out:
        left = _left_out(split, fold)
        partition = np.where(left, "test", partition)
        split["left_out"] = split["left_out"].where(left, "")
    elif settings.test == "fold":
        partition = np.where(folds == (fold + 1) % settings.k, "test", partition)
    split["partition"] = partition
    _check_filled(split, settings)
    check(split)
    _report(split)
    return split


def part(split: pd.DataFrame, partition: str) -> pd.DataFrame:
    """The list of one part: its cases, with checksums of their images."""
    left_out = ["left_out"] * (partition == "test" and "left_out" in split)
    return split.loc[split["partition"] == partition, PART_COLUMNS + left_out]


def read_lists(paths: Sequence[Path]) -> pd.DataFrame:
    """Some parts of a split together, from the lists ``<partition>/fold<k>.csv``."""
    tables = [read_table(path, PART_COLUMNS).assign(partition=path.parent.name) for path in paths]
    return pd.concat(tables, ignore_index=True)


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


def _left_out(split: pd.DataFrame, fold: int) -> pd.Series:
    """Which cases this fold tests on."""
    found = split["test_fold"] == str(fold)
    if not found.any():
        known = split[split["test_fold"] != ""].drop_duplicates("test_fold")
        listed = [f"{row.test_fold} {row.left_out}" for row in known.itertuples()]
        raise UserError(
            f"fold {fold} has nothing to leave out",
            where="folds",
            remedy=f"folds are {', '.join(sorted(listed))}: see split.leave_out",
        )
    log.info("left out: %s", split["left_out"][found].iloc[0])
    return found


def _check_fold(fold: int, settings: SplitSettings) -> None:
    if settings.leave_out:
        return
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
    test = "fold" if settings.leave_out else settings.test
    needed = {"train": "", "val": settings.validation, "test": test}
    present = set(split["partition"])
    for partition, source in needed.items():
        if source != "none" and partition not in present:
            remedy = "add labelled cases"
            if source == "source":
                remedy = f"the data has no labelled {partition} part of its own: set fold or none"
            where = {"train": "split", "val": "split.validation", "test": "split.test"}[partition]
            raise UserError(f"the {partition} part has no case", where=where, remedy=remedy)


def _report(split: pd.DataFrame) -> None:
    classes = {name for label in split["label"] for name in classes_of(label)}
    for partition in (*PARTITIONS, "excluded"):
        rows = split[split["partition"] == partition]
        if len(rows):
            labels = Counter(name for each in rows["label"] if each for name in each.split("|"))
            listed = "".join(f", {name} {count}" for name, count in sorted(labels.items()))
            groups = rows["group"].nunique()
            log.info("%s: %d case(s) of %d group(s)%s", partition, len(rows), groups, listed)
            if partition in _SETTING and (lacking := sorted(classes - labels.keys())):
                say = "warning: the %s part has no case of %s: add cases, or see split.%s"
                log.warning(say, partition, ", ".join(lacking), _SETTING[partition])
