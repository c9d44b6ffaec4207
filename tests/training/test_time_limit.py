"""A run that can not end within its time saves its state and leaves in time."""

import time

import pytest

from killing import Moment, Runs
from training_runs import arguments, run_settings, write_study
from triage.training import limit
from triage.training.limit import TimeLimit, parse_left, slurm_seconds_left


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:57\n", 57),
        ("12:00:05", 43205),
        ("2-03:04:05", 183845),
        ("UNLIMITED", None),
        ("INVALID", None),
        ("", None),
    ],
)
def test_what_slurm_says_of_the_time_left(text, seconds):
    assert parse_left(text) == seconds


def test_the_end_that_slurm_gives_goes_before_asking(monkeypatch):
    monkeypatch.setattr(limit.subprocess, "run", lambda *_, **__: pytest.fail("asked"))
    environment = {"SLURM_JOB_ID": "1", "SLURM_JOB_END_TIME": str(time.time() + 100)}
    assert slurm_seconds_left(environment) == pytest.approx(100, abs=1)
    assert slurm_seconds_left({}) is None


def test_there_must_be_time_for_a_step_and_for_saving(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(limit.time, "monotonic", lambda: now[0])
    bound = TimeLimit(200.0)

    def near_after(seconds, saving=1.0):
        now[0] += seconds
        return bound.is_near(saving)

    assert not near_after(0)
    assert not near_after(60)  # the longest step: 60 s
    assert not near_after(30)
    assert bound.left == 110
    assert near_after(0, saving=30)  # 20 + 60 + 2 x 30 s are needed
    assert not near_after(27)  # 83 s left, 82 needed
    assert near_after(2)
    assert not TimeLimit(None).is_near(1e9)


def test_a_run_leaves_in_time_and_the_next_start_ends_with_the_same_bytes(tmp_path):
    study, runs = write_study(tmp_path / "study"), Runs(tmp_path)
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    settings = run_settings(epochs=5)
    assert runs.run(arguments("train.py", study, unbroken, settings))[0] == 0
    command = arguments("train.py", study, broken, settings)
    # Ten seconds a step, three steps an epoch: it would take more than two minutes.
    status, printed = runs.run([*command, "--time-limit", "1.7"], Moment("start"), "take long")
    assert status == 75, printed
    assert "s an epoch" in printed
    assert "the time limit comes first" in printed
    assert "the state is saved" in printed
    status, printed = runs.run(command)
    assert status == 0
    assert "going on in epoch 3" in printed
    for name in ("checkpoint.pt", "history.csv"):
        assert (broken / name).read_bytes() == (unbroken / name).read_bytes()
