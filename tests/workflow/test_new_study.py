"""A new study is planned from what a folder and its table show; two readings are never guessed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from triage_workflow.params import Params
from triage_workflow.planning import machine, plan
from triage_workflow.planning.block import settings, yaml_of
from triage_workflow.planning.choices import Choices

from dicom_files import slice_
from own_studies import bids, chest, ct, hospitals, lesions
from picture_sets import write
from scans import real_data
from triage.data import survey
from triage.data.survey import look
from triage.errors import UserError

ROOT = Path(__file__).parents[2]


def planned(raw: Path, **options: str) -> tuple[dict[str, Any], int, int]:
    """The settings of the study as they are read back, and the numbers of cases and problems."""
    given = {name.replace("_", "-"): value for name, value in options.items()}
    block, cases, problems = plan.study(look(raw), None, Choices(given, asks=False), raw, 16e9)
    demo = yaml.safe_load((ROOT / "presets/demo.yaml").read_text())
    text = yaml_of("own", block)
    read = yaml.safe_load("studies:" + text)["studies"]
    assert read["own"] == settings(block)
    for line in text.splitlines():
        assert len(line) <= 100 or "raw:" in line
    Params(demo | {"studies": demo["studies"] | read})
    return read["own"], len(cases), len(problems)


@pytest.mark.parametrize(
    ("make", "options", "task", "classes", "cases"),
    [
        (lesions, {}, "multiclass", ["bcc", "bkl", "mel", "nv"], 96),
        (chest, {}, "binary", ["normal", "pneumonia"], 48),
        (bids, {}, "binary", ["control", "tumour"], 28),
        (ct, {}, "binary", ["haemorrhage 0", "haemorrhage 1"], 32),
        (hospitals, {}, "multilabel", ["effusion", "oedema", "mass"], 80),
    ],
)
def test_five_studies_are_planned_from_their_folders(
    tmp_path: Path,
    make: Callable[[Path], None],
    options: dict[str, str],
    task: str,
    classes: list[str],
    cases: int,
) -> None:
    make(tmp_path)
    block, found, problems = planned(tmp_path, **options)
    assert (block["task"], block["classes"], found, problems) == (task, classes, cases, 0)


def test_only_files_of_one_size_are_read_to_find_doubles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("a.png", b"12"), ("b.png", b"12"), ("c.png", b"34"), ("d.png", b"5")):
        (tmp_path / name).write_bytes(content)
    read: list[str] = []

    def sha256(path: Path) -> str:
        read.append(path.name)
        return path.read_text()

    monkeypatch.setattr(survey, "sha256", sha256)
    assert look(tmp_path).doubles == [["a.png", "b.png"]]
    assert sorted(read) == ["a.png", "b.png", "c.png"]


def test_what_is_read_of_tables_and_paths(tmp_path: Path) -> None:
    for make in (lesions, bids, hospitals):
        make(tmp_path / make.__name__)
    own, _, _ = planned(tmp_path / "lesions")
    assert own["index"]["columns"] == {"file": "image", "label": "dx", "group": "patient"}
    assert own["index"]["attributes"] == ["age", "sex"]
    assert own["images"] == {"mode": "rgb", "size": 32}
    own, _, _ = planned(tmp_path / "bids")
    columns = own["index"]["columns"]
    assert columns["pattern"] == "{participant_id}/anat/{participant_id}_{channel}.nii.gz"
    assert sorted(own["index"]["channels"]) == ["FLAIR", "T1c", "T1w", "T2w"]
    assert own["images"]["mode"] == "volume"
    own, _, _ = planned(tmp_path / "hospitals")
    assert own["index"]["columns"]["partition"] == "set"
    assert own["index"]["attributes"] == ["site"]
    assert own["split"]["k"] >= 3


@pytest.mark.parametrize(
    ("images", "side", "memory", "chosen", "batch", "reason"),
    [
        (200, 64, 16e9, "resnet18", 8, "20 batches an epoch"),
        (8_000, 128, 16e9, "resnet34", 64, "more is rarely better"),
        (60_000, 224, 8e9, "resnet50", 16, "fits 7 GB"),
        (60_000, 224, 1e9, "resnet18", 2, "fits 1 GB"),
    ],
)
def test_network_and_batch_follow_from_images_and_memory(
    images: int, side: int, memory: float, chosen: str, batch: int, reason: str
) -> None:
    network, size = machine.network(images, side, memory)
    assert (network.value, size.value) == (chosen, batch)
    assert f"{images} images of {side} pixels" in network.reason
    assert reason in size.reason


def test_folders_of_slices_are_volumes(tmp_path: Path) -> None:
    for case in range(12):
        (tmp_path / f"p{case}").mkdir()
        for i in range(3):
            array = np.full((32, 40), case + i)
            slice_(i, array).save_as(tmp_path / f"p{case}/{i}.dcm", enforce_file_format=True)
    rows = [f"p{case},{'ab'[case % 2]}" for case in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["scan,label", *rows]))
    own, cases, problems = planned(tmp_path)
    assert (own["images"]["mode"], cases, problems) == ("volume", 12, 0)
    assert look(tmp_path).headers.slices == [3] * 12
    assert look(tmp_path).headers.side == 32


def test_class_folders_need_no_table(tmp_path: Path) -> None:
    names = [f"{part}/{kind}/{part}{i}.png" for part in ("train", "test")
             for kind in ("benign", "malignant") for i in range(12)]  # fmt: skip
    names = [name.replace("malignant/", "malignant/m") for name in names]
    write(tmp_path, names)
    own, cases, problems = planned(tmp_path)
    assert (own["index"]["reader"], own["classes"]) == ("folders", ["benign", "malignant"])
    assert (cases, problems) == (48, 0)


@pytest.mark.parametrize(
    ("text", "message", "options"),
    [
        ("image,dx,outcome,x\n{},a,b,1\n",
         "Which column is the label? dx or outcome", {"label": "dx"}),
        ("image,dx,patient,lesion\n{},a,{},{}\n",
         "belongs together? patient or lesion", {"group": "patient"}),
    ],
)  # fmt: skip
def test_two_readings_are_asked_and_options_say(
    tmp_path: Path, text: str, message: str, options: dict[str, str]
) -> None:
    write(tmp_path, [f"{i:02d}.png" for i in range(40)])
    header, row = text.splitlines()
    rows = [
        row.format(f"{i:02d}", f"P{i // 4}", f"L{i // 2}")
        .replace(",a", f",{'ab'[i % 2]}")
        .replace(",b,", f",{'cd'[i % 2]},")
        for i in range(40)
    ]
    (tmp_path / "labels.csv").write_text("\n".join([header, *rows]))
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        planned(tmp_path)
    assert "--" in str(caught.value)
    assert planned(tmp_path, **options)[1] == 40
    with pytest.raises(UserError, match="there is no 'patien'"):
        planned(tmp_path, **options | {"group": "patien"})


def test_what_can_not_be_planned_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        look(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(UserError, match=r"holds no image: 1 \.txt"):
        look(tmp_path)
    write(tmp_path, ["a.png", "b.png"])
    with pytest.raises(UserError, match="no table names these images"):
        planned(tmp_path)


def test_the_command_adds_a_block_that_keeps_the_rest(tmp_path: Path) -> None:
    lesions(tmp_path / "raw")
    params = Path(shutil.copy(ROOT / "presets/demo.yaml", tmp_path / "params.yaml"))
    before = params.read_text()
    command = [sys.executable, str(ROOT / "workflow/new_study.py"), "own", str(tmp_path / "raw")]
    command += ["--params", str(params), "--no-dry-run", "--table", "labels.csv"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "cases: 96 of 48 groups" in done.stdout
    after = params.read_text()
    assert after.startswith(before.rstrip("\n"))
    assert Params.read(params).study("own")["task"] == "multiclass"
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert "there is a study own already" in again.stderr
    assert params.read_text() == after


@pytest.mark.real_data
def test_real_ham10000_is_seven_classes() -> None:
    raw = real_data("full") / "ham10000"
    if not raw.is_dir():
        pytest.skip(f"no real data at {raw}")
    block, cases, problems = planned(raw, group="lesion_id")
    assert block["task"] == "multiclass"
    assert block["classes"] == ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
    assert (cases, problems) == (8034, 0)
