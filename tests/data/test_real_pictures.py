"""Real pictures and tables are read with the counts of their sources."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from picture_reading import ALL_FINDINGS, ANY_FINDING, CHEST, CHEST_GROUP, LESIONS, POLYPS
from picture_sets import find
from scans import real_data
from triage.data.readers import nih, picture_files
from triage.errors import UserError


def counts(raw: Path, name: str, classes: tuple[str, ...], group: str | None = None):
    """Cases by partition and label, number of groups, all pictures decoded."""
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}")
    cases, problems = find(raw, name, classes, group)
    assert not problems
    for case in cases.values():
        assert picture_files.load(raw, case.files).ndim == 4
    groups = len({case.group for case in cases.values()})
    return Counter((case.partition, case.label) for case in cases.values()), groups


@pytest.mark.real_data
def test_real_pneumonia() -> None:
    found, _ = counts(real_data("pneumonia"), "folders", CHEST, CHEST_GROUP)
    assert found == {
        ("train", "NORMAL"): 262,
        ("train", "PNEUMONIA"): 380,
        ("val", "NORMAL"): 8,
        ("val", "PNEUMONIA"): 8,
        ("test", "NORMAL"): 124,
        ("test", "PNEUMONIA"): 208,
    }


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "expected"),
    [("ham10000", (301, 450, 72, 106, 110, 165)), ("isic2017", (90, 90, 25, 25, 35, 35))],
)
def test_real_melanoma(folder: str, expected: tuple[int, ...]) -> None:
    found, _ = counts(real_data("melanoma") / folder, "folders", LESIONS)
    keys = [(part, label) for part in ("train", "val", "test") for label in ("MEL", "NV")]
    assert found == dict(zip(keys, expected, strict=True))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "healthy", "ill", "patients", "test"),
    [("nih_224", 347, 331, 459, 122), ("nih_64", 340, 413, 183, 135)],
)
def test_real_nih(folder: str, healthy: int, ill: int, patients: int, test: int) -> None:
    raw = real_data("xray_heads") / folder
    found, groups = counts(raw, "nih", ANY_FINDING)
    labels = Counter()
    for (_, label), count in found.items():
        labels[label] += count
    assert labels == {nih.NO_FINDING: healthy, nih.ANY_FINDING: ill}
    assert groups == patients
    assert sum(count for (part, _), count in found.items() if part == "test") == test


@pytest.mark.real_data
def test_real_nih_findings() -> None:
    raw = real_data("xray_heads") / "nih_64"
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}")
    cases, _ = find(raw, "nih", ALL_FINDINGS)
    found = Counter(label for case in cases.values() for label in case.label.split("|"))
    assert (found["Effusion"], found["Hernia"], found["No Finding"]) == (141, 9, 340)
    assert sum("|" in case.label for case in cases.values()) == 183


@pytest.mark.real_data
def test_real_sample_labels_without_their_images() -> None:
    raw = real_data("xray_heads") / "meta"
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}")
    with pytest.raises(UserError, match="names no file that is there"):
        find(raw, "nih", ALL_FINDINGS)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "expected", "cases"),
    [
        ("serrated_vs_polyp_224", (55, 30, 23, 14), 45),
        ("lowgrade_vs_polyp_112", (116, 116, 50, 52), 102),
    ],
)
def test_real_histology(folder: str, expected: tuple[int, ...], cases: int) -> None:
    raw = real_data("mhist") / folder
    found, groups = counts(raw, "annotations", POLYPS, r"GT[A-Za-z]*(\d+)")
    keys = [(part, label) for part in ("train", "test") for label in POLYPS]
    assert found == dict(zip(keys, expected, strict=True))
    assert groups == cases
