"""Several processes on one run give the result of one."""

import csv
import json
import sys
import time
from pathlib import Path

import pytest
import torch

from killing import Moment, Runs, one_of_several
from training_runs import (
    ROOT,
    arguments,
    finish,
    run_settings,
    start,
    wait_for_state,
    write_study,
)

# Dropout differs between processes, so there is none here.
NETWORK = {
    "architecture": "lesion_cnn",
    "options": {"size": 16, "norm": "batch", "dropout": [0.0, 0.0]},
}
# Adam would blow rounding up where a gradient is zero but for it: biases ahead of batch norm.
SGD = {"name": "sgd", "lr": 0.001, "momentum": 0.9}
CHANGES = {"model": NETWORK, "epochs": 3, "batch_size": 5, "grad_accum": 2, "optimizer": SGD}

# Each with batches that two processes can't share evenly.
KINDS = {
    "accumulate": {"batch_size": 5, "grad_accum": 2, "optimizer": {**SGD, "lr": 0.1}},
    "balance": {
        "batch_size": 5,
        "balance": {"method": "hard_examples"},
        "ema_decay": 0.9,
        "optimizer": SGD,
    },
    "mix": {
        "batch_size": 5,
        "grad_accum": 2,
        "mix": {"method": "mixup", "probability": 0.8, "alpha": 0.4},
        "balance": {"method": "hard_examples"},
        "loss": {"class_weights": "inverse"},
        "optimizer": SGD,
    },
    "weights": {"batch_size": 7, "loss": {"class_weights": "inverse"}, "grad_clip_norm": 0.1},
}


def parallel(command):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return [sys.executable, *launcher, *command[1:]]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), cases=400)


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture(scope="module")
def alone(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    status, printed = Runs(out).run(arguments("train.py", study, out, run_settings(**CHANGES)))
    assert status == 0, printed
    return out


def weights(out):
    return torch.load(out / "checkpoint.pt", weights_only=True)["weights"]


def history(out):
    with open(out / "history.csv", encoding="utf-8") as stream:
        return [{name: float(each) for name, each in row.items()} for row in csv.DictReader(stream)]


def assert_alike(first, second):
    """Up to rounding, which many steps in single precision blow up."""
    for name, each in weights(first).items():
        assert torch.allclose(each, weights(second)[name], rtol=0.01, atol=0.01), name
    for own, other in zip(history(first), history(second), strict=True):
        assert own == pytest.approx(other, rel=0.01, abs=0.01)


def test_two_processes_give_the_result_of_one(tmp_path):
    program = ROOT / "tests" / "helpers" / "double_precision.py"
    command = [sys.executable, str(program), json.dumps(KINDS)]
    finish([*command, str(tmp_path / "one.pt")])
    finish([*parallel(command), str(tmp_path / "two.pt")])
    one, two = (torch.load(tmp_path / f"{name}.pt") for name in ("one", "two"))
    for kind, expected in one.items():
        for name, each in expected.items():
            assert torch.allclose(each, two[kind][name], rtol=1e-9, atol=1e-11), (kind, name)


def test_a_job_that_is_given_two_gpus_starts_two_processes(study, alone, tmp_path):
    command = arguments("train.py", study, tmp_path, run_settings(**CHANGES), "--gpus", "2")
    printed = finish(command)
    assert printed.count("epoch 3/3") == 1
    assert json.loads((tmp_path / "record.json").read_text())["processes"] == 2
    assert_alike(tmp_path, alone)


@pytest.mark.slow
def test_processes_end_with_a_launcher_that_is_killed(study, alone, tmp_path):
    settings = run_settings(**CHANGES | {"epochs": 2000})
    command = arguments("train.py", study, tmp_path, settings, "--save-every", "0", "--gpus", "2")
    process = start(command)
    wait_for_state(tmp_path / "scratch", process)
    workers = workers_of(process.pid, command)
    assert len(workers) == 2
    process.kill()
    process.communicate(timeout=60)
    end = time.monotonic() + 20
    while any(is_alive(each) for each in workers):
        assert time.monotonic() < end
        time.sleep(0.1)


def is_alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.parametrize(
    ("rank", "act"), [(1, "die"), pytest.param(0, "stop", marks=pytest.mark.slow)]
)
def test_a_lost_process_ends_the_job_and_the_next_start_goes_on(
    study, alone, tmp_path, runs, rank, act
):
    command = arguments("train.py", study, tmp_path, run_settings(**CHANGES), "--save-every", "0")
    lost = one_of_several(rank, Moment("step", 30), act)
    process = start(parallel([command[0], *lost, *command[1:]]))
    printed, _ = process.communicate(timeout=120)
    assert process.returncode != 0, printed
    # It goes on in one process as well as in two.
    status, printed = runs.run(command)
    assert status == 0, printed
    assert "going on in epoch" in printed
    assert_alike(tmp_path, alone)


def workers_of(launcher: int, command: list[str]) -> list[int]:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    return [each for each in map(int, children) if command[1] in command_line(each)]


def command_line(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
