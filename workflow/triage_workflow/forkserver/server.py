"""The parent of jobs: imports libraries, then forks a process for each script it is handed.

Called as ``server.py SOCKET NAME...``; a name is a module to import or a Python file to run. It
ends with its standard input, which whoever started it holds open. A script ends with its client
and with the server, by the kernel's hand, however these end.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import marshal
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
import traceback
import types
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import threadpoolctl

_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_PATIENCE = 10  # seconds for a client to say what it wants

_kernel = ctypes.CDLL(None)


@dataclass(frozen=True)
class Request:
    """A script to run as ``python`` would; ``arguments[0]`` is its path."""

    arguments: list[str]
    folder: bytes
    umask: int
    environment: dict[str, str]
    streams: list[int]


@dataclass(frozen=True)
class Job:
    """A process that runs a script for a client."""

    client: socket.socket
    number: int
    handle: int

    def kill(self, signals: Iterable[int]) -> None:
        with suppress(ProcessLookupError):
            for each in signals:
                signal.pidfd_send_signal(self.handle, each)


class Server:
    """Forks a process for each request that comes in at ``listener``."""

    def __init__(self, listener: socket.socket, owner: int) -> None:
        self._listener = listener
        self._events = selectors.DefaultSelector()
        self._watch(owner, None)
        self._watch(listener, self._accept)

    def serve(self) -> Request | None:
        """None when the owner is gone; in each forked process, the request that it is for."""
        while True:
            for key, _ in self._events.select():
                if key.data is None:
                    return None
                if key.fd in self._events.get_map() and (request := key.data()):
                    return request

    def _watch(
        self, source: socket.socket | int, reaction: Callable[[], Request | None] | None
    ) -> None:
        self._events.register(source, selectors.EVENT_READ, reaction)

    def _accept(self) -> Request | None:
        client, _ = self._listener.accept()
        try:
            client.settimeout(_PATIENCE)
            request = _receive(client)
        except (OSError, ValueError):
            client.close()  # which makes it run the script itself
            return None
        with suppress(OSError):
            return self._fork(client, request)
        client.close()
        return None

    def _fork(self, client: socket.socket, request: Request) -> Request | None:
        server = os.getpid()
        number = os.fork()
        if number == 0:
            _die_with(server)
            self._leave()
            client.close()
            return request
        for stream in request.streams:
            os.close(stream)
        job = Job(client, number, os.pidfd_open(number))
        self._watch(client, lambda: self._forward(job))
        self._watch(job.handle, lambda: self._finish(job))
        with suppress(OSError):  # a client that is gone is seen by _forward
            client.send(b"+")
        return None

    def _leave(self) -> None:
        """Close, in a forked process, what is the server's."""
        for key in list(self._events.get_map().values()):
            os.close(key.fd)
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.detach()
        self._events.close()

    def _forward(self, job: Job) -> None:
        try:
            signals = job.client.recv(64)
        except OSError:
            signals = b""
        job.kill(signals or [signal.SIGKILL])
        if not signals:
            self._events.unregister(job.client)

    def _finish(self, job: Job) -> None:
        _, status = os.waitpid(job.number, 0)
        with suppress(OSError):
            job.client.send(b"%d" % os.waitstatus_to_exitcode(status))
        with suppress(KeyError):
            self._events.unregister(job.client)
        self._events.unregister(job.handle)
        job.client.close()
        os.close(job.handle)


def _receive(client: socket.socket) -> Request:
    _, descriptors, *_ = socket.recv_fds(client, 8, 4)
    if len(descriptors) != 4:
        raise ValueError("not a request")
    with open(descriptors[0], "rb") as file:
        file.seek(0)
        arguments, folder, umask, environment = marshal.load(file)
    return Request(arguments, folder, umask, environment, descriptors[1:])


def _die_with(server: int) -> None:
    _kernel.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != server:  # it was already dead
        os.kill(os.getpid(), signal.SIGKILL)


def run(request: Request) -> None:
    """Run a script in this process, which a server has just forked."""
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=os.isatty(1))
    os.chdir(request.folder)
    os.umask(request.umask)
    os.environ.clear()
    os.environ.update(request.environment)
    tempfile.tempdir = None
    _set_threads(request.environment)
    importlib.invalidate_caches()
    script = Path(request.arguments[0]).absolute()
    sys.argv = request.arguments
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=str(script), __builtins__=__builtins__)
    sys.modules["__main__"] = module
    exec(compile(script.read_bytes(), script, "exec"), module.__dict__)


def _set_threads(environment: dict[str, str]) -> None:
    """Give the libraries that are loaded the threads that they would have read when loaded."""
    default = len(os.sched_getaffinity(0))
    openmp = int(environment.get("OMP_NUM_THREADS", default))
    blas = int(environment.get("OPENBLAS_NUM_THREADS", openmp))
    if openmp > 1 or blas > 1:
        threadpoolctl.threadpool_limits({"openmp": openmp, "blas": blas})


def _status_of(request: Request) -> int:
    """Run a script and return its exit status, as Python would have it."""
    try:
        run(request)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _end(status: int) -> NoReturn:
    """End as Python does, but leave the memory to the kernel: most of it is the server's."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


def load(names: Iterable[str]) -> list[Any]:
    """Import modules, as far as that works; run files. What is returned must be kept."""
    kept = []
    for name in names:
        with suppress(Exception):  # a job that needs it will say what is wrong
            is_file = name.endswith(".py")
            kept.append(runpy.run_path(name) if is_file else importlib.import_module(name))
    return kept


def main() -> None:
    place, *names = sys.argv[1:]
    kept = load(names)
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return  # a fork would lose the other threads; jobs start without a server
    gc.collect()
    gc.freeze()  # so that a job's garbage collection does not copy all of it
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(socket.SOMAXCONN)
        request = Server(listener, sys.stdin.fileno()).serve()
    if request:
        _end(_status_of(request))
    del kept


if __name__ == "__main__":
    main()
