"""A run that is stopped at any moment ends with the same bytes as an unbroken one."""

import os
import random
import time
from pathlib import Path

import pytest
import torch

from training_runs import cohort, dense, fit, recipe, samples
from triage.training import scratch
from triage.training.loop import Trainer
from triage.training.state import Keeper

# Nothing improves by so much: the count of epochs without improvement has to survive.
EARLY = {"patience": 2, "min_delta": 10.0}
KINDS = {
    "plain": {},
    "plateau": {"schedule": {"name": "plateau", "patience": 0}},
    "exponential and warm-up": {"schedule": {"name": "exponential", "warmup_epochs": 1}},
    "cosine": {"schedule": {"name": "cosine"}},
    "sgd": {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}},
    "adamw": {"optimizer": {"name": "adamw", "weight_decay": 0.1}},
    "oversample": {"balance": {"method": "oversample"}},
    "copies": {"balance": {"method": "oversample", "augment": "copies"}},
    "hard examples": {"balance": {"method": "hard_examples"}},
    **{
        f"early stopping by {by}": {"stopping": {"by": by, **EARLY}, "select": {"by": by}}
        for by in ("loss", "accuracy", "auc", "f1")
    },
    "average": {"ema_decay": 0.9},  # warming up throughout
    "average after its warm-up": {"ema_decay": 0.5},
    "accumulation and clipping": {"grad_accum": 2, "grad_clip_norm": 0.1},
    "mixing": {
        "mix": {"method": "mixup", "probability": 0.7, "alpha": 0.4},
        "balance": {"method": "hard_examples"},
    },
    "last epoch": {"select": {"by": "last"}},
    "float16": {"precision": "float16", "max_skipped": 0.5},
}


class Killed(BaseException):
    """What a test throws where a process would die."""


class Restless(Keeper):
    """Saves at every chance, and dies at the save with the given number."""

    def __init__(self, path: Path, dies_at: int, while_writing: bool) -> None:
        super().__init__(path)
        self.left = dies_at
        self.while_writing = while_writing

    def is_due(self, epoch_ended: bool = False) -> bool:
        return True

    def _write(self, content: bytes) -> None:
        self.left -= 1
        if self.left == 0 and self.while_writing:
            # As a stop between the two renames leaves it: half a new file, the old one moved.
            self.path.parent.mkdir(exist_ok=True)
            self.path.with_suffix(".part").write_bytes(content[: len(content) // 2])
            if self.path.exists():
                self.path.replace(self.previous)
            raise Killed
        super()._write(content)
        if self.left == 0:
            raise Killed


def train_until_done(folder: Path, moments: random.Random, **changes):
    """Train, dying again and again; gives the result and the number of deaths."""
    torch.set_num_threads(1)
    deaths = 0
    while True:
        keeper = Restless(folder / "run.state", moments.randint(1, 9), moments.random() < 0.5)
        trainer = Trainer(
            dense(norm=True, dropout=0.3),
            samples(*cohort()),
            samples(*cohort(seed=1)),
            recipe(**changes),
            1,
            ("class0",),
            keeper,
        )
        try:
            return trainer.run(), deaths
        except Killed:
            deaths += 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_training_resumes_exactly(tmp_path, kind):
    changes = {"epochs": 5} | KINDS[kind]
    val = samples(*cohort(seed=1))
    network = dense(norm=True, dropout=0.3)
    unbroken = fit(network, tmp_path / "unbroken", val=val, **changes)
    for attempt in range(3):
        moments = random.Random(attempt)
        broken, deaths = train_until_done(tmp_path / str(attempt), moments, **changes)
        assert deaths
        assert broken.history == unbroken.history
        assert broken.epoch == unbroken.epoch
        for name, each in unbroken.weights.items():
            assert torch.equal(each, broken.weights[name]), name


def trained(folder: Path, train=None, **changes):
    """Trained to the end, whose results count as written."""
    torch.set_num_threads(1)
    network, val = dense(norm=True, dropout=0.3), samples(*cohort(seed=1))
    keeper = Keeper(folder / "run.state")
    train = train or samples(*cohort())
    trainer = Trainer(network, train, val, recipe(**changes), 1, ("class0",), keeper)
    result = trainer.run()
    with trainer.handing_over(may_go_on=True):
        pass
    return result


def assert_same(one, other):
    assert one.history == other.history
    assert one.epoch == other.epoch
    for name, each in one.weights.items():
        assert torch.equal(each, other.weights[name]), name


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cosine"])
def test_a_training_of_more_epochs_goes_on_from_the_end_of_a_shorter_one(tmp_path, kind, caplog):
    caplog.set_level("INFO")
    changes = KINDS[kind]
    at_once = trained(tmp_path / "at once", epochs=5, **changes)
    trained(tmp_path, epochs=3, **changes)
    caplog.clear()
    assert_same(trained(tmp_path, epochs=5, **changes), at_once)
    assert f"going on in epoch {min(4, 1 + len(at_once.history))}" in caplog.text
    assert [path.name for path in tmp_path.glob("run*")] == ["run.5.ended"]


def test_a_training_with_as_many_epochs_is_trained_again(tmp_path, caplog):
    caplog.set_level("INFO")
    first = trained(tmp_path)
    assert_same(trained(tmp_path), first)
    assert "going on" not in caplog.text


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ({"schedule": {"name": "cosine"}}, 4, "the schedule cosine depends on the number of"),
        ({}, 2, "it has trained for 3 epochs"),
        ({}, 4, "its state was not kept"),
    ],
)
def test_why_other_epochs_begin_anew(tmp_path, caplog, monkeypatch, before, now, why):
    caplog.set_level("INFO")
    if "not kept" in why:
        monkeypatch.setattr(scratch, "SHARE", 0.0)  # as on a full disk
    trained(tmp_path / "run", epochs=3, **before)
    again = trained(tmp_path / "run", epochs=now, **before)
    assert f"not going on from the training of 3 epochs, since {why}" in caplog.text
    assert_same(again, trained(tmp_path / "at once", epochs=now, **before))


