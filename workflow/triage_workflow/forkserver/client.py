"""The ``python`` of jobs: hands a script to the server, or becomes the real ``python``.

Called as ``client.py PYTHON SOCKET FOLDER ARGUMENT...``; scripts in the folder are handed over. It
starts for every job, so it imports little.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import sys
from contextlib import suppress

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")
FORWARDED = [getattr(signal, name) for name in NAMES]


def main() -> None:
    # They wait until it is known who is to have them.
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    python, place, folder, *arguments = sys.argv[1:]
    if arguments and _is_script(arguments[0], folder):
        try:
            server = _handed_over(place, arguments)
        except OSError:
            server = None
        if server:
            _follow(server)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    os.execv(python, [python, *arguments])


def _is_script(path: str, folder: str) -> bool:
    return path.endswith(".py") and os.path.abspath(path).rpartition("/")[0] == folder  # noqa: PTH100


def _handed_over(place: str, arguments: list[str]) -> socket.socket | None:
    """The connection to a server that has started the script; None where it could not."""
    umask = os.umask(0)
    os.umask(umask)
    folder = os.getcwdb()  # noqa: PTH109 (pathlib takes longer to import than all the rest)
    request = marshal.dumps((arguments, folder, umask, dict(os.environ)))
    server = socket.socket(socket.AF_UNIX)
    server.connect(place)
    # In a file, a request of any length arrives whole.
    with open(os.memfd_create("request"), "wb+", buffering=0) as file:
        file.write(request)
        socket.send_fds(server, [b"run"], [file.fileno(), 0, 1, 2])
    return server if server.recv(1) else None


def _follow(server: socket.socket) -> None:
    """Pass signals on, and end as the script ends."""
    for number in FORWARDED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: _send(server, number))
    signal.signal(signal.SIGTSTP, lambda *_: _pause(server))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    status = server.recv(8)
    if not status:
        print(
            "the process that started this job is gone: start the workflow again", file=sys.stderr
        )
        sys.exit(1)
    code = int(status)
    if code < 0:
        with suppress(OSError):  # of SIGKILL, which can't be handled
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _send(server: socket.socket, number: int) -> None:
    with suppress(OSError):  # the script has just ended
        server.send(bytes([number]))


def _pause(server: socket.socket) -> None:
    _send(server, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    main()
