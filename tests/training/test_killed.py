"""Killed with SIGKILL at any moment, on a full disk, with damaged files: it goes on, same bytes."""

import json
import os
import random
import subprocess
import time

import pytest

from killing import FILLER, Moment, Runs, fill
from test_resume import KINDS
from test_stages import Stages
from training_runs import arguments, merged, run_settings, write_study

OUTPUTS = ("checkpoint.pt", "history.csv")
EPOCHS = 5
LAST = EPOCHS - 1
MOMENTS = [
    Moment("step", 2, epoch=0),
    Moment("saving", 2),
    Moment("moving", 2),
    Moment("validation"),
    Moment("epoch"),
    Moment("saved"),
    Moment("validated"),
    Moment("step", 1, epoch=LAST),
    Moment("validation", 1, epoch=LAST),
    Moment("checkpoint"),
    Moment("history"),
    Moment("record"),
]
PRETEXT_MOMENTS = [
    Moment("step", 2, epoch=0),
    Moment("saving", 2),
    Moment("epoch"),
    Moment("saved"),
    Moment("step", 1, epoch=2),
    Moment("moving", 4),
]


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("study"), each=3)  # something to balance


def outputs(folder):
    return [(folder / name).read_bytes() for name in OUTPUTS]


def finish(runs, command):
    status, printed = runs.run(command)
    assert status == 0, printed
    return printed


def kill(runs, command, moments, seed=0):
    """Kill a run at each of the moments that it comes to, and at two random ones; let it end.

    Gives the number of kills.
    """
    kills, times = 0, random.Random(seed)
    for moment in moments:
        status, printed = runs.run(command, moment)
        assert status in (0, -9), printed
        kills += status == -9
    for _ in range(2):
        process = runs.start(command, None)
        time.sleep(times.uniform(0, 0.5))
        process.kill()
        process.join()
        kills += process.exitcode == -9
    finish(runs, command)
    return kills


def some_moments(seed):
    """A few of all moments, others for every kind; in the first and in the last epoch anyway."""
    others = [moment for moment in MOMENTS if moment not in (MOMENTS[0], MOMENTS[-1])]
    chosen = sorted(random.Random(seed).sample(range(len(others)), 4))
    return [MOMENTS[0], *(others[i] for i in chosen), MOMENTS[-1]]


def test_a_run_survives_sigkill_at_every_moment(runs, study, tmp_path):
    settings = run_settings(epochs=EPOCHS)
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", settings))
    command = arguments("train.py", study, tmp_path / "broken", settings, "--save-every", "0")
    assert kill(runs, command, MOMENTS) >= len(MOMENTS)
    assert outputs(tmp_path / "broken") == outputs(tmp_path / "unbroken")
    assert [path.suffix for path in (tmp_path / "broken/scratch").iterdir()] == [".ended"]


@pytest.mark.parametrize(("act", "status"), [("stop", 143), ("interrupt", 130)])
def test_a_process_asked_to_stop_saves_and_says_so(runs, study, tmp_path, act, status):
    settings = run_settings(epochs=EPOCHS)
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", settings))
    broken = tmp_path / "broken"
    command = arguments("train.py", study, broken, settings)
    stopped, printed = runs.run(command, Moment("step", 2, epoch=1), act)
    assert stopped == status, printed
    assert "the next start goes on from it" in printed
    assert not (broken / "checkpoint.pt").exists()
    assert "going on in epoch 2, after 2 steps" in finish(runs, command)
    assert outputs(broken) == outputs(tmp_path / "unbroken")


def pretext_command(folder):
    settings = {
        "source": "pretext", "architecture": "resnet18", "options": {}, "seed": 1,
        "images": 40, "size": 32, "epochs": 3, "batch_size": 10, "lr": 1e-3,
    }  # fmt: skip
    return [
        *("python", "scripts/pretrain.py", "--settings", json.dumps(settings), "--code", "abc"),
        *("--scratch", str(folder / "scratch"), "--weights", str(folder / "weights.pt")),
        *("--log", str(folder / "log.txt"), "--save-every", "0"),
        *("--device", "cpu", "--threads", "1"),
    ]


