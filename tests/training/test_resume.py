"""A run that is stopped at any moment ends with the same bytes as an unbroken one."""

import random
import time
from pathlib import Path

import pytest
import torch

from training_runs import cohort, dense, fit, recipe, samples
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
