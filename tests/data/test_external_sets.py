"""Cases from elsewhere: what the study has seen is left out, and images are compared."""

from __future__ import annotations

import contextlib
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st

from triage.data import shift
from triage.data.fingerprints import fingerprint
from triage.data.groups import Shown, SplitSettings, exclude_seen
from triage.data.image_store import Images
from triage.data.withdrawn import NEAR_WITHDRAWN
from triage.files import read_json, read_rows, write_json, write_rows
from triage.report.external import External

SCRIPTS = Path(shift.__file__).parents[2]


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, (1, 32, 32), np.uint8)


def table(cases: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """A manifest: the group and the checksum of each case."""
    rows = [
        {"case": case, "group": group, "label": "normal", "votes": "", "sha256": sha256}
        for case, (group, sha256) in cases.items()
    ]
    return pd.DataFrame(rows)


def shown(marks: dict[str, int]) -> dict[str, Shown]:
    """Of each case the picture of that seed."""
    return {case: Shown(fingerprint(picture(seed)), f"of {seed}") for case, seed in marks.items()}


SEEN = table({"a1": ("p1", "one"), "a2": ("p2", "two")})
SEEN_SHOWN = shown({"a1": 1, "a2": 2})


def excluded(
    cases: dict[str, tuple[str, str]], marks: dict[str, int], same_patients: bool = False
) -> dict[str, tuple[str, str]]:
    """The reason and the twin of each case that is left out."""
    made = exclude_seen(
        table(cases), shown(marks), SEEN, SEEN_SHOWN, SplitSettings(), same_patients
    )
    assert made["case"].tolist() == sorted(cases)
    out = made[made["part"] == "excluded"]
    return {row.case: (row.reason, row.twin) for row in out.itertuples()}


def test_the_same_file_and_the_same_picture_are_left_out_and_named() -> None:
    cases = {"b1": ("q1", "one"), "b2": ("q2", "other"), "b3": ("q3", "third")}
    assert excluded(cases, {"b1": 1, "b2": 2, "b3": 3}) == {
        "b1": ("the same file", "a1"),
        "b2": ("the same or nearly the same picture", "a2"),
    }


def test_a_patient_of_whom_a_picture_was_seen_is_left_out_whole() -> None:
    cases = {"b1": ("q", "one"), "b2": ("q", "other"), "b3": ("q3", "third")}
    assert excluded(cases, {"b1": 1, "b2": 5, "b3": 6}).keys() == {"b1", "b2"}


def test_a_name_is_the_same_patient_only_where_the_settings_say_so() -> None:
    cases = {"b1": ("p1", "x"), "b2": ("q", "y")}
    assert excluded(cases, {"b1": 5, "b2": 6}) == {}
    assert excluded(cases, {"b1": 5, "b2": 6}, True) == {"b1": ("the same group", "a1")}


def test_what_was_seen_counts_even_where_it_shows_a_withdrawn_case() -> None:
    made = exclude_seen(
        *(table({"b1": ("p1", "x")}), shown({"b1": 5}), SEEN, SEEN_SHOWN, SplitSettings(), True),
        withdrawn=[SEEN_SHOWN["a1"].fingerprint],
    )
    assert made[["part", "twin"]].values.tolist() == [["excluded", "a1"]]


def test_a_case_of_the_same_name_is_another_one() -> None:
    made = exclude_seen(
        table({"a1": ("p1", "x")}), shown({"a1": 7}), SEEN, SEEN_SHOWN, SplitSettings(), False
    )
    assert made[["case", "group", "part"]].values.tolist() == [["a1", "p1", "external"]]


@search(max_examples=25)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_what_is_left_shares_no_picture_with_what_was_seen(seeds: list[int]) -> None:
    cases = {f"b{i}": (f"q{i}", f"file {i}") for i, _ in enumerate(seeds)}
    marks = {f"b{i}": seed for i, seed in enumerate(seeds)}
    assert excluded(cases, marks).keys() == {f"b{i}" for i, seed in enumerate(seeds) if seed < 3}


@pytest.mark.parametrize(
    "reasons", [["the same file"], [NEAR_WITHDRAWN], ["the same file", NEAR_WITHDRAWN]]
)
def test_near_copies_of_withdrawn_cases_are_not_said_to_be_seen(
    reasons: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups, found, sets = (tmp_path / name for name in ("b/groups.csv", "shift.json", "sets.csv"))
    groups.parent.mkdir()
    rows = [{"case": f"b{i}", "part": "excluded", "reason": why} for i, why in enumerate(reasons)]
    rows.append({"case": "left", "part": "external", "label": "normal"})
    write_rows(rows, ["case", "label", "part", "reason"], groups)
    write_json({"unlike": 0, "reasons": {}, "external": {"cases": 1}}, found)
    words = ["--sets", sets, "--groups", groups, "--shifts", found]
    monkeypatch.setattr(sys, "argv", ["list_external.py", *map(str, words)])
    with contextlib.suppress(SystemExit):
        runpy.run_path(str(SCRIPTS / "list_external.py"), run_name="__main__")
    (row,) = read_rows(sets)
    sentence = External("b", row, read_json(found)).sentence
    told = {
        "the same file": "1 more left out, which training or validation has seen",
        NEAR_WITHDRAWN: f"1 more left out, {NEAR_WITHDRAWN}",
    }
    assert [words in sentence for words in told.values()] == [why in reasons for why in told]


def scan(seed: int) -> np.ndarray:
    """One slice [1, channels, height, width] of noise on what all have in common."""
    ramp = np.linspace(0, 150, 32).astype(np.uint8)
    return (picture(seed) // 4 + ramp)[None]


def images(names: str, brightness: int = 0, side: int = 32) -> Images:
    stacks = {
        name: scan(i)[..., :side, :side] + np.uint8(brightness) for i, name in enumerate(names)
    }
    return Images.of(stacks, np.dtype(np.uint8), (32, 32))


def test_a_shift_is_in_the_numbers_of_both() -> None:
    found = shift.compute(images("abcdef"), list("abcdef"), images("xy", 50), list("xy"))
    ours, theirs = found.training.channels[0], found.external.channels[0]
    pixels = np.stack([scan(i) for i in range(6)])
    assert ours.mean == pytest.approx(pixels.mean())
    assert ours.std == pytest.approx(pixels.std())
    assert list(ours.quantiles.values()) == pytest.approx(np.quantile(pixels, shift.QUANTILES))
    assert theirs.mean - ours.mean == pytest.approx(50, abs=2)
    for look in (ours, theirs):
        assert sum(look.shares) == pytest.approx(1)
    assert found.unlike == found.external.cases == 2
    assert {"mean", "darkest", "brightest"} <= found.reasons.keys()


def test_images_alike_are_not_unlike_and_those_of_another_size_are() -> None:
    ours = images("abcdef")
    found = shift.compute(ours, list("abcdef"), images("gh"), list("gh"))
    assert (found.unlike, found.reasons) == (0, {})
    found = shift.compute(ours, list("abcdef"), images("gh", side=24), list("gh"))
    assert found.external.sizes["height"] == (24, 24, 24)
    assert {"height", "width"} <= found.reasons.keys()
