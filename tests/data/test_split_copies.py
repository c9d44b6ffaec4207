"""The same picture never stands on both sides of the split, nor near one that was withdrawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st

from splitting import Table, balanced, cases, of, parts, settings, split, with_parts
from triage.data import groups
from triage.data.fingerprints import fingerprint, near_pairs
from triage.data.groups import Shown, read_shown
from triage.data.split import check
from triage.errors import UserError


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
