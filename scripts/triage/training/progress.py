"""What a person sees of a training: a bar on a terminal, and a line an epoch in the log."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta

import torch
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from triage.command import log
from triage.durations import duration
from triage.training import distributed
from triage.training.limit import TimeLimit
from triage.training.step import Totals

QUIET = 300.0  # seconds after which a long epoch shows a line in the log, where there is no bar


class Progress:
    """The progress of ``epochs`` epochs, of which ``done`` were done before."""

    def __init__(self, epochs: int, done: int, limit: TimeLimit | None = None) -> None:
        self.epochs, self.done = epochs, done
        self.limit = limit or TimeLimit(None)
        self.warned = False
        self.bar: tqdm | None = None
        self.redirect = logging_redirect_tqdm()
        self.seen: torch.Tensor | None = None

    def __enter__(self) -> Progress:
        self.redirect.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self.redirect.__exit__(None, None, None)

    def start_epoch(self, epoch: int, steps: int, done: int) -> None:
        self.steps, self.before, self.step = steps, done, done
        self.started = self.shown = time.monotonic()
        # disable=None: no bar where the output is no terminal.
        self.bar = tqdm(
            total=steps,
            initial=done,
            desc=f"epoch {epoch + 1}/{self.epochs}",
            unit="step",
            leave=False,
            disable=None if distributed.is_main_process() else True,
        )

    def advance(self, totals: Totals) -> None:
        self.step += 1
        if self.bar is None or not distributed.is_main_process():
            return
        if not self.bar.disable:
            if self.bar.update():
                self.bar.set_postfix_str(self._loss(totals), refresh=False)
        elif time.monotonic() - self.shown > QUIET:
            self._log_part(totals)

    def _log_part(self, totals: Totals) -> None:
        self.shown = time.monotonic()
        each = (self.shown - self.started) / (self.step - self.before)
        steps_left = self.steps * (self.epochs - self.done) - self.step
        parts = [
            f"epoch {self.done + 1}/{self.epochs}",
            f"{self.step / self.steps:.0%} done",
            self._loss(totals),
            f"about {duration(steps_left * each)} left",
        ]
        log.info(", ".join(filter(None, parts)))

    def end_epoch(self, row: dict[str, float], seconds: float) -> None:
        self._close()
        self.done += 1
        if not distributed.is_main_process():
            return
        left = (self.epochs - self.done) * seconds
        parts = [
            f"epoch {self.done}/{self.epochs}",
            f"loss {row['loss']:.4f}",
            *(
                f"{name.replace('_', ' ')} {row[name]:.4f}"
                for name in ("val_loss", "val_accuracy", "val_auc")
                if not math.isnan(row[name])
            ),
            f"{seconds:.1f} s an epoch",
            f"{duration(left)} left",
        ]
        if left > QUIET:
            parts.append(f"until about {clock(left)}")
        if row["skipped"]:
            parts.append(f"{row['skipped']:.0f} steps skipped")
        log.info(", ".join(parts))
        self._compare_with_limit(left)

    def _compare_with_limit(self, left: float) -> None:
        """Say it early, and once, where the time limit comes before the end."""
        if left > self.limit.left_for_work and not self.warned:
            self.warned = True
            log.warning(
                "the time limit comes first, in %s: the state will be saved then, and the next "
                "start goes on from it",
                duration(max(self.limit.left_for_work, 0)),
            )

    def _loss(self, totals: Totals) -> str:
        """The mean loss of the epoch, as of some steps ago: the device is not waited for."""
        if self.seen is None:
            self.seen = torch.zeros(2, dtype=torch.float64, pin_memory=totals.sums.is_cuda)
        loss, weight = self.seen.tolist()
        self.seen.copy_(totals.sums[:2], non_blocking=True)
        return f"loss {loss / weight:.4f}" if weight else ""

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def clock(seconds: float) -> str:
    """The time of day in so many ``seconds``, with the date where it is another day."""
    now = datetime.now()
    end = now + timedelta(seconds=seconds)
    return f"{end:%H:%M}" if end.date() == now.date() else f"{end:%Y-%m-%d %H:%M}"
