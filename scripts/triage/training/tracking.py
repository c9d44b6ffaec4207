"""The course of a training in TensorBoard or Weights & Biases, beside history.csv.

A machine setting, since it changes no result: the environment variable TRIAGE_TRACKING names one
or both, as in ``TRIAGE_TRACKING=tensorboard,wandb``. Files go below TRIAGE_TRACKING_FOLDER,
``logs/tracking`` if that is not set. Weights & Biases works offline unless WANDB_MODE says
otherwise. What others may be shown names neither this machine nor its folders and users.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from triage.command import log
from triage.errors import UserError
from triage.training import distributed
from triage.training.settings import TrainingSettings

VARIABLE, FOLDER = "TRIAGE_TRACKING", "TRIAGE_TRACKING_FOLDER"
NEUTRAL = "machine"

Row = dict[str, float]


class Tracker(Protocol):
    """What is told of every epoch."""

    def log(self, values: Row, epoch: int) -> None: ...

    def close(self) -> None: ...


@contextmanager
def opened(run: TrainingSettings) -> Iterator[Callable[[Row], None]]:
    """What is to be called with each row of the history; it does nothing without trackers.

    A tracker that fails is left out from then on, with a warning: training goes on. Raises
    UserError for an unknown tracker, or one whose package is missing.
    """
    trackers = _open(run) if distributed.is_main_process() else {}

    def each(action: Callable[[Tracker], None]) -> None:
        for name, tracker in list(trackers.items()):
            try:
                action(tracker)
            except Exception as error:  # whatever a service or its package does
                log.warning("warning: %s fails and is left out: %s", name, error)
                del trackers[name]

    def watch(row: Row) -> None:
        values = {name: value for name, value in row.items() if math.isfinite(value)}
        epoch = int(values.pop("epoch"))
        each(lambda tracker: tracker.log(values, epoch))

    try:
        yield watch
    finally:
        each(lambda tracker: tracker.close())


def _open(run: TrainingSettings) -> dict[str, Tracker]:
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in TRACKERS]:
        raise UserError(
            f"there is no tracker {unknown[0]!r}",
            where=VARIABLE,
            remedy=f"must be of {', '.join(TRACKERS)}, joined with a comma",
        )
    above = Path(os.environ.get(FOLDER) or "logs/tracking")
    trackers = {}
    for name in names:
        try:
            trackers[name] = TRACKERS[name](run, above / name)
        except ImportError as error:
            raise UserError(
                f"{name} is not installed",
                where=VARIABLE,
                remedy='pip install --constraint constraints.txt --editable ".[tracking]"',
            ) from error
    return trackers


class _TensorBoard:
    def __init__(self, run: TrainingSettings, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        name = f"fold{run.fold}-seed{run.seed}"
        # The name of the machine would be part of the file's.
        with mock.patch("socket.gethostname", return_value=NEUTRAL):
            self.writer: Any = SummaryWriter(str(folder / run.study / run.arm / name))

    def log(self, values: Row, epoch: int) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, epoch)

    def close(self) -> None:
        self.writer.close()


class _WandB:
    def __init__(self, run: TrainingSettings, folder: Path) -> None:
        import wandb

        os.environ.setdefault("WANDB_MODE", "offline")
        folder.mkdir(parents=True, exist_ok=True)
        self.run: Any = wandb.init(
            project="triage",
            group=f"{run.study}-{run.arm}",
            name=f"{run.study}-{run.arm}-fold{run.fold}-seed{run.seed}",
            config=dataclasses.asdict(run),
            dir=str(folder),
            settings=wandb.Settings(
                silent=True,
                host=NEUTRAL,
                username=NEUTRAL,
                program=f"{run.stage}.py",
                console="off",
                disable_code=True,
                disable_git=True,
                x_disable_meta=True,
                x_disable_machine_info=True,
            ),
        )

    def log(self, values: Row, epoch: int) -> None:
        self.run.log(values, step=epoch)

    def close(self) -> None:
        self.run.finish()


TRACKERS: dict[str, Callable[[TrainingSettings, Path], Tracker]] = {
    "tensorboard": _TensorBoard,
    "wandb": _WandB,
}
