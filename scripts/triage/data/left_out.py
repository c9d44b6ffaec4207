"""The values of an attribute, each of which is left out of training once, as the test part."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import pandas as pd

from triage.command import log
from triage.data import attributes
from triage.errors import UserError, nearest

# The number of the fold that tests on a case, and in words what is left out with it.
COLUMNS = ["test_fold", "left_out"]
_WHERE = "split.leave_out"
_SHOWN = 5


def of(
    cases: pd.DataFrame, groups: pd.Series, name: str, known: Mapping[str, int]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """COLUMNS for ``cases``, and ``known`` with the number of each value's fold, by a digest.

    Values are numbered in their order, and keep the number they had, unless it was given to another
    one while they were away. Raises UserError where a case has no value, all have the same, or a
    group has two.
    """
    found = [attributes.of({attributes.COLUMN: cell}) for cell in cases[attributes.COLUMN]]
    values = pd.Series([each.get(name, "") for each in found], index=cases.index, dtype=object)
    _check_known(cases, values, name, sorted({key for each in found for key in each}))
    _check_groups(cases, groups, values, name)
    digests = {value: _digest(name, value) for value in sorted(values.unique())}
    numbers: dict[str, int] = {}
    for digest in digests.values():  # of a value that was away, another one may have the number
        if digest in known and known[digest] not in numbers.values():
            numbers[digest] = known[digest]
    for digest in digests.values():
        if digest not in numbers:
            numbers[digest] = next(i for i in range(len(digests)) if i not in numbers.values())
    fold_of = {value: numbers[digest] for value, digest in digests.items()}
    for value, fold in sorted(fold_of.items(), key=lambda each: each[1]):
        log.info("fold %d tests on %s %s: %d case(s)", fold, name, value, (values == value).sum())
    made = {"test_fold": values.map(fold_of).astype(str), "left_out": name + " " + values}
    return pd.DataFrame(made, columns=COLUMNS), dict(known) | numbers


def _check_known(cases: pd.DataFrame, values: pd.Series, name: str, names: list[str]) -> None:
    without = cases["case"][values == ""]
    if len(without) == len(cases):
        listed = ", ".join(names) or "none"
        raise UserError(
            f"no case has the attribute {name!r}",
            where=_WHERE,
            remedy=f"{nearest(name, names)}name its column in index.attributes; known: {listed}",
        )
    if len(without):
        more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
        raise UserError(
            f"{len(without)} of {len(cases)} case(s) have no {name}: "
            f"{', '.join(without[:_SHOWN])}{more}",
            where=_WHERE,
            remedy="fill these cells of the table, or take the rows out",
        )
    if values.nunique() < 2:
        raise UserError(
            f"{name} is {values.iloc[0]} for all {len(cases)} cases",
            where=_WHERE,
            remedy="name an attribute with two or more values, or set it to null",
        )


def _check_groups(cases: pd.DataFrame, groups: pd.Series, values: pd.Series, name: str) -> None:
    counts = values.groupby(groups).nunique()
    torn = counts.index[counts > 1]
    if not len(torn):
        return
    firsts = values[groups == torn[0]].drop_duplicates()[:_SHOWN]
    told = ", ".join(f"{cases['case'][i]} ({value})" for i, value in firsts.items())
    raise UserError(
        f"{len(torn)} group(s) have more than one {name}, such as {torn[0]}: {told}",
        where=_WHERE,
        remedy=f"what belongs together can't be on both sides: correct the table, take the cases of"
        f" all but one {name} out, or group by something else; cases that show nearly the same"
        " picture are one group (split.near_duplicate_bits)",
    )


def _digest(name: str, value: str) -> str:
    text = f"left out\0{name}\0{value}"
    return hashlib.blake2b(text.encode("utf-8"), digest_size=8).hexdigest()
