"""The split keeps groups and pictures together, folds even, and chance to its seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st

from triage.data import groups
from triage.data.fingerprints import fingerprint, near_pairs
from triage.data.groups import Shown, SplitSettings, read_shown
from triage.data.split import check, make, part
from triage.errors import UserError

Table = pd.DataFrame


def cases(rows: list[dict[str, str]]) -> Table:
    """A manifest of these cases, with defaults for what a row does not say."""
    filled = []
    for i, row in enumerate(rows):
        case = row.get("case", f"c{i:03}")
        defaults = {"case": case, "group": case, "votes": "", "partition": "", "sha256": case}
        filled.append(defaults | row)
    return pd.DataFrame(filled, columns=["case", "group", "label", "votes", "partition", "sha256"])


def balanced(each: int) -> Table:
    return cases([{"label": label} for label in ("normal", "abnormal") for _ in range(each)])


def settings(**changes: object) -> SplitSettings:
    defaults = {
        "k": 4,
        "seed": 1,
        "validation": "fold",
        "test": "fold",
        "stratify": "label",
        "near_duplicate_bits": 4,
        "leaks": "error",
    }
    return SplitSettings(**defaults | changes)  # type: ignore[arg-type]


def deal(
    manifest: Table,
    known: dict[str, int] | None = None,
    fingerprints: dict[str, str] | None = None,
    **changes: object,
) -> tuple[Table, dict[str, int]]:
    marks = dict.fromkeys(manifest["case"], "") | (fingerprints or {})
    shown = {case: Shown(mark, f"of {case}") for case, mark in marks.items()}
    return groups.make(manifest, shown, settings(**changes), known or {})


def split(
    manifest: Table, fold: int = 0, fingerprints: dict[str, str] | None = None, **changes: object
) -> Table:
    dealt, _ = deal(manifest, fingerprints=fingerprints, **changes)
    made = make(dealt, fold, settings(**changes))
    check(made)
    assert made["case"].tolist() == sorted(manifest["case"])
    return made


def parts(made: Table) -> dict[str, set[str]]:
    return {part: set(rows["case"]) for part, rows in made.groupby("partition")}


# --- folds


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


# --- parts of the source


def with_parts() -> Table:
    return cases(
        [
            {"label": label, "partition": part}
            for part, count in (("train", 8), ("val", 2), ("test", 4))
            for label in ("n", "p")
            for _ in range(count)
        ]
    )


def of(manifest: Table, *names: str) -> set[str]:
    return set(manifest["case"][manifest["partition"].isin(names)])


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


# --- the same picture


def picture(seed: int) -> np.ndarray:
    """A smooth picture, another one for each seed."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:80, :80] / 80
    waves = rng.normal(size=(40, 4)) * (1, 6, 6, 3)
    return 500 + 100 * sum(a * np.sin(b * row + c * column + d) for a, b, c, d in waves)[None]


def test_the_same_files_are_one_group() -> None:
    manifest = balanced(8)
    manifest.loc[[3, 12], "sha256"] = "same"
    made = split(manifest).set_index("case")
    assert made.loc["c003", "group"] == made.loc["c012", "group"] == "c003"
    assert made.loc["c003", "fold"] == made.loc["c012", "fold"]


def test_nearly_the_same_pictures_are_one_group_through_other_groups_too() -> None:
    manifest = balanced(10)
    manifest.loc[[2, 3], "group"] = "family"
    prints = {case: fingerprint(picture(i)) for i, case in enumerate(manifest["case"])}
    noise = np.random.default_rng(0).normal(0, 3, (1, 80, 80))
    prints["c015"] = fingerprint(picture(3) * 1.1 + noise)
    prints["c016"] = prints["c015"]
    made = split(manifest, fingerprints=prints, near_duplicate_bits=8)
    joined = made[made["group"] == "c015"]
    assert set(joined["case"]) == {"c002", "c003", "c015", "c016"}
    assert joined["fold"].nunique() == 1
    assert made["group"].nunique() == 17
    apart = split(manifest, fingerprints=prints | {"c016": ""}, near_duplicate_bits=0)
    assert apart["group"].nunique() == 19


def leaking(kind: str) -> tuple[Table, dict[str, str]]:
    """A training and a test case of the source that must not be apart."""
    manifest = with_parts()
    one = manifest.index[manifest["partition"] == "train"][0]
    other = manifest.index[manifest["partition"] == "test"][0]
    prints = {}
    if kind == "picture":
        prints = dict.fromkeys(manifest["case"][[one, other]], fingerprint(picture(1)))
    else:
        manifest.loc[[one, other], kind] = "shared"
    return manifest, prints


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("group", "the same group, shared"),
        ("sha256", "the same file"),
        ("picture", "nearly the same"),
    ],
)
def test_a_source_that_tears_a_group_or_picture_apart_is_refused(kind: str, words: str) -> None:
    manifest, prints = leaking(kind)
    with pytest.raises(UserError) as caught:
        split(manifest, fingerprints=prints, validation="fold", test="source")
    for each in ("c000 (train) and c020 (test)", words, "split.leaks: drop"):
        assert each in str(caught.value)