def test_states_of_ended_trainings_are_emptied_when_they_are_old(tmp_path):
    trained(tmp_path)
    (ended,) = tmp_path.glob("*.ended")
    unfinished = tmp_path / "other.state"
    unfinished.write_bytes(b"kept")
    assert scratch.old(tmp_path) == []
    weeks_ago = time.time() - (scratch.DAYS + 1) * 24 * 60 * 60
    for path in (ended, unfinished):
        os.utime(path, (weeks_ago, weeks_ago))
    assert scratch.old(tmp_path) == [unfinished, ended]
    scratch.limit_ended(tmp_path)
    assert ended.read_bytes() == b""
    assert unfinished.read_bytes() == b"kept"


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "replaced"])
def test_a_damaged_state_is_reported_and_the_one_before_used(tmp_path, damage, caplog):
    moments = random.Random(0)
    keeper = Keeper(tmp_path / "run.state")
    keeper.save({"epoch": 1})
    keeper.save({"epoch": 2})
    assert keeper.load() == {"epoch": 2}
    content = bytearray(keeper.path.read_bytes())
    if damage == "flipped":
        content[moments.randrange(len(content))] ^= 255
    elif damage == "replaced":
        content = bytearray(b"something else")
    else:
        content = content[: 100 if damage == "cut" else 0]
    keeper.path.write_bytes(content)
    assert keeper.load() == {"epoch": 1}
    assert "damaged" in caplog.text
    keeper.previous.write_bytes(b"")
    assert keeper.load() is None


def test_a_state_that_can_not_be_saved_does_not_stop_training(tmp_path, caplog):
    (tmp_path / "scratch").write_text("a file where the folder should be")
    trained = fit(dense(), tmp_path / "scratch", every=0.0)
    assert len(trained.history) == 3
    assert "training goes on" in caplog.text


def test_saving_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    keeper = Keeper(tmp_path / "run.state", every=60.0)

    def after(seconds, epoch_ended):
        now[0] = keeper.saved_at + seconds
        return keeper.is_due(epoch_ended)

    keeper.cost = 0.5
    assert not after(9, epoch_ended=True)
    assert after(11, epoch_ended=True)
    assert not after(59, epoch_ended=False)
    assert after(61, epoch_ended=False)
    keeper.cost = 10.0  # a huge state: an epoch that took over a minute is always kept
    assert after(61, epoch_ended=True)
    assert not after(100, epoch_ended=False)


def test_a_run_goes_on_with_the_threads_that_it_began_with(tmp_path: Path) -> None:
    def trainer(keeper: Keeper) -> Trainer:
        train, val = samples(*cohort()), samples(*cohort(seed=1))
        return Trainer(dense(norm=True), train, val, recipe(), 1, ("class0",), keeper)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(Killed):
            trainer(Restless(tmp_path / "run.state", 2, while_writing=False)).run()
        torch.set_num_threads(1)
        trainer(Keeper(tmp_path / "run.state")).run()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
