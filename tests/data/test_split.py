"""The split keeps groups together, folds even, and the parts of the source."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st

from splitting import Table, balanced, cases, deal, of, parts, split, with_parts
from triage.errors import UserError


def test_a_hundred_normal_and_a_hundred_abnormal_patients_give_ten_and_ten() -> None:
    made = split(balanced(100), k=10)
    assert (made.groupby(["fold", "label"]).size() == 10).all()
    assert len(parts(made)["val"]) == len(parts(made)["test"]) == 20


def test_folds_take_turns() -> None:
    manifest = balanced(10)
    runs = [split(manifest, fold) for fold in range(4)]
    for fold, made in enumerate(runs):
        assert (made["fold"] == runs[0]["fold"]).all()
        assert parts(made)["val"] == set(made["case"][made["fold"] == fold])
        assert parts(made)["test"] == set(made["case"][made["fold"] == (fold + 1) % 4])


COHORTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 40)), min_size=12, max_size=120
).map(lambda pairs: cases([{"label": label, "group": f"g{g}"} for label, g in pairs]))


@search(deadline=None, max_examples=50)
@given(COHORTS, st.integers(3, 12), st.integers(0, 5), st.randoms())
def test_groups_are_never_split_and_order_does_not_matter(
    manifest: Table, k: int, seed: int, random: object
) -> None:
    if (manifest.groupby("label")["group"].nunique() < k).any():
        with pytest.raises(UserError, match=r"split\.k"):
            split(manifest, k=k, seed=seed)
        return
    made = split(manifest, k=k, seed=seed)
    assert (made.groupby("group")["fold"].nunique() == 1).all()
    assert set(made["fold"]) == set(range(k))
    shuffled = list(range(len(manifest)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = split(manifest.iloc[shuffled].reset_index(drop=True), k=k, seed=seed)
    pd.testing.assert_frame_equal(made, again)


@search(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=5), st.integers(2, 12), st.integers(0, 9))
def test_single_cases_are_spread_within_one(counts: list[int], k: int, seed: int) -> None:
    manifest = cases([{"label": f"l{i}"} for i, n in enumerate(counts) for _ in range(max(n, k))])
    made = split(manifest, k=k, seed=seed, test="none")
    sizes = made.groupby("fold").size()
    assert sizes.max() - sizes.min() <= 1
    strata = made.groupby(["label", "fold"]).size().unstack()
    assert (strata.max(axis=1) - strata.min(axis=1) <= 1).all()


def test_large_groups_are_spread_as_well_as_can_be() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 12, 200)
    rows = [
        {"label": "ab"[g % 2], "group": f"g{g}"}
        for g, size in enumerate(sizes)
        for _ in range(size)
    ]
    made = split(cases(rows), k=5)
    for _, spread in made.groupby("label"):
        counts = spread.groupby("fold").size()
        assert counts.max() - counts.min() <= 2


def test_findings_that_go_together_are_spread_one_by_one() -> None:
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "c", "d"])
    rows = [
        {"label": "|".join(names[rng.random(4) < (0.6, 0.4, 0.2, 0.1)]) or "none"}
        for _ in range(300)
    ]
    made = split(cases(rows), k=5)
    for name in (*names, "none"):
        with_it = made[made["label"].str.split("|").map(lambda labels, name=name: name in labels)]
        counts = with_it.groupby("fold").size()
        assert counts.max() - counts.min() <= 2


def test_rare_findings_are_no_error() -> None:
    rows = [
        {"label": "a|b"},
        *({"label": "a"} for _ in range(20)),
        *({"label": "none"} for _ in range(20)),
    ]
    assert "val" in parts(split(cases(rows)))


def test_votes_are_spread() -> None:
    rows = [
        {"label": "SSA" if votes > 3 else "HP", "votes": str(votes)}
        for votes in range(8)
        for _ in range(10)
    ]
    made = split(cases(rows), k=5, stratify="votes")
    votes = dict(zip(cases(rows)["case"], cases(rows)["votes"], strict=True))
    assert (made.groupby(["fold", made["case"].map(votes)]).size() == 2).all()
    with pytest.raises(UserError, match="has no votes"):
        split(balanced(10), stratify="votes")


def test_the_seed_alone_decides() -> None:
    manifest = balanced(30)
    first, again, other = (split(manifest, seed=seed)["fold"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_the_parts_of_the_source_are_kept() -> None:
    manifest = with_parts()
    made = split(manifest, validation="source", test="source")
    assert parts(made) == {name: of(manifest, name) for name in ("train", "val", "test")}
    assert (made["fold"] == -1).all()


def test_validation_is_cut_from_what_is_not_the_sources_test() -> None:
    manifest = with_parts()
    made = split(manifest, validation="fold", test="source")
    assert parts(made)["test"] == of(manifest, "test")
    assert len(parts(made)["val"]) == 5
    assert parts(made)["val"] | parts(made)["train"] == of(manifest, "train", "val")


def test_folds_may_be_cut_from_everything() -> None:
    made = split(with_parts(), validation="fold", test="fold")
    assert (made["fold"] >= 0).all()


def test_no_validation_trains_on_all_but_the_test_part() -> None:
    manifest = with_parts()
    made = split(manifest, validation="none", test="source")
    assert parts(made) == {"train": of(manifest, "train", "val"), "test": of(manifest, "test")}


def test_the_sources_test_part_is_never_trained_on() -> None:
    manifest = with_parts()
    made = split(manifest, validation="fold", test="none")
    assert parts(made)["excluded"] == of(manifest, "test")


def test_cases_without_label_are_apart() -> None:
    manifest = pd.concat([balanced(8), cases([{"case": "u", "label": "", "partition": "test"}])])
    made = split(manifest).set_index("case")
    assert made.loc["u", ["fold", "partition"]].tolist() == [-1, "unlabelled"]


def test_missing_parts_say_which_setting_to_change() -> None:
    with pytest.raises(UserError, match=r"split.validation: the val part has no case"):
        split(balanced(8), validation="source", test="fold")
    with pytest.raises(UserError, match=r"split.test: the test part has no case"):
        split(balanced(8), test="source")
    with pytest.raises(UserError, match=r"the train part has no case"):
        split(cases([{"label": "", "case": "u"}]), validation="none", test="none")


def test_folds_that_do_not_exist_or_suffice_are_refused() -> None:
    with pytest.raises(UserError, match="4 is not one of 4 folds"):
        split(balanced(8), 4)
    with pytest.raises(UserError, match="at least 3"):
        split(balanced(8), k=2)
    with pytest.raises(UserError, match="no part is cut from folds"):
        split(with_parts(), 1, validation="source", test="source")
    with pytest.raises(UserError) as caught:
        split(balanced(8), k=10)
    for words in ("10 folds", "abnormal 8, normal 8", "set split.k to 8 or less"):
        assert words in str(caught.value)


def test_a_class_that_a_part_lacks_is_named(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"label": f"c{i % 3}", "partition": "train"} for i in range(30)]
    manifest = cases([*rows, *({"label": "c0", "partition": "test"} for _ in range(3))])
    split(manifest, validation="fold", test="source")
    assert "the test part has no case of c1, c2: add cases, or see split.test" in caplog.text


def test_one_group_of_a_class_can_not_be_dealt() -> None:
    manifest = cases([*({"label": "common"} for _ in range(20)), {"label": "rare"}])
    with pytest.raises(UserError, match="rare 1\n  -> leave the class out, join it"):
        deal(manifest)
