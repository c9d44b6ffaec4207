"""Work spread over processes, in order, with little waiting in memory."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 2  # tasks in work or done and not yet taken, for each process
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h


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
    todo = deque(tasks)
    while todo:
        broken = yield from _imap_until_crash(function, todo, processes)
        if broken:
            # Which task it was is found out by trying those that were under way, one by one.
            for _ in range(min(len(todo), _AHEAD * processes)):
                yield _alone(function, todo.popleft(), crashed)


def _imap_until_crash(
    function: Callable[[Task], Result], todo: deque[Task], processes: int
) -> Generator[Result, None, bool]:
    """Take tasks off ``todo`` as their results are taken; returns whether a process crashed."""
    with _pool(min(processes, len(todo))) as pool:
        pending: deque[Future[Result]] = deque()
        ahead = iter(tuple(todo))
        try:
            while todo:
                while len(pending) < min(_AHEAD * processes, len(todo)):
                    pending.append(pool.submit(function, next(ahead)))
                result = pending.popleft().result()
                todo.popleft()
                yield result
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
    _keep_memory()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _keep_memory() -> None:
    """What a task frees is kept for the next: new pages from the system cost more than decoding."""
    with suppress(AttributeError):  # only glibc has it
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, 2**30)
        mallopt(_MMAP_THRESHOLD, 2**30)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
