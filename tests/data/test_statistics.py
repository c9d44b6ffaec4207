"""Statistics are those of all pixels of the training cases, and of nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import splitting
from scans import SEQUENCES, make_images, make_index, volume, voxels, write, write_cohort
from triage.data import statistics
from triage.data.image_store import Images
from triage.data.split import PARTITIONS
from triage.errors import UserError

SCRIPTS = Path(statistics.__file__).parents[2]
TRAINING = ["P00", "P03", "P07"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("statistics") / "raw"
    write_cohort(folder)
    # Of another size, so that the store's array is filled up with zeros.
    for i, name in enumerate(SEQUENCES):
        write(volume(voxels(90 + i, (8, 14, 24)) + 500), folder / f"final_test_set/P07/{name}.mha")
    return folder


@pytest.fixture(scope="module")
def images(raw: Path) -> Images:
    return make_images(raw, make_index(raw), 3)


def pixels(images: Images, cases: list[str]) -> np.ndarray:
    """All pixels of these cases, [channels, pixels]."""
    parts = []
    for case in cases:
        parts.append(np.moveaxis(images.stack(case), 1, 0).reshape(3, -1))
    return np.concatenate(parts, axis=1).astype(np.float64)


@pytest.mark.parametrize("values", [1, 5000, 1 << 21])
def test_they_equal_numpys_on_the_pooled_pixels(
    images: Images, monkeypatch: pytest.MonkeyPatch, values: int
) -> None:
    monkeypatch.setattr(statistics, "_VALUES", values)
    pooled = pixels(images, TRAINING)
    found = statistics.compute(images, TRAINING, threads=2)
    np.testing.assert_allclose(found.mean, pooled.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.std, pooled.std(axis=1), rtol=1e-12)
    assert (found.pixels, found.cases) == (pooled.shape[1], 3)


def test_threads_and_order_do_not_matter(images: Images) -> None:
    first = statistics.compute(images, TRAINING, threads=1)
    assert statistics.compute(images, TRAINING[::-1], threads=3) == first


def test_fractions_count_as_well(tmp_path: Path) -> None:
    write_cohort(tmp_path / "raw")
    for i, name in enumerate(SEQUENCES):
        array = (voxels(i) / 7).astype(np.float32)
        write(volume(array), tmp_path / f"raw/train/full/normal/P00/{name}.mha")
    images = make_images(tmp_path / "raw", make_index(tmp_path / "raw"), 2)
    pooled = pixels(images, TRAINING)
    found = statistics.compute(images, TRAINING, threads=2)
    np.testing.assert_allclose(found.mean, pooled.mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(found.std, pooled.std(axis=1), rtol=1e-9)


def test_other_cases_do_not_change_them(raw: Path, images: Images, tmp_path: Path) -> None:
    before = statistics.compute(images, TRAINING, threads=1)
    other = tmp_path / "raw"
    write_cohort(other)
    for name in SEQUENCES:
        path = f"final_test_set/P07/{name}.mha"
        (other / path).write_bytes((raw / path).read_bytes())
    for seed, case in ((300, "normal/P01"), (310, "abnormal/P04")):
        for i, name in enumerate(SEQUENCES):
            changed = 3 * voxels(seed + i) + 1000
            write(volume(changed), other / f"train/full/{case}/{name}.mha")
    changed_images = make_images(other, make_index(other), 2)
    assert statistics.compute(changed_images, TRAINING, threads=1) == before
    assert statistics.compute(changed_images, ["P01"], 1) != statistics.compute(images, ["P01"], 1)


def test_no_or_unknown_cases_and_a_damaged_shard_stop(raw: Path, tmp_path: Path) -> None:
    images = make_images(raw, make_index(raw), 1)
    with pytest.raises(UserError, match="no training case"):
        statistics.compute(images, [], 1)
    with pytest.raises(UserError, match="case X is not among the images"):
        statistics.compute(images, ["P00", "X"], 1)
    path = images._shards[0].path
    assert path is not None
    content = bytearray(path.read_bytes())
    content[300] ^= 1  # in the first row, of P00
    path.write_bytes(content)
    damaged = Images.open([path], [path.with_suffix(".csv")])
    with pytest.raises(UserError, match="is damaged"):
        statistics.compute(damaged, ["P00"], 1)
    statistics.compute(damaged, ["P01"], 1)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPTS / script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_steps_of_the_data_run_one_after_another(tmp_path: Path) -> None:
    """Raw files, index, images, split, statistics, slices, as the workflow calls them."""
    raw = tmp_path / "raw"
    truth = write_cohort(raw)
    make_index(raw)  # writes the inventory
    withdrawn = tmp_path / "withdrawn.csv"
    withdrawn.write_text("case,date,reason\n")
    settings = {
        "index.py": {
            "reader": "volumes",
            "classes": ["normal", "abnormal"],
            "task": "binary",
            "group": None,
            "max_quarantined": 0.1,
            "min_slices": 4,
        },
        "decode_images.py": {"reader": "volumes", "size": None, "mode": "volume", "min_slices": 4},
        "split.py": splitting.DEFAULTS | {"k": 3},
    }
    settings["write_manifest.py"] = settings["index.py"]
    settings["assign_folds.py"] = {
        "split": settings["split.py"],
        "images": {"reader": "volumes", "size": None, "mode": "volume"},
    }
    endings = (".npy", ".csv", "-cases.csv", "-problems.csv")
    arrays, tables, lists, bad = ([tmp_path / f"{i}{end}" for i in (0, 1)] for end in endings)
    manifest, split, groups = (tmp_path / f"{name}.csv" for name in ("manifest", "split", "groups"))
    parts = [tmp_path / "parts" / name / "fold0.csv" for name in PARTITIONS]
    cases, problems = tmp_path / "cases.csv", tmp_path / "problems.csv"
    index = ["--raw", raw, "--inventory", tmp_path / "inventory.csv", "--withdrawn", withdrawn]
    index += ["--cases", cases, "--problems", problems, "--shards", *lists]
    gone = tmp_path / "files_withdrawn.csv"
    index += ["--files-withdrawn", gone]
    steps: list[tuple[str, list[object]]] = [("index.py", index)]
    for i in (0, 1):
        written = ["--array", arrays[i], "--table", tables[i], "--problems", bad[i]]
        steps.append(("decode_images.py", ["--raw", raw, "--cases", lists[i], *written]))
    joined = ["--cases", cases, "--problems", problems, *bad, "--raw", raw, "--withdrawn", gone]
    joined += ["--inventory", tmp_path / "inventory.csv", "--counts", tmp_path / "counts.csv"]
    written = ["--manifest", manifest, "--quarantine", tmp_path / "quarantine.csv"]
    steps.append(("write_manifest.py", [*joined, *written]))
    dealt = ["--folds", tmp_path / "folds.csv", "--groups", groups]
    dealt += ["--raw", raw, "--withdrawn", gone]
    steps.append(("assign_folds.py", ["--manifest", manifest, "--tables", *tables, *dealt]))
    fold = ["--fold", 0, "--split", split, "--parts", *parts]
    steps.append(("split.py", ["--groups", groups, *fold]))
    shards = ["--arrays", *arrays, "--tables", *tables]
    to = ["--statistics", tmp_path / "statistics.json"]
    steps.append(("compute_statistics.py", ["--train", parts[0], *shards, *to]))
    stale = tmp_path / "slices/P99_0.pt"
    stale.parent.mkdir()
    stale.write_bytes(b"of a patient who has withdrawn")
    other = stale.with_name("best.pt")
    other.write_bytes(b"what somebody keeps here")
    labels = tmp_path / "slices/labels_slices.csv"
    steps.append(("write_slices.py", ["--manifest", manifest, *shards, "--labels", labels]))
    for script, arguments in steps:
        if script in settings:
            arguments = [*arguments, "--settings", json.dumps(settings[script])]
        done = run(script, *arguments, "--threads", 2, "--log", tmp_path / f"{script}.log")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr

    partitions = pd.read_csv(split)["partition"].value_counts().to_dict()
    assert partitions == {"train": 2, "val": 2, "test": 2, "unlabelled": 2}
    found = json.loads((tmp_path / "statistics.json").read_text())
    assert list(found) == ["mean", "std", "pixels", "cases", "reference"]
    assert found["cases"] == 2
    assert not stale.exists()
    assert other.exists()
    table = pd.read_csv(labels, keep_default_na=False)
    assert list(table.columns) == ["patient_nr", "slice_nr", "class"]
    assert len(table) == 8 * 6
    assert set(table["class"]) == {"normal", "abnormal", ""}
    slice_ = torch.load(tmp_path / "slices/P03_4.pt", weights_only=True)
    assert slice_.dtype == torch.float32
    assert np.array_equal(slice_, [truth["P03"][name][4] for name in SEQUENCES])


def test_a_persons_mistake_ends_with_a_message_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "inventory.csv").write_text("path,size,sha256\n")
    given = ["--raw", tmp_path, "--inventory", tmp_path / "inventory.csv", "--settings", "{}"]
    given += ["--cases", tmp_path / "c.csv", "--problems", tmp_path / "p.csv"]
    given += ["--shards", tmp_path / "s.csv", "--files-withdrawn", tmp_path / "w.csv"]
    done = run("index.py", *given)
    assert done.returncode == 1
    assert "missing setting(s)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "c.csv").exists()
