"""snakemake.lock: written, read, merged and repaired."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage_workflow.engines.lock import Lock, Origin, repair
from triage_workflow.params import canonical

from triage.errors import UserError
from triage.paths import inside

SUM = "0123456789abcdef" * 4

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# What Snakemake records of a parameter is its repr; settings are canonical JSON.
parameters = st.one_of(
    values.map(repr), st.dictionaries(st.text(), values).map(lambda each: repr(canonical(each)))
)
paths = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)
paths = paths.filter(inside)  # as those of real files are
sums = st.sampled_from([SUM, ""])


def origins(outputs: st.SearchStrategy[str] = paths) -> st.SearchStrategy[Origin]:
    return st.builds(
        Origin,
        rule=st.sampled_from(["train", "split"]),
        shell=st.sampled_from(["aa", "bb"]),
        params=st.lists(parameters, max_size=3).map(lambda each: tuple(sorted(each))),
        inputs=st.dictionaries(paths, sums, max_size=3),
        outputs=st.dictionaries(outputs, sums, min_size=1, max_size=3),
    )


def origin(study: str, run: int, result: str = SUM, rate: float = 0.1) -> Origin:
    settings = repr(canonical({"rate": rate, "run": run}))
    outputs = {f"results/{study}/{run}/checkpoint.pt": result}
    return Origin("train", "aa", (settings,), {f"data/{study}/split.csv": SUM}, outputs)


@given(st.lists(origins(), max_size=5))
def test_what_is_written_is_read(found: list[Origin]) -> None:
    lock = Lock(found)
    again = Lock.parse(lock.text())
    assert again.origins == lock.origins
    assert again.text() == lock.text()


@given(st.permutations([origin("a", 1), origin("a", 2), origin("b", 1)]))
def test_the_order_of_jobs_does_not_matter(found: list[Origin]) -> None:
    assert Lock(found).text() == Lock(sorted(found, key=lambda each: each.name)).text()


def test_settings_are_readable() -> None:
    job = json.loads(Lock([origin("a", 1)]).text())["jobs"]["results/a/1/checkpoint.pt"]
    assert job["params"] == [{"rate": 0.1, "run": 1}]


def test_a_job_that_makes_other_files_takes_the_place_of_the_old_one() -> None:
    old = Origin("train", "aa", (), {}, {"x": SUM, "y": SUM})
    new = Origin("train", "bb", (), {}, {"y": SUM, "z": SUM})
    lock = Lock([old, new])
    assert list(lock.origins.values()) == [new]
    assert lock.get("x") is None


@given(st.data())
def test_damage_is_told_or_does_not_matter(data: st.DataObject) -> None:
    lock = Lock([origin("a", run) for run in range(3)])
    text = lock.text()
    cut = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(1, 40))
    damaged = text[:cut] + text[cut + length :]
    with contextlib.suppress(UserError):
        Lock.parse(damaged)
    # Wherever the damage is, the other jobs can still be read, as they were.
    kept = repair(damaged, lambda _: True)[0].origins
    assert [name for name in kept if kept[name] == lock.origins.get(name)]


def test_damage_is_told_with_its_place_and_a_remedy() -> None:
    text = Lock([origin("a", 1)]).text().replace('"rule"', "rule")
    with pytest.raises(UserError, match=r"(?s)snakemake.lock:\d+: is damaged.*repair_locks.py"):
        Lock.parse(text)


def test_an_entry_that_was_changed_by_hand_counts_for_nothing() -> None:
    text = Lock([origin("a", 1), origin("a", 2)]).text().replace('"run": 2', '"run": 3')
    assert list(Lock.parse(text).origins) == ["results/a/1/checkpoint.pt"]


def test_entries_of_two_sides_are_never_merged_into_one() -> None:
    inputs = {f"table{i}": SUM for i in range(9)}
    base = Origin("report", "aa", (), inputs, {"report.html": SUM})
    ours = Origin("report", "aa", (), inputs | {"table1": "1" * 64}, {"report.html": "1" * 64})
    theirs = Origin("report", "aa", (), inputs | {"table8": "2" * 64}, {"report.html": SUM})
    texts = [Lock([each]).text() for each in (base, ours, theirs)]
    merged = "\n".join(
        next((line for line in lines[1:] if line != lines[0]), lines[0])
        for lines in zip(*(text.splitlines() for text in texts), strict=True)
    )
    assert Lock.parse(merged).origins == {}


def test_a_conflict_is_told_with_its_line() -> None:
    text = "{\n<<<<<<< HEAD\n=======\n>>>>>>> other\n}\n"
    with pytest.raises(UserError, match=r"snakemake.lock:2: holds a merge conflict"):
        Lock.parse(text)


def conflict(ours: str, theirs: str) -> str:
    """As git writes it where two sides differ in one place."""
    mine, yours = ours.splitlines(), theirs.splitlines()
    start = next(i for i, (a, b) in enumerate(zip(mine, yours, strict=False)) if a != b)
    end = next(i for i, (a, b) in enumerate(zip(mine[::-1], yours[::-1], strict=False)) if a != b)
    middle = ["<<<<<<< HEAD", *mine[start : len(mine) - end], "======="]
    middle += [*yours[start : len(yours) - end], ">>>>>>> other"]
    return "\n".join([*mine[:start], *middle, *mine[len(mine) - end :]]) + "\n"


@pytest.mark.parametrize(("fitting", "taken"), [("ours", 0.2), ("theirs", 0.3), ("neither", 0.2)])
def test_repair_takes_the_side_that_fits_the_files(fitting: str, taken: float) -> None:
    both = [origin("a", 1), origin("b", 1)]
    ours = origin("a", 2, "1" * 64, rate=0.2)
    theirs = origin("a", 2, "2" * 64, rate=0.3)
    text = conflict(Lock([*both, ours]).text(), Lock([*both, theirs]).text())
    fits = {"ours": ours, "theirs": theirs, "neither": None}[fitting]
    lock, disputed = repair(text, lambda each: each == fits)
    assert disputed == {"results/a/2/checkpoint.pt"}
    assert lock.origins == Lock([*both, ours if taken == 0.2 else theirs]).origins
    assert Lock.parse(lock.text()).origins == lock.origins


def test_repair_keeps_what_only_one_side_has() -> None:
    both = [origin("a", 1)]
    mine = Lock([*both, origin("b", 1)]).text()
    yours = Lock([*both, origin("b", 1), origin("b", 2), origin("b", 3)]).text()
    lock, _ = repair(conflict(mine, yours), lambda _: False)
    assert set(lock.origins) >= {f"results/b/{run}/checkpoint.pt" for run in (2, 3)}
