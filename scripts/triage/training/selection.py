"""Which epoch is kept, and when to stop."""

from __future__ import annotations

import math
from typing import Any

from triage.training.settings import Select, Stopping


class Selection:
    """Keeps the epoch that is best by a validation score; equal scores are decided by the loss."""

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

    def state(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "rank": list(self.rank)}

    def restore(self, state: dict[str, Any]) -> None:
        self.epoch = state["epoch"]
        self.rank = (state["rank"][0], state["rank"][1])


class EarlyStopping:
    """Stops after ``patience`` epochs in which the validation score did not get better."""

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

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.waited = state["best"], state["waited"]
