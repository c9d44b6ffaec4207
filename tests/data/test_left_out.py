"""Each value of an attribute is the test part once."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from triage.data import groups
from triage.data.groups import Shown, SplitSettings
from triage.data.split import make, part
from triage.errors import UserError

SETTINGS = SplitSettings(k=2, leave_out="site")


def manifest(sites: str, patients: str = "") -> pd.DataFrame:
    """A case a letter, which is its site; 0 is unknown. ``patients`` names that of each."""
    rows = []
    for i, site in enumerate(sites):
        case = f"c{i:02}"
        known = {} if site == "0" else {"site": site}
        row = {"case": case, "group": patients[i] if patients else case, "votes": ""}
        row |= {"partition": "test" if i % 3 == 0 else "", "sha256": case}
        row |= {"label": ("normal", "abnormal")[i % 2], "attributes": json.dumps(known)}
        rows.append(row)
    return pd.DataFrame(rows)


def deal(
    cases: pd.DataFrame, known: dict[str, int] | None = None, settings: SplitSettings = SETTINGS
) -> tuple[pd.DataFrame, dict[str, int]]:
    shown = {case: Shown("", case) for case in cases["case"]}
    return groups.make(cases, shown, settings, known or {})


def test_every_value_is_tested_once_and_nothing_of_it_is_trained_on() -> None:
    cases = manifest("aabbccaabbcc")
    table, _ = deal(cases)
    sites = dict(zip(cases["case"], "aabbccaabbcc", strict=True))
    tested = []
    for fold, site in enumerate("abc"):
        split = make(table, fold, SETTINGS)
        test = split[split["partition"] == "test"]["case"]
        assert {sites[case] for case in test} == {site}
        others = split[split["partition"].isin(["train", "val"])]
        assert site not in {sites[case] for case in others["case"]}
        assert set(others["partition"]) == {"train", "val"}
        tested += test.tolist()
        listed = part(split, "test")
        assert set(listed["left_out"]) == {f"site {site}"}
        assert "left_out" not in part(split, "train")
    assert sorted(tested) == cases["case"].tolist()


def test_a_value_keeps_its_fold_when_another_one_comes() -> None:
    _, known = deal(manifest("bbccbbcc"))
    table, _ = deal(manifest("bbccbbccaaaa"), known)
    folds = table.groupby("left_out")["test_fold"].unique().map(list).to_dict()
    assert folds == {"site b": ["0"], "site c": ["1"], "site a": ["2"]}


def test_a_value_that_comes_back_shares_its_fold_with_no_other() -> None:
    _, known = deal(manifest("aabbccaabbcc"))
    _, known = deal(manifest("aaccddaaccdd"), known)
    table, _ = deal(manifest("aabbccddaabbccdd"), known)
    folds = table.groupby("left_out")["test_fold"].unique().map(list).to_dict()
    assert folds == {f"site {site}": [str(i)] for i, site in enumerate("abcd")}


def test_what_the_source_has_for_validation_is_left_out_as_well() -> None:
    cases = manifest("aabbaabbaabb").assign(partition=["", "val", "val"] * 4)
    settings = SplitSettings(k=2, leave_out="site", validation="source")
    split = make(deal(cases, settings=settings)[0], 0, settings)
    sites = split.groupby("partition")["case"].agg(lambda own: {int(each[1:]) % 4 for each in own})
    assert sites["test"] == {0, 1}
    assert sites["train"] | sites["val"] == {2, 3}


def test_a_fold_without_a_value_is_told_which_there_are() -> None:
    with pytest.raises(UserError, match="fold 2 has nothing to leave out") as error:
        make(deal(manifest("aabbaabb"))[0], 2, SETTINGS)
    assert "0 site a, 1 site b" in str(error.value)


@pytest.mark.parametrize(
    ("cases", "name", "expected"),
    [
        (manifest("aaaa"), "site", "site is a for all 4 cases"),
        (manifest("aab0"), "site", "1 of 4 case(s) have no site: c03"),
        (manifest("aabb"), "sight", "did you mean site?"),
        (
            manifest("aabb", "pqpr"),
            "site",
            "1 group(s) have more than one site, such as p: c00 (a)",
        ),
    ],
)
def test_what_can_not_be_left_out_is_refused(cases: pd.DataFrame, name: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        deal(cases, settings=SplitSettings(k=2, leave_out=name, validation="none"))
    assert expected in str(error.value)


def test_without_it_nothing_is_added() -> None:
    table, _ = deal(manifest("aabbaabb"), settings=SplitSettings(k=2, test="none"))
    assert table.columns.tolist() == groups.COLUMNS