@pytest.mark.slow
def test_weights_in_the_making_survive_sigkill(runs, tmp_path):
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    finish(runs, pretext_command(unbroken))
    assert kill(runs, pretext_command(broken), PRETEXT_MOMENTS) >= len(PRETEXT_MOMENTS)
    assert (broken / "weights.pt").read_bytes() == (unbroken / "weights.pt").read_bytes()
    assert not any((broken / "scratch").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_training_survives_sigkill(runs, study, tmp_path, kind):
    settings = run_settings(**merged({"epochs": EPOCHS}, KINDS[kind]))
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", settings))
    command = arguments("train.py", study, tmp_path / "broken", settings, "--save-every", "0")
    assert kill(runs, command, some_moments(kind), kind) >= 4
    assert outputs(tmp_path / "broken") == outputs(tmp_path / "unbroken")


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    made = Stages(tmp_path_factory.mktemp("stages"))
    made.train()
    made.features()
    runs = Runs(made.root)
    for name, command in {
        "frozen": made.sequence_command("frozen"),
        "drifting": made.sequence_command("drifting", frozen=False, pooling="last"),
        "finetuned": made.finetune_command("finetuned"),
    }.items():
        assert finish(runs, command), name
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", ["frozen", "drifting", "finetuned"])
def test_every_stage_survives_sigkill(runs, stages, name):
    broken = f"{name}-broken"
    command = {
        "frozen": lambda: stages.sequence_command(broken),
        "drifting": lambda: stages.sequence_command(broken, frozen=False, pooling="last"),
        "finetuned": lambda: stages.finetune_command(broken),
    }[name]()
    assert kill(runs, [*command, "--save-every", "0"], some_moments(name), name) >= 4
    assert outputs(stages.root / broken) == outputs(stages.root / name)


def test_a_damaged_resume_file_is_reported_and_the_one_before_used(runs, study, tmp_path):
    settings = run_settings(epochs=EPOCHS)
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", settings))
    broken = tmp_path / "broken"
    command = arguments("train.py", study, broken, settings, "--save-every", "0")
    assert runs.run(command, Moment("epoch", 4))[0] == -9
    (saved,) = (broken / "scratch").glob("*.state")
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    saved.write_bytes(content)
    printed = finish(runs, command)
    assert f"{saved} is damaged" in printed
    assert "going on in epoch" in printed
    assert outputs(broken) == outputs(tmp_path / "unbroken")


@pytest.fixture
def disk(tmp_path):
    """A disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def with_options(command, **paths):
    """A command with other values of some options."""
    result = list(command)
    for name, path in paths.items():
        result[result.index(f"--{name}") + 1] = str(path)
    return result


def test_a_full_disk_costs_no_state_that_was_saved(runs, study, disk, tmp_path):
    settings = run_settings(epochs=EPOCHS)
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", settings))
    broken = tmp_path / "broken"
    command = arguments("train.py", study, broken, settings, "--save-every", "0")
    command = with_options(command, scratch=disk)
    assert runs.run(command, Moment("epoch", 3))[0] == -9
    saved = {path.name: path.read_bytes() for path in disk.iterdir()}
    assert saved
    fill(disk)
    status, printed = runs.run(command, Moment("validated"))
    assert status == -9
    assert "the state was not saved, training goes on" in printed
    assert "free some space" in printed
    assert {name: (disk / name).read_bytes() for name in saved} == saved
    (disk / FILLER).unlink()
    assert "going on in epoch" in finish(runs, command)
    assert outputs(broken) == outputs(tmp_path / "unbroken")


def test_a_read_only_results_folder_is_noticed_before_training(runs, study, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    command = arguments("train.py", study, disk / "out", run_settings(epochs=EPOCHS))
    status, printed = runs.run(command)
    assert status == 1
    assert "can't be written" in printed
    assert "epoch 1/" not in printed
    assert "Traceback" not in printed


def test_a_results_folder_that_becomes_read_only_keeps_the_state(runs, study, disk, tmp_path):
    settings = run_settings(epochs=EPOCHS)
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", settings))
    command = arguments("train.py", study, disk, settings)
    command = with_options(command, scratch=tmp_path / "scratch")
    status, printed = runs.run(command, Moment("epoch", EPOCHS), "read only", disk)
    assert status == 1
    assert "can't be written" in printed
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    printed = finish(runs, command)
    assert f"epoch {EPOCHS}/{EPOCHS}," not in printed  # it only writes
    assert outputs(disk) == outputs(tmp_path / "unbroken")


def test_outputs_that_can_not_be_written_keep_the_state(runs, study, tmp_path):
    settings = run_settings(epochs=EPOCHS)
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", settings))
    broken = tmp_path / "broken"
    in_the_way = broken / "history.csv"
    in_the_way.mkdir(parents=True)
    command = arguments("train.py", study, broken, settings)
    status, printed = runs.run(command)
    assert status == 1
    assert f"epoch {EPOCHS}/{EPOCHS}," in printed
    assert f"{in_the_way}: can't be written" in printed
    assert "Traceback" not in printed
    in_the_way.rmdir()
    assert f"epoch {EPOCHS}/{EPOCHS}," not in finish(runs, command)  # it only writes
    assert outputs(broken) == outputs(tmp_path / "unbroken")


@pytest.mark.parametrize("killed", [True, False])
def test_more_epochs_go_on_from_where_it_ended_or_was_killed(runs, study, tmp_path, killed):
    more = run_settings(epochs=EPOCHS + 1)
    finish(runs, arguments("train.py", study, tmp_path / "unbroken", more))
    folder = tmp_path / "out"
    command = arguments("train.py", study, folder, run_settings(epochs=EPOCHS), "--save-every", "0")
    assert runs.run(command, Moment("epoch", 3) if killed else None)[0] == (-9 if killed else 0)
    longer = arguments("train.py", study, folder, more)
    printed = finish(runs, longer)
    assert f"going on in epoch {3 if killed else 6}, after" in printed
    assert outputs(folder) == outputs(tmp_path / "unbroken")


def test_a_state_of_other_settings_is_told_of_and_not_kept(runs, study, tmp_path):
    folder = tmp_path / "out"
    finish(runs, arguments("train.py", study, folder, run_settings(epochs=2)))
    (ended,) = (folder / "scratch").iterdir()
    changed = run_settings(epochs=3, batch_size=5)
    printed = finish(runs, arguments("train.py", study, folder, changed))
    assert f"{ended} is of other settings, code or data" in printed
    assert "going on" not in printed
    assert not ended.exists()
