"""Training scripts run in forked processes, where something happens at a chosen moment.

The processes are forked from one that has imported torch already, so a start costs no seconds.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # which optimizers load when they are first made

from triage import files
from triage.training import job, loop, state

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
FILLER = "filler"


@dataclass(frozen=True)
class Moment:
    """The ``nth`` time that something is done in a process: see MOMENTS."""

    at: str
    nth: int = 1
    epoch: int | None = None  # only in this epoch, counted from 0


def die(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill(folder: Path) -> None:
    """Leave no space on a small disk."""
    with open(folder / FILLER, "wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(1 << 12))


def make_read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)


def take_long(_: Path) -> None:
    """Every step from now on takes ten seconds, by the clock alone."""
    clock, take_step = time.monotonic, loop.Trainer._take_step
    passed = 0.0

    def take_slow_step(*arguments: Any) -> None:
        nonlocal passed
        passed += 10
        take_step(*arguments)

    loop.Trainer._take_step = take_slow_step  # type: ignore[method-assign]
    time.monotonic = lambda: clock() + passed


ACTIONS: dict[str, Callable[[Path], None]] = {
    "die": die,
    "stop": lambda _: os.kill(os.getpid(), signal.SIGTERM),
    "interrupt": lambda _: os.kill(os.getpid(), signal.SIGINT),
    "read only": make_read_only,
    "take long": take_long,
}

# What is wrapped for a moment, and whether the action comes before it (else after).
MOMENTS: dict[str, tuple[object, str, bool]] = {
    "start": (loop.Trainer, "run", True),
    "step": (loop.Trainer, "_take_step", False),
    "validation": (loop.Trainer, "_validate", True),
    "validated": (loop.Trainer, "_validate", False),
    "epoch": (loop.Trainer, "_end_epoch", False),
    "saving": (state.Keeper, "_write", True),
    "saved": (state.Keeper, "_write", False),
    # A whole file lies beside its target and is about to be moved there.
    "moving": (files, "_flush", False),
    "checkpoint": (job.Checkpoint, "save", False),
    "history": (job, "write_rows", False),
    "record": (job, "write_json", False),
}


def _arrange(moment: Moment, action: Callable[[], None]) -> None:
    owner, name, is_before = MOMENTS[moment.at]
    original: Callable[..., Any] = getattr(owner, name)
    left = moment.nth

    @functools.wraps(original)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        trainer = arguments[0] if arguments else None
        counts = moment.epoch is None or getattr(trainer, "epoch", None) == moment.epoch
        left -= counts
        if is_before and counts and left == 0:
            action()
        result = original(*arguments, **options)
        if not is_before and counts and left == 0:
            action()
        return result

    setattr(owner, name, wrapped)


def _run(command: list[str], printed: Path, moment: Moment | None, act: str, where: Path) -> None:
    with open(printed, "w") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    state.SHARE = 1.0  # a state is saved as often as can be
    if moment:
        _arrange(moment, lambda: ACTIONS[act](where))
    torch.set_num_threads(1)
    os.chdir(ROOT)
    _run_script(command[1:])


def _run_script(command: list[str]) -> None:
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")


class Runs:
    """Starts commands as processes forked from one that is warm."""

    def __init__(self, folder: Path) -> None:
        self.printed = folder / "printed.txt"
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["killing"])

    def start(
        self, command: list[str], moment: Moment | None, act: str = "die", where: Path = HERE
    ) -> ForkServerProcess:
        process = self._context.Process(
            target=_run, args=(command, self.printed, moment, act, where)
        )
        with _search_path():
            process.start()
        return process

    def run(
        self,
        command: list[str],
        moment: Moment | None = None,
        act: str = "die",
        where: Path = HERE,
    ) -> tuple[int | None, str]:
        """The exit status, negative where a signal ended it, and what was printed."""
        process = self.start(command, moment, act, where)
        process.join(60)
        if process.exitcode is None:
            process.kill()
        return process.exitcode, self.printed.read_text()


@contextlib.contextmanager
def _search_path() -> Iterator[None]:
    """The process that others are forked from finds modules by its environment only."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), before or ""])
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def one_of_several(rank: int, moment: Moment, act: str) -> list[str]:
    """The start of a command line: in the process with this rank alone something happens."""
    return [__file__, str(rank), moment.at, str(moment.nth), act]


if __name__ == "__main__":
    _, rank, at, nth, act, *script = sys.argv
    if os.environ["RANK"] == rank:
        _arrange(Moment(at, int(nth)), lambda: ACTIONS[act](HERE))
    _run_script(script)