@pytest.mark.parametrize("kind", ["group", "sha256", "picture"])
def test_or_the_training_case_is_dropped(kind: str) -> None:
    manifest, prints = leaking(kind)
    made = split(manifest, fingerprints=prints, validation="fold", test="source", leaks="drop")
    assert parts(made)["excluded"] == {"c000"}
    assert parts(made)["test"] == of(manifest, "test")


def test_an_unlabelled_copy_of_a_training_case_is_a_leak() -> None:
    manifest = pd.concat([balanced(8), cases([{"case": "u", "label": "", "sha256": "c003"}])])
    with pytest.raises(UserError, match=r"c003 \(train\) and u \(unlabelled\)"):
        split(manifest)
    assert parts(split(manifest, leaks="drop"))["excluded"] == {"c003"}


def test_the_gate_finds_torn_groups_and_doubled_cases() -> None:
    made = split(balanced(8))
    torn = made.copy()
    torn["group"] = "one"
    with pytest.raises(UserError, match="in more than one partition"):
        check(torn)
    with pytest.raises(UserError, match="twice"):
        check(pd.concat([made, made[:1]]))
    torn["partition"] = ["excluded"] * 15 + ["train"]
    check(torn)


def test_cases_without_image_stop(tmp_path: object) -> None:
    with pytest.raises(UserError, match="remake the images step"):
        read_shown([], ["a"])


# --- growth


def labelled(counts: dict[str, int], prefix: str) -> list[dict[str, str]]:
    return [
        {"case": f"{prefix}{label}{i:03}", "label": label}
        for label, count in counts.items()
        for i in range(count)
    ]


@search(max_examples=40, deadline=None)
@given(
    before=st.lists(st.integers(4, 40), min_size=3, max_size=3),
    added=st.lists(st.integers(0, 25), min_size=3, max_size=3),
    prefix=st.sampled_from(["a", "z"]),
    seed=st.integers(0, 5),
)
def test_added_groups_move_no_other_and_leave_folds_even(
    before: list[int], added: list[int], prefix: str, seed: int
) -> None:
    first = labelled(dict(zip("xyw", before, strict=True)), "m")
    more = labelled(dict(zip("xyw", added, strict=True)), prefix)
    old, known = deal(cases(first), seed=seed)
    new, later = deal(cases([*first, *more]), known, seed=seed)
    fold_of = dict(zip(new["case"], new["fold"], strict=True))
    assert all(fold_of[case] == fold for case, fold in zip(old["case"], old["fold"], strict=True))
    assert known.items() <= later.items()
    counts = new.groupby(["label", "fold"]).size().unstack(fill_value=0)
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()


def test_a_withdrawn_group_moves_no_other_and_comes_back_to_its_fold() -> None:
    rows = labelled({"x": 12, "y": 12}, "c")
    old, known = deal(cases(rows))
    fewer, after = deal(cases(rows[1:]), known)
    assert fewer["fold"].tolist() == old["fold"].tolist()[1:]
    again, _ = deal(cases(rows), after)
    assert again["fold"].tolist() == old["fold"].tolist()


def test_another_seed_deals_anew() -> None:
    rows = labelled({"x": 40, "y": 40}, "c")
    old, known = deal(cases(rows), seed=1)
    new, _ = deal(cases(rows), known, seed=2)
    assert new["fold"].tolist() != old["fold"].tolist()
    assert deal(cases(rows), seed=2)[0]["fold"].tolist() == new["fold"].tolist()


def test_groups_that_turn_out_to_be_one_take_the_fold_of_the_first() -> None:
    rows = labelled({"x": 12, "y": 12}, "c")
    old, known = deal(cases(rows))
    fold_of = dict(zip(old["case"], old["fold"], strict=True))
    one = min(fold_of)
    other = next(case for case in fold_of if fold_of[case] != fold_of[one])
    joined, _ = deal(cases(rows), known, fingerprints={one: "f" * 64, other: "f" * 64})
    assert joined.set_index("case")["fold"][[one, other]].tolist() == [fold_of[one]] * 2


