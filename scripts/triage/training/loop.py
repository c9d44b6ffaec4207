"""The training loop of all studies and stages."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from triage.command import log
from triage.errors import UserError
from triage.task import Task
from triage.training import balance, distributed, rng
from triage.training.average import MovingAverage
from triage.training.balance import Plan
from triage.training.inference import predict
from triage.training.interrupt import Interrupt
from triage.training.limit import TimeLimit
from triage.training.losses import Labels, mean_loss, objective_for
from triage.training.mix import mixed
from triage.training.precision import Autocast
from triage.training.progress import Progress
from triage.training.samples import Bounds, Samples, batches
from triage.training.schedules import LearningRate
from triage.training.scores import scores
from triage.training.selection import EarlyStopping, Selection
from triage.training.settings import Recipe
from triage.training.state import Keeper
from triage.training.step import Part, Stepper, Totals, sum_of

State = dict[str, Tensor]

HISTORY = (
    "epoch", "lr", "loss", "accuracy", "val_loss", "val_accuracy", "val_auc", "val_f1", "skipped"
)  # fmt: skip

# What of a trainer is saved beside the states of its parts.
OWN = (
    "best", "epoch", "step", "spent", "stopped", "history", "seconds", "hardness", "known_hardness"
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """The kept weights and how they came about."""

    weights: State
    epoch: int
    history: list[dict[str, float]]
    seconds: list[float]


@dataclass(frozen=True)
class Window:
    """What one step trains on: the samples of all processes, by row, what their labels weigh in
    all, and this process's parts.

    ``places`` says where in ``rows`` the samples of each part are.
    """

    rows: Tensor
    weight: Tensor
    places: list[slice]
    parts: list[Part]


class Trainer:
    """Trains ``network`` on ``train``, watching ``val``.

    The network is on its device already. ``outputs`` name the columns of the targets, which stand
    for themselves unless the ``task`` has them exclude each other. The run goes on from what
    ``keeper`` finds, and ends with the same bytes as an unbroken one. ``watch`` is called with each
    row of the history.
    """

    def __init__(
        self,
        network: nn.Module,
        train: Samples,
        val: Samples | None,
        recipe: Recipe,
        seed: int,
        outputs: tuple[str, ...],
        keeper: Keeper,
        watch: Callable[[dict[str, float]], None] = lambda row: None,
        limit: TimeLimit | None = None,
        task: Task = Task.MULTILABEL,
    ) -> None:
        _check_feasible(recipe, val)
        self.network = network
        self.train, self.val = train, val
        self.recipe, self.seed = recipe, seed
        self.keeper = keeper
        self.watch = watch
        self.limit = limit or TimeLimit(None)
        self.device = train.targets.device
        self.task = task
        objective = objective_for(task, recipe.loss, train.targets, outputs)
        self.objective = objective
        self.labels = Labels(train.targets, objective.weights(train.targets))
        self.targets_on_host = train.targets.cpu().numpy()
        self.average = MovingAverage(network, recipe.ema_decay) if recipe.ema_decay else None
        self.stepper = Stepper(network, objective, recipe)
        self.autocast = Autocast(self.device, recipe.precision)
        self.lr = LearningRate(recipe.optimizer, recipe.schedule, recipe.epochs)
        self.selection = Selection(recipe.select)
        self.stopping = EarlyStopping(recipe.stopping)
        self.epoch, self.step = 0, 0
        self.started, self.spent = time.monotonic(), 0.0  # seconds in the epoch at hand
        self.stopped = False
        self.best: State = {}
        self.history: list[dict[str, float]] = []
        self.seconds: list[float] = []
        self.totals = Totals(self.device)
        # The loss of each sample in this epoch, and in the one before.
        adaptive = recipe.balance.method == "hard_examples"
        self.hardness = torch.zeros(len(train), device=self.device) if adaptive else None
        self.known_hardness: Tensor | None = None

    def run(self) -> Trained:
        """Train to the end. Raises UserError when too many steps had to be skipped."""
        state = self.keeper.load(self.device, self.recipe.epochs)
        if state is not None and self._fits(state):
            self._restore(state)
            if distributed.is_main_process():
                log.info("going on in epoch %d, after %d steps", self.epoch + 1, self.step)
        with (
            Interrupt() as interrupt,
            Progress(self.recipe.epochs, self.epoch, self.limit) as progress,
        ):
            while not self._is_done():
                self._run_epoch(interrupt, progress)
        if self.selection.epoch is None:
            raise UserError(
                "no epoch had a finite validation loss and score",
                where="training",
                remedy="lower optimizer.lr, set grad_clip_norm, or choose another select.by",
            )
        return Trained(self.best, self.selection.epoch, self.history, self.seconds)

    def _fits(self, state: dict[str, Any]) -> bool:
        """Whether to go on from a state, which may be of another number of epochs; says why not."""
        before, epochs = state["epochs"], self.recipe.epochs
        if before == epochs:
            return True
        if self.recipe.schedule.needs_end:
            why = f"the schedule {self.recipe.schedule.name} depends on the number of epochs"
        elif "epoch" not in state:
            why = "its state was not kept"
        elif (state["epoch"], state["step"]) > (epochs, 0):
            why = f"it has trained for {state['epoch']} epochs"
        else:
            return True
        if distributed.is_main_process():
            log.info(
                "not going on from the training of %d epochs, since %s: starting at epoch 1",
                before,
                why,
            )
        return False

    def _is_done(self) -> bool:
        return self.stopped or self.epoch >= self.recipe.epochs

    def _run_epoch(self, interrupt: Interrupt, progress: Progress) -> None:
        self.started = time.monotonic() - self.spent
        plan = self._plan()
        steps = _steps(len(plan), self.recipe.batch_size, self.recipe.grad_accum)
        progress.start_epoch(self.epoch, len(steps), self.step)
        for window in self._windows(plan, steps[self.step :]):
            self._take_step(window, len(steps))
            progress.advance(self.totals)
            self._save_if_due(interrupt)
        # Validation changes nothing, so the state may be saved in the midst of it.
        validated = self._validate(after_batch=lambda: self._save_if_due(interrupt))
        self._end_epoch(validated, progress)
        self._save_if_due(interrupt, epoch_ended=True)

    def _plan(self) -> Plan:
        hardness = None if self.known_hardness is None else self.known_hardness.cpu().numpy()
        return balance.plan(
            self.recipe.balance,
            self.seed,
            self.epoch,
            self.train.keys,
            self.targets_on_host,
            hardness,
            self.task,
        )

    def _windows(self, plan: Plan, steps: list[Bounds]) -> Iterator[Window]:
        """What each step trains on."""
        self.network.train()
        shares = [[distributed.share(*bounds) for bounds in step] for step in steps]
        bounds = [each for step in shares for each in step]
        samples = mixed(self.recipe.mix, self.seed, self.epoch, plan, self.train)
        inputs, labels = samples.batches(bounds), samples.labels(self.labels)
        rows = torch.from_numpy(plan.rows).to(self.device)
        for step, share in zip(steps, shares, strict=True):
            start, end = step[0][0], step[-1][1]
            parts = [
                Part(next(inputs), tuple(each.rows(slice(a, b)) for each in labels))
                for a, b in share
            ]
            places = [slice(a - start, b - start) for a, b in share]
            weight = sum_of(each.weights[start:end] for each in labels)
            yield Window(rows[start:end], weight, places, parts)

    def _take_step(self, window: Window, steps: int) -> None:
        place = (self.epoch, self.step, distributed.RANK)
        self.stepper.seed(rng.generator_seed(self.seed, *place))
        weight = window.weight.clamp(min=1e-12)
        lr = self.lr.at(self.epoch, self.step, steps)
        elements = self.stepper.step(window.parts, weight, lr, self.totals)
        if self.hardness is not None:
            losses = _by_row(window, elements.mean(1).nan_to_num(0, 0, 0))
            self.hardness[window.rows] = distributed.all_reduce(losses)
        if self.average:
            self.average.update_parameters(self.network)
        self.step += 1

    def _end_epoch(self, validated: dict[str, float], progress: Progress) -> None:
        row = self._summary() | validated
        seconds, self.spent = time.monotonic() - self.started, 0.0
        self.epoch, self.step = self.epoch + 1, 0
        self.totals = Totals(self.device)
        if self.hardness is not None:
            self.known_hardness = self.hardness.clone()
        self.lr.observe(row["loss"] if self.val is None else row["val_loss"])
        if self.selection.improves(self.epoch, row):
            kept = self.average.module if self.average else self.network
            self.best = {name: each.clone() for name, each in kept.state_dict().items()}
        if self.val is not None:
            self.stopping.observe(row)
            self.stopped = self.stopping.stops(self.epoch)
        self.history.append(row)
        self.seconds.append(seconds)
        progress.end_epoch(row, seconds)
        self.watch(row)

    def _summary(self) -> dict[str, float]:
        """A row of the history. Raises UserError when too many steps were skipped."""
        loss, weight, right, known, steps, skipped = self.totals.sums.tolist()
        if skipped > self._may_skip(steps):
            raise UserError(
                f"{skipped:.0f} of {steps:.0f} steps of epoch {self.epoch + 1} were skipped, since "
                "their loss or gradient was not finite",
                where="training",
                remedy="lower optimizer.lr, set grad_clip_norm, use float32 or look for broken "
                f"images; up to {self.recipe.max_skipped:.1%} are allowed (max_skipped)",
            )
        return {
            "epoch": self.epoch + 1,
            "lr": self.lr.at(self.epoch, 0, 1),
            "loss": loss / weight if weight else math.nan,
            "accuracy": right / known if known else math.nan,
            "skipped": skipped,
        }

    def _may_skip(self, steps: float) -> float:
        """How many of so many steps may be skipped: in float16 always one, by which the scaler
        finds out, each time that it has tried a larger scale, whether it was too large."""
        share = self.recipe.max_skipped * steps
        return max(share, 1) if self.stepper.scaler.is_enabled() else share

    def _validate(self, after_batch: Callable[[], None]) -> dict[str, float]:
        names = ("val_loss", "val_accuracy", "val_auc", "val_f1")
        if self.val is None:
            return dict.fromkeys(names, math.nan)
        kept = self.average.module if self.average else self.network
        logits = predict(kept, self.val, self.recipe.batch_size, self.autocast, after_batch)
        targets = self.val.targets
        loss = mean_loss(self.objective, logits, targets)
        found = scores(logits.cpu().numpy(), targets.cpu().numpy(), self.task)
        return {"val_loss": loss} | {f"val_{name}": value for name, value in found.items()}

    @contextmanager
    def handing_over(self, may_go_on: bool = False) -> Iterator[None]:
        """Where results are written. The state is forgotten then, unless a training of more epochs
        ``may_go_on`` from it, and kept if they can't be, so that the next start only writes."""
        try:
            yield
        except UserError:
            self._save()
            raise
        if may_go_on:
            needs_end = self.recipe.schedule.needs_end
            self.keeper.end(self.recipe.epochs, None if needs_end else self._state())
        else:
            self.keeper.remove()

    def _save(self) -> None:
        if distributed.is_main_process():
            self.keeper.save(self._state())

    def _save_if_due(self, interrupt: Interrupt, epoch_ended: bool = False) -> None:
        time_is_up = self.limit.is_near(self.keeper.cost) and not self._is_done()
        stop = (interrupt.requested or time_is_up) and distributed.is_main_process()
        if stop or self.keeper.is_due(epoch_ended):
            self._save()
        if stop:
            interrupt.leave(time_is_up)

    def _state(self) -> dict[str, Any]:
        self.spent = time.monotonic() - self.started if self.step else 0.0
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        own = {name: getattr(self, name) for name in OWN}
        more = {"threads": torch.get_num_threads(), "epochs": self.recipe.epochs}
        return parts | own | more

    def _restore(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for name in OWN:
            setattr(self, name, state[name])
        self._go_on_with(state["threads"])

    def _go_on_with(self, threads: int) -> None:
        """Compute with as many threads as the run began with, on which rounding depends."""
        if threads == torch.get_num_threads():
            return
        torch.set_num_threads(threads)
        if distributed.is_main_process():
            log.info("with %d thread(s), as it began", threads)

    def _parts(self) -> dict[str, Any]:
        """What has a state of its own."""
        parts = {
            "network": self.network,
            "optimizer": self.stepper.optimizer,
            "scaler": self.stepper.scaler,
            "lr": self.lr,
            "selection": self.selection,
            "stopping": self.stopping,
            "totals": self.totals,
        }
        return parts | ({"average": self.average} if self.average else {})


def _by_row(window: Window, values: Tensor) -> Tensor:
    """What the parts' samples have, for all rows of a step; 0 for those of other processes."""
    found = values.new_zeros(len(window.rows))
    sizes = [each.stop - each.start for each in window.places]
    for place, part in zip(window.places, values.split(sizes), strict=True):
        found[place] = part
    return found


def _steps(count: int, batch: int, accumulate: int) -> list[Bounds]:
    """The batches of each step of an epoch, as bounds in the plan.

    A last batch of one sample joins the one before it: batch norm can't learn from one. So does
    one of fewer samples than there are processes.
    """
    found = batches(0, count, batch)
    if len(found) > 1 and found[-1][1] - found[-1][0] < max(2, distributed.WORLD):
        found[-2:] = [(found[-2][0], count)]
    return [found[i : i + accumulate] for i in range(0, len(found), accumulate)]


def _check_feasible(recipe: Recipe, val: Samples | None) -> None:
    """Raises UserError where the run could only fail in the end."""
    by = recipe.select.by
    if by != "last" and val is None:
        raise UserError(
            f"is {by}, but there are no validation cases to choose an epoch by",
            where="recipe.select.by",
            remedy="set it to last, or set split.validation",
        )
    if by == "auc" and val is not None:
        both = (val.targets == 1).any(0) & (val.targets == 0).any(0)
        if not both.any():
            raise UserError(
                "is auc, which is undefined: all validation cases are of one class",
                where="recipe.select.by",
                remedy="choose by loss or accuracy, or change the study's split",
            )
    compilers = ("c++", "g++", "clang++")
    if recipe.compile and not any(map(shutil.which, [os.environ.get("CXX", ""), *compilers])):
        raise UserError(
            "is true, but this machine has no C++ compiler",
            where="recipe.compile",
            remedy="install one, for example g++, or set it to false",
        )
    if recipe.batch_size < distributed.WORLD:
        raise UserError(
            f"a batch of {recipe.batch_size} can't be shared by {distributed.WORLD} processes",
            where="recipe.batch_size",
            remedy="use fewer processes (GPUs) or a larger batch",
        )
