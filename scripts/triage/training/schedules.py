"""The learning rate: a function of the epoch and the step, and for plateau of the losses so far."""

from __future__ import annotations

import math

from triage.training.settings import Optimizer, Schedule
from triage.training.state import Resumable


class LearningRate(Resumable):
    """The rate at each step.

    plateau multiplies by ``factor`` after more than ``patience`` epochs without a better loss,
    exponential after each epoch, cosine falls to ``min_lr`` over all epochs. ``warmup_epochs`` of
    linear rise come on top. No schedule goes below ``min_lr``, except while warming up.
    """

    STATE = ("reductions", "best", "waited")

    def __init__(self, optimizer: Optimizer, settings: Schedule, epochs: int) -> None:
        self.base = optimizer.lr
        self.settings = settings
        self.epochs = epochs
        self.reductions = 0
        self.best = math.inf
        self.waited = 0

    def at(self, epoch: int, step: int, steps: int) -> float:
        """The rate at ``step`` of ``steps`` of an epoch, all counted from 0."""
        rate = self._at_epoch(epoch)
        warm_up = self.settings.warmup_epochs * steps
        return rate * min(1.0, (epoch * steps + step + 1) / warm_up) if warm_up else rate

    def _at_epoch(self, epoch: int) -> float:
        settings = self.settings
        min_lr = min(settings.min_lr, self.base)
        match settings.name:
            case "plateau":
                return max(min_lr, self.base * settings.factor**self.reductions)
            case "exponential":
                return max(min_lr, self.base * settings.factor**epoch)
            case "cosine":
                return (
                    min_lr
                    + (self.base - min_lr) * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
                )
            case "constant":
                return self.base

    def observe(self, loss: float) -> None:
        """Take note of an epoch's loss; one that is not finite counts as no better."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.settings.patience:
            self.reductions, self.waited = self.reductions + 1, 0