def test_the_list_of_a_part_changes_with_no_case_of_another() -> None:
    rows = labelled({"x": 12, "y": 12}, "c")
    dealt, known = deal(cases(rows))
    before = make(dealt, 0, settings())
    tested = before["case"][before["partition"] == "test"].iloc[0]
    after = make(
        deal(cases([row for row in rows if row["case"] != tested]), known)[0], 0, settings()
    )
    for name in ("train", "val"):
        assert len(part(after, name))
        assert part(after, name).to_csv(index=False) == part(before, name).to_csv(index=False)
    assert len(part(after, "test")) == len(part(before, "test")) - 1


def test_an_excluded_case_is_told_with_its_reason_and_its_twin() -> None:
    rows = labelled({"x": 8, "y": 8}, "c")
    rows[0] |= {"partition": "test", "sha256": "same"}
    rows[1] |= {"sha256": "same"}
    rows[8] |= {"partition": "test", "group": "patient"}
    rows[9] |= {"group": "patient"}
    made, _ = deal(cases(rows), test="source", leaks="drop")
    told = made.set_index("case")[["part", "reason", "twin"]]
    assert told.loc["cx001"].tolist() == ["excluded", "the same file", "cx000"]
    assert told.loc["cy001"].tolist() == ["excluded", "the same group", "cy000"]
    assert (told.drop(["cx001", "cy001"])["reason"] == "").all()


# --- fingerprints


def test_fingerprints_survive_what_makes_no_other_picture() -> None:
    for seed in range(20):
        image = picture(seed)
        noise = np.random.default_rng(seed).normal(0, 1, image.shape)
        same = [
            image * 3 + 7,
            image + noise,
            image.repeat(2, axis=1).repeat(3, axis=2),
            image[[0, 0, 0]],
        ]
        for other in same:
            assert distance(fingerprint(image), fingerprint(other)) <= 12
        assert distance(fingerprint(image), fingerprint(picture(seed + 1))) > 30


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def test_constant_pictures_have_no_fingerprint_and_match_nothing() -> None:
    assert fingerprint(np.full((1, 9, 9), 7, dtype=np.uint8)) == ""
    assert list(near_pairs(["", "", ""], 10)) == []


@search(deadline=None, max_examples=50)
@given(st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_the_search_finds_every_near_pair_and_no_other(bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2, (6, 256), dtype=np.uint8)
    table = base[rng.integers(0, 6, 40)]
    for row in table:
        row[rng.choice(256, rng.integers(0, 25), replace=False)] ^= 1
    prints = [np.packbits(row).tobytes().hex() for row in table]
    far = (table[:, None] != table).sum(axis=2) > bits
    found = {tuple(sorted(pair)) for pair in near_pairs(prints, bits)}
    firsts = {text: i for i, text in reversed(list(enumerate(prints)))}
    wanted = {
        (i, j)
        for i in range(40)
        for j in range(i + 1, 40)
        if not far[i, j]
        # Of equal ones, only the first is compared with others.
        and (firsts[prints[j]] in (i, j))
        and firsts[prints[i]] == i
    }
    assert found == wanted


def test_near_copies_of_withdrawn_cases_are_left_out_of_all_parts() -> None:
    manifest = cases(
        [
            {"label": label, "partition": part}
            for label in ("normal", "abnormal")
            for part in ("train", "train", "train", "train", "train", "test")
        ]
    )
    gone, other = "0f" * 32, "f0" * 32
    near = {manifest["case"][0]: "0e" + gone[2:], manifest["case"][5]: gone}
    marks = near | {manifest["case"][1]: "00" * 8 + gone[16:], manifest["case"][2]: other}
    shown = {case: Shown(marks.get(case, ""), case) for case in manifest["case"]}
    how = settings(test="source", near_duplicate_bits=4, leaks="drop")
    made, _ = groups.make(manifest, shown, how, {}, ["", gone])
    out = made[made["part"] == "excluded"]
    assert set(out["case"]) == set(near)
    assert set(out["reason"]) == {"the same or nearly the same picture as a withdrawn case"}
    assert (out["twin"] == "").all()
    assert (out["fold"] == -1).all()
    whole, _ = groups.make(manifest, shown, how, {})
    assert list(whole["case"][whole["part"] == "excluded"]) == [manifest["case"][0]]


def test_a_class_that_a_part_lacks_is_named(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"label": f"c{i % 3}", "partition": "train"} for i in range(30)]
    manifest = cases([*rows, *({"label": "c0", "partition": "test"} for _ in range(3))])
    split(manifest, validation="fold", test="source")
    assert "the test part has no case of c1, c2: add cases, or see split.test" in caplog.text


def test_one_group_of_a_class_can_not_be_dealt() -> None:
    manifest = cases([*({"label": "common"} for _ in range(20)), {"label": "rare"}])
    with pytest.raises(UserError, match="rare 1\n  -> leave the class out, join it"):
        deal(manifest)
