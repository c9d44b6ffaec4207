"""Tracking of a training: told what history.csv is told, and of no influence on the result."""

from __future__ import annotations

import csv
import os
import socket
import sys
from pathlib import Path

import pytest

from training_runs import arguments, finish, run_settings, write_study
from triage.training.tracking import FOLDER, VARIABLE


def train(tmp_path: Path, name: str, trackers: str, status: int = 0) -> str:
    study = tmp_path / "study"
    if not study.exists():
        write_study(study)
    os.environ[VARIABLE], os.environ[FOLDER] = trackers, str(tmp_path / "tracking")
    try:
        return finish(arguments("train.py", study, tmp_path / name, run_settings()), status)
    finally:
        del os.environ[VARIABLE], os.environ[FOLDER]


def test_trackers_are_told_the_history_and_change_nothing(tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    tensorboard = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(tmp_path, "plain", "")
    assert not (tmp_path / "tracking").exists()
    train(tmp_path, "tracked", "tensorboard,wandb")
    for name in ("checkpoint.pt", "history.csv"):
        both = [(tmp_path / run / name).read_bytes() for run in ("plain", "tracked")]
        assert both[0] == both[1], name

    folder = tmp_path / "tracking" / "tensorboard" / "demo" / "small" / "fold0-seed1"
    events = tensorboard.EventAccumulator(str(folder))
    events.Reload()
    with open(tmp_path / "tracked" / "history.csv", encoding="utf-8") as stream:
        history = list(csv.DictReader(stream))
    for column in ("loss", "val_loss"):
        told = [(each.step, each.value) for each in events.Scalars(column)]
        expected = [(int(row["epoch"]), float(row[column])) for row in history]
        assert told == [(step, pytest.approx(value, rel=1e-6)) for step, value in expected]

    offline = list((tmp_path / "tracking" / "wandb").rglob("run-*.wandb"))
    assert len(offline) == 1, "an offline run, to be uploaded by `wandb sync`"
    assert offline[0].stat().st_size > 1000

    # What is shown to others says nothing of this machine.
    secrets = [str(tmp_path), f"{Path.home()}/", sys.executable]
    secrets += [socket.gethostname()] * (len(socket.gethostname()) > 4)  # else found by chance
    for path in filter(Path.is_file, (tmp_path / "tracking").rglob("*")):
        assert f".{socket.gethostname()}." not in path.name
        if not path.name.startswith("debug"):  # wandb's log of its own work stays here
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path


def test_an_unknown_tracker_is_a_plain_error(tmp_path: Path) -> None:
    printed = train(tmp_path, "wrong", "tensorbord", status=1)
    assert f"{VARIABLE}: there is no tracker 'tensorbord'" in printed
    assert "tensorboard, wandb" in printed
    assert "Traceback" not in printed
