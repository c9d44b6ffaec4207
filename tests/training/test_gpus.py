"""Jobs side by side on a workstation use different GPUs, and a crash leaves no GPU taken."""

import os
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

import pytest
import torch

from triage.errors import UserError
from triage.training import distributed, gpus

HOLDER = """
import os, sys, time
from pathlib import Path
from triage.training import gpus
gpus.WAIT = 0.05
gpus.lease(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
os.execvp("sleep", ["sleep", "60"])
"""


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """Starts processes that hold GPUs; gives what each sees."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    started = []

    def start(count=1, there=2, **environment):
        command = [sys.executable, "-c", HOLDER, str(count), str(there), str(tmp_path / "locks")]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )
        started.append(process)
        os.set_blocking(process.stdout.fileno(), True)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def seen(process):
    return process.stdout.readline().strip()


def test_jobs_side_by_side_get_different_gpus(hold):
    assert {seen(hold()), seen(hold())} == {"0", "1"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_waits_for_a_gpu_and_gets_that_of_one_that_died(hold, number):
    first, second = hold(), hold()
    taken = {process: seen(process) for process in (first, second)}
    third = hold()
    time.sleep(0.5)
    assert third.poll() is None
    second.send_signal(number)
    assert seen(third) == taken[second]


def test_several_gpus_are_taken_together_or_not_at_all(hold):
    single = hold(1, 3)
    assert seen(single) == "0"
    assert seen(hold(2, 3)) == "1,2"


def test_gpus_are_chosen_from_those_that_a_person_names(hold):
    assert {seen(hold(CUDA_VISIBLE_DEVICES="5,7")), seen(hold(CUDA_VISIBLE_DEVICES="5,7"))} == {
        "5",
        "7",
    }


@pytest.mark.parametrize(
    "given",
    [
        {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": "3"},
        {"CUDA_VISIBLE_DEVICES": ""},
    ],
)
def test_what_leaves_no_choice_stays_as_it_is_and_nobody_waits(hold, given):
    expected = given["CUDA_VISIBLE_DEVICES"]
    assert [seen(hold(1, 8, **given)) for _ in range(2)] == [expected, expected]


def test_jobs_side_by_side_within_an_allocation_get_different_gpus(hold):
    allocation = {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,1"}
    assert {seen(hold(**allocation)), seen(hold(**allocation))} == {"0", "1"}
    # Where SLURM counts each job's GPUs from 0, those of another job are others.
    assert seen(hold(**allocation | {"SLURM_JOB_ID": "8"})) == "0"


def test_a_machine_without_gpus_is_left_alone(hold):
    assert seen(hold(1, 0)) == "None"


def test_more_gpus_than_there_are_is_a_clear_mistake(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(UserError, match="4 GPUs are asked for, but there are 2"):
        gpus.lease(4, 2, tmp_path)


OUT_OF_MEMORY = """
from triage import command
def main() -> None:
    import torch
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")
command.run(main)
"""


def test_too_little_memory_of_a_gpu_is_explained():
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = "CUDA out of memory. Tried to allocate 2.00 GiB"
    assert f"the GPU: its memory is not enough ({said})" in done.stderr
    assert "raise recipe.grad_accum" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def broken(monkeypatch):
    """A machine with two GPUs and a driver that is too old."""
    error = RuntimeError("The NVIDIA driver on your system is too old\nmore")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "init", Mock(side_effect=error))


def test_a_gpu_that_is_asked_for_and_can_not_be_used_is_a_clear_mistake(broken):
    with pytest.raises(UserError, match=r"cuda: no GPU can be used \(The NVIDIA .* too old\)"):
        distributed.local_device("cuda")


def test_gpus_that_can_not_be_used_are_told_of(broken, caplog, monkeypatch):
    assert distributed.local_device("auto").type == "cpu"
    assert "of 2 GPU(s) none can be used (The NVIDIA driver" in caplog.text
    caplog.clear()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert distributed.local_device("auto").type == "cpu"
    assert not caplog.text


@pytest.fixture
def claimed(monkeypatch):
    """A machine with a driver, on which CUDA must not start; gives what is leased."""
    leased = []
    for name in ("CUDA_VISIBLE_DEVICES", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    monkeypatch.setattr(distributed, "_has_driver", lambda: True)
    started = Mock(side_effect=AssertionError("CUDA starts"))
    monkeypatch.setattr(torch.cuda, "device_count", started)
    monkeypatch.setattr(gpus, "lease", lambda count, there: leased.append((count, there)))
    return leased


def test_gpus_that_a_person_names_are_not_counted(claimed, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1a,MIG-2b,MIG-3c")
    distributed.claim("auto", 2)
    assert claimed == [(2, 3)]


def test_gpus_are_counted_without_cuda_in_this_process(claimed, monkeypatch):
    monkeypatch.setattr(distributed, "_counted_apart", lambda: 5)
    distributed.claim("auto")
    distributed.claim("cuda")
    assert claimed == [(1, 5), (1, 5)]


def test_a_machine_without_a_driver_has_no_gpus(claimed, monkeypatch):
    monkeypatch.setattr(distributed, "_has_driver", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    distributed.claim("auto")
    assert claimed == [(1, 0)]


def test_another_process_counts_as_torch_does():
    assert distributed._counted_apart() == torch.cuda.device_count()
