"""Which epoch is kept, and when to stop."""

from __future__ import annotations

import math

from triage.training.settings import Select, Stopping
from triage.training.state import Resumable


class Selection(Resumable):
    """Keeps the epoch that is best by a validation score; equal scores are decided by the loss."""

    STATE = ("epoch", "rank")

    def __init__(self, settings: Select) -> None:
        self.by = settings.by
        self.epoch: int | None = None
        self.rank = (-math.inf, -math.inf)

    def improves(self, epoch: int, scores: dict[str, float]) -> bool:
        """Whether this epoch is better than all before it; an undefined score never is."""
        if self.by == "last":
            self.epoch = epoch
            return True
        loss = -scores["val_loss"]
        rank = (loss if self.by == "loss" else scores[f"val_{self.by}"], loss)
        if any(math.isnan(each) for each in rank) or rank <= self.rank:
            return False
        self.epoch, self.rank = epoch, rank
        return True


class EarlyStopping(Resumable):
    """Stops after ``patience`` epochs in which the validation score did not get better."""

    STATE = ("best", "waited")

    def __init__(self, settings: Stopping) -> None:
        self.settings = settings
        self.best = -math.inf
        self.waited = 0

    def observe(self, scores: dict[str, float]) -> None:
        score = (
            -scores["val_loss"] if self.settings.by == "loss" else scores[f"val_{self.settings.by}"]
        )
        if score > self.best + self.settings.min_delta:
            self.best, self.waited = score, 0
        else:
            self.waited += 1

    def stops(self, epochs_done: int) -> bool:
        patience = self.settings.patience
        if patience is None or epochs_done < self.settings.min_epochs:
            return False
        return self.waited >= max(patience, 1)
