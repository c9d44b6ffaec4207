"""Cases added, withdrawn or joined move no others between folds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st

from splitting import cases, deal, settings
from triage.data.split import make, part


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
