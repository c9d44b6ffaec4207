"""Phantoms of single pictures: their layout, the same bytes always, neither easy nor hard.

What a phantom is worth is checked on what its reader makes of it.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from picture_sets import NIH_HEADER, find, noise, save
from triage.data.fingerprints import fingerprint, near_pairs
from triage.data.phantoms import folder, melanoma, mhist, pneumonia, skin, xray_heads
from triage.data.pictures import to_grey
from triage.data.readers import Case, nih, picture_files
from triage.errors import UserError
from triage.settings import convert

TWO = ("train", "test")
THREE = ("train", "val", "test")

MODULES: dict[str, Any] = {
    "pneumonia": pneumonia,
    "xray_heads": xray_heads,
    "mhist": mhist,
    "melanoma": melanoma,
}
SKIN: dict[str, Any] = {"seed": 1, "pictures": 140, "size": 32, "skew": 0.5, "difficulty": 0.3}
SETTINGS: dict[str, dict[str, Any]] = {
    "pneumonia": {
        "seed": 1,
        "train": {"normal": 60, "pneumonia": 110},
        "val": {"normal": 8, "pneumonia": 8},
        "test": {"normal": 50, "pneumonia": 60},
        "size": 48,
        "difficulty": 0.3,
    },
    "xray_heads": {
        "seed": 1,
        "train": 200,
        "test": 120,
        "size": 48,
        "skew": 0.5,
        "difficulty": 0.3,
    },
    "mhist": {
        "seed": 1,
        "train": 180,
        "test": 120,
        "size": 48,
        "difficulty": 0.3,
        "disagreement": 0.4,
    },
    "melanoma": {
        "seed": 1,
        "train": {"mel": 90, "nv": 90},
        "val": {"mel": 5, "nv": 5},
        "test": {"mel": 60, "nv": 60},
        "size": 48,
        "difficulty": 0.3,
    },
}
READING: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    "pneumonia": ("folders", ("NORMAL", "PNEUMONIA"), r"^(person\d+|(?:NORMAL2-)?IM-\d+)"),
    "xray_heads": ("nih", ("No Finding", "Finding"), None),
    "mhist": ("annotations", ("HP", "SSA"), None),
    "melanoma": ("folders", ("NV", "MEL"), None),
}
SMALL: dict[str, dict[str, Any]] = {
    "pneumonia": {part: {"normal": 2, "pneumonia": 3} for part in THREE},
    "xray_heads": {"train": 8, "test": 4},
    "mhist": {"train": 6, "test": 4},
    "melanoma": {part: {"mel": 2, "nv": 2} for part in THREE},
}


KEPT = TemporaryDirectory(prefix="phantoms-")


def settings(study: str, **changes: object) -> Any:
    return convert(MODULES[study].Settings, SETTINGS[study] | changes, study)


def small(study: str, **changes: object) -> Any:
    return settings(study, size=32, **SMALL[study] | changes)


@cache
def made(study: str) -> Path:
    """A phantom that several tests read."""
    target = Path(KEPT.name, study)
    MODULES[study].generate(settings(study), target)
    return target


@cache
def cases(study: str) -> dict[str, Case]:
    found, problems = find(made(study), *READING[study])
    assert not problems
    return found


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("study", MODULES)
def test_bytes_depend_on_neither_workers_nor_what_was_there(study: str, tmp_path: Path) -> None:
    module, how = MODULES[study], small(study)
    module.generate(how, tmp_path / "one")
    module.generate(small(study, seed=2), tmp_path / "two")
    other = contents(tmp_path / "two")
    module.generate(how, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != other


def test_bytes_are_the_same_in_every_process() -> None:
    code = (
        "from triage.data.phantoms import xray_heads as x; print("
        "x.cohort(x.Settings(seed=1, train=99, test=50, size=32, skew=0.5, difficulty=0.3)))"
    )
    seeds = ({"PYTHONHASHSEED": seed} for seed in ("1", "2", "3"))
    runs = (
        subprocess.run([sys.executable, "-c", code], env=os.environ | seed, stdout=subprocess.PIPE)
        for seed in seeds
    )
    assert len({run.stdout for run in runs if not run.returncode}) == 1


@pytest.mark.parametrize("study", MODULES)
def test_phantoms_are_not_written_among_real_data(study: str, tmp_path: Path) -> None:
    real = save(noise(1), tmp_path / "images/a.png")
    with pytest.raises(UserError, match="is not a phantom"):
        MODULES[study].generate(small(study), tmp_path)
    assert list(contents(tmp_path)) == [real.relative_to(tmp_path).as_posix()]


@pytest.mark.parametrize("study", MODULES)
def test_every_picture_is_marked(study: str) -> None:
    for name, content in contents(made(study)).items():
        if picture_files.is_picture(name):
            assert folder.MARK.encode() in content


@pytest.mark.parametrize("study", MODULES)
def test_no_group_is_in_two_partitions(study: str) -> None:
    partitions: dict[str, set[str]] = {}
    for case in cases(study).values():
        partitions.setdefault(case.group, set()).add(case.partition)
    assert all(len(each) == 1 for each in partitions.values())
    if study != "mhist":  # whose table names no patients
        assert len(partitions) < len(cases(study))


@pytest.mark.parametrize("study", MODULES)
def test_pictures_look_different(study: str) -> None:
    pictures = [picture_files.load(made(study), case.files)[0] for case in cases(study).values()]
    prints = [fingerprint(to_grey(picture)) for picture in pictures]
    assert not list(near_pairs(prints, 12))


@pytest.mark.parametrize("study", MODULES)
def test_a_forest_learns_it_but_not_wholly(study: str) -> None:
    """From coarse pixels and histograms; nothing but what is drawn carries the label."""
    positive = READING[study][1][-1]
    features: dict[str, list[np.ndarray]] = {"train": [], "val": [], "test": []}
    labels: dict[str, list[bool]] = {"train": [], "val": [], "test": []}
    for case in cases(study).values():
        features[case.partition].append(_features(made(study) / case.files["image"], study))
        labels[case.partition].append(case.label == positive)
    forest = RandomForestClassifier(200, min_samples_leaf=2, random_state=0)
    forest.fit(features["train"], labels["train"])
    scores = forest.predict_proba(features["test"])[:, 1]
    assert 0.6 < roc_auc_score(labels["test"], scores) < 0.97


def _features(path: Path, study: str) -> np.ndarray:
    grey = study in ("pneumonia", "xray_heads")
    image = Image.open(path).convert("L" if grey else "RGB")
    pixels = np.asarray(image.resize((24, 24), Image.Resampling.BOX)).ravel() / 255
    channels = np.asarray(image).reshape(-1, len(image.getbands())).T
    shares = [np.histogram(each, 16, (0, 256))[0] / each.size for each in channels]
    return np.concatenate([pixels, *shares])


def test_pneumonia_is_laid_out_as_kermanys() -> None:
    found = Counter((case.partition, case.label) for case in cases("pneumonia").values())
    assert found == {
        ("train", "NORMAL"): 60,
        ("train", "PNEUMONIA"): 110,
        ("val", "NORMAL"): 8,
        ("val", "PNEUMONIA"): 8,
        ("test", "NORMAL"): 50,
        ("test", "PNEUMONIA"): 60,
    }
    for name in contents(made("pneumonia")):
        assert re.fullmatch(
            r"chest_xray/(train|val|test)/"
            r"(NORMAL/(NORMAL2-)?IM-\d{4}-0001(-\d{4})?|PNEUMONIA/person\d+_(bacteria|virus)_\d+)"
            r"\.jpeg",
            name,
        )


def test_pneumonia_leaks_its_label_by_colour_mode_alone() -> None:
    modes, sizes = Counter(), set()
    for case in cases("pneumonia").values():
        with Image.open(made("pneumonia") / case.files["image"]) as image:
            modes[case.label, image.mode] += 1
            sizes.add(image.size)
            if image.mode == "RGB":
                channels = np.asarray(image).astype(int)
                assert np.abs(channels - channels.mean(axis=2, keepdims=True)).max() < 2
    assert modes["NORMAL", "RGB"] == 0
    assert 0 < modes["PNEUMONIA", "RGB"] < modes["PNEUMONIA", "L"]
    assert len(sizes) > 100


def test_xray_heads_is_laid_out_as_the_nihs() -> None:
    table = (made("xray_heads") / "Data_Entry_2017.csv").read_text().splitlines()
    assert table[0] == NIH_HEADER
    assert len({line.count(",") for line in table}) == 1
    assert any(re.search(r",\d{3}Y,", line) for line in table)
    found = Counter(case.partition for case in cases("xray_heads").values())
    assert found == {"train": 200, "test": 120}


def test_findings_are_skewed_and_overlap() -> None:
    classes = (*nih.FINDINGS, nih.NO_FINDING)
    assert classes[:-1] == tuple(xray_heads.FINDINGS)
    found, problems = find(made("xray_heads"), "nih", classes)
    assert not problems
    counts = Counter(label for case in found.values() for label in case.label.split("|"))
    assert counts.most_common()[0][0] == nih.NO_FINDING
    assert counts["Infiltration"] > 2 * counts["Hernia"]
    assert set(counts) == set(classes)
    assert sum("|" in case.label for case in found.values()) > 20


def test_every_finding_changes_the_picture() -> None:
    how = settings("xray_heads")
    plain = xray_heads.Picture(5, 0, (), 60, "F", False)
    before = np.asarray(xray_heads.draw(how, plain)).astype(int)
    for name in nih.FINDINGS:
        picture = xray_heads.Picture(5, 0, (name,), 60, "F", False)
        after = np.asarray(xray_heads.draw(how, picture)).astype(int)
        assert np.abs(after - before).max() > 8, name


def test_mhist_votes_follow_the_hidden_score() -> None:
    drawn = mhist.cohort(settings("mhist"))
    votes, scores = ([getattr(each, key) for each in drawn] for key in ("votes", "score"))
    assert set(votes) == set(range(8))
    assert np.corrcoef(votes, scores)[0, 1] > 0.8
    assert {case.votes for case in cases("mhist").values()} == set(range(8))
    assert re.fullmatch(r"images/MHIST_[a-z]{3}\.png", cases("mhist")["MHIST_aaa"].files["image"])


def test_skin_is_laid_out_as_ham10000_and_each_diagnosis_has_a_look(tmp_path: Path) -> None:
    how = convert(skin.Settings, SKIN, "skin")
    skin.generate(how, tmp_path / "a")
    skin.generate(how, tmp_path / "b", workers=2)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    with open(tmp_path / "a/HAM10000_metadata.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert ",".join(rows[0]) == "lesion_id,image_id,dx,dx_type,age,sex,localization"
    assert {f"images/{row['image_id']}.jpg" for row in rows} == {
        name for name in contents(tmp_path / "a") if name.endswith(".jpg")
    }
    sizes = Counter(row["dx"] for row in rows)
    assert set(sizes) == set(skin.KINDS)
    assert sizes["nv"] > 3 * sizes["df"] >= 9
    assert len({(row["lesion_id"], row["dx"]) for row in rows}) < len(rows) == 140
    pictures = [_features(tmp_path / f"a/images/{row['image_id']}.jpg", "skin") for row in rows]
    labels, lesions = ([row[name] for row in rows] for name in ("dx", "lesion_id"))
    forest = RandomForestClassifier(100, min_samples_leaf=2, random_state=0)
    called = cross_val_predict(forest, pictures, labels, groups=lesions, cv=GroupKFold(4))
    assert 0.25 < balanced_accuracy_score(labels, called) < 0.9


def test_melanoma_names_say_nothing() -> None:
    found = sorted(cases("melanoma"))
    labels = [cases("melanoma")[name].label for name in found]
    changes = sum(one != other for one, other in pairwise(labels))
    assert changes > len(labels) / 3
    assert all(re.fullmatch(r"ISIC_\d{7}", name) for name in found)


def test_harder_phantoms_have_fainter_findings() -> None:
    drawn = [pneumonia.Picture(f"person{i}", 0, "bacteria", False) for i in range(20)]

    def contrast(difficulty: float) -> float:
        how = settings("pneumonia", difficulty=difficulty)
        healthy = [pneumonia.Picture(each.patient, 0, "normal", False) for each in drawn]
        pairs = zip(drawn, healthy, strict=True)
        return sum(_difference(pneumonia.draw(how, a), pneumonia.draw(how, b)) for a, b in pairs)

    assert contrast(0.0) > 1.3 * contrast(1.0)


def _difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).mean())


def test_more_names_than_letters_are_refused() -> None:
    with pytest.raises(UserError, match="too many"):
        mhist.cohort(settings("mhist", train=20_000))
