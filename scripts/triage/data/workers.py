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

_AHEAD = 2  # tasks in work or done and not yet taken, for each process


def imap(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    processes: int,
    crashed: Callable[[Task], Result],
) -> Iterator[Result]:
    """``function`` of each of ``tasks``, in their order, in that many processes.

    What decoders of other people's making print is dropped, and where one crashes the process,
    the result is ``crashed(task)``. At most ``2 * processes`` results wait to be taken.
    """
    source, processes = iter(tasks), max(1, processes)
    begun: deque[Task] = deque()
    while (yield from _imap_until_crash(function, source, begun, processes)):
        # Which task it was is found out by trying those that were under way, one by one.
        while begun:
            yield _alone(function, begun.popleft(), crashed)


def _imap_until_crash(
    function: Callable[[Task], Result], source: Iterator[Task], begun: deque[Task], processes: int
) -> Generator[Result, None, bool]:
    """Whether a process crashed; ``begun`` then has the tasks whose results were not given."""
    begun.extend(islice(source, _AHEAD * processes))
    pending: deque[Future[Result]] = deque()
    with _pool(min(processes, len(begun)) or 1) as pool:
        try:
            pending.extend(pool.submit(function, task) for task in begun)
            while begun:
                result = pending.popleft().result()
                begun.popleft()
                yield result  # before what may find the pool broken
                for task in islice(source, 1):
                    begun.append(task)
                    pending.append(pool.submit(function, task))
        except BrokenProcessPool:
            return True
        finally:
            for future in pending:
                future.cancel()
    return False


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
