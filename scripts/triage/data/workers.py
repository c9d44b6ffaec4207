"""Work spread over processes, in order, with little waiting in memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from triage.process import end_with_parent, keep_freed_memory

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 2  # batches in work or done and not yet taken, for each process


def imap(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    processes: int,
    crashed: Callable[[Task], Result],
    batch: int = 1,
) -> Iterator[Result]:
    """``function`` of each of ``tasks``, in their order, in that many processes.

    What decoders of other people's making print is dropped, and where one crashes the process,
    the result is ``crashed(task)``. A process is handed ``batch`` tasks at once, which saves time
    where each is short. At most ``2 * processes`` batches of results wait to be taken.
    """
    source, processes = iter(tasks), max(1, processes)
    batches = iter(lambda: list(islice(source, batch)), [])
    begun: deque[list[Task]] = deque()
    while (yield from _imap_until_crash(function, batches, begun, processes)):
        # Which task it was is found out by trying those that were under way, one by one.
        while begun:
            for task in begun.popleft():
                yield _alone(function, task, crashed)


def _imap_until_crash(
    function: Callable[[Task], Result],
    source: Iterator[list[Task]],
    begun: deque[list[Task]],
    processes: int,
) -> Generator[Result, None, bool]:
    """Whether a process crashed; ``begun`` then has the batches whose results were not given."""
    begun.extend(islice(source, _AHEAD * processes))
    pending: deque[Future[list[Result]]] = deque()
    with _pool(min(processes, len(begun)) or 1) as pool:
        try:
            pending.extend(pool.submit(_each, function, tasks) for tasks in begun)
            while begun:
                results = pending.popleft().result()
                begun.popleft()
                yield from results  # before what may find the pool broken
                for tasks in islice(source, 1):
                    begun.append(tasks)
                    pending.append(pool.submit(_each, function, tasks))
        except BrokenProcessPool:
            return True
        finally:
            for future in pending:
                future.cancel()
    return False


def _each(function: Callable[[Task], Result], tasks: list[Task]) -> list[Result]:
    return [function(task) for task in tasks]


def _alone(
    function: Callable[[Task], Result], task: Task, crashed: Callable[[Task], Result]
) -> Result:
    with _pool(1) as pool:
        try:
            return pool.submit(function, task).result()
        except BrokenProcessPool:
            return crashed(task)


def _pool(processes: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(processes, context, initializer=_start, initargs=(os.getpid(),))


def _start(parent: int) -> None:
    """Prepare a process: silent, left alone by Ctrl-C, and gone when its parent is."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    keep_freed_memory()
    end_with_parent(parent)
