"""Runs `snakemake`, `dvc` and Python scripts as forks of one process that has imported them.

Each takes a second or more to import, and a test of how they play together calls them dozens of
times, also from within each other. A fork is a process of its own, so nothing is shared but that
time. A request is one message on a Unix socket: JSON, with standard output and error as open files;
the answer is the exit code.

As a program: `engines_server.py serve SOCKET`, or `engines_server.py call SOCKET TOOL …`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

_LARGE = 1 << 20
# The tools themselves, and what they import only when it is needed.
_IMPORTED = [
    "snakemake.cli",
    "snakemake.executors.local",
    "snakemake.report.html_reporter",
    "smart_open",
    "jsonschema",
    "dvc.api",
    "dvc.cli",
    "dvc.analytics",
    "dvc.data_cloud",
    "dvc.commands.checkout",
    "dvc.commands.data_sync",
    "dvc.commands.repro",
    "dvc.commands.status",
    "dvc.repo.reproduce",
    "dvc_render.vega",
    "ruamel.yaml",
]


def call(path: str, tool: str, arguments: list[str], **files: Any) -> int:
    """Have a tool run in this folder and environment; its exit code, negative if it was killed."""
    request = {
        "tool": tool,
        "arguments": arguments,
        "folder": files.get("folder", str(Path.cwd())),
        "environment": files.get("environment", dict(os.environ)),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.connect(path)
        descriptors = [files.get("output", 1), files.get("output", 2)]
        socket.send_fds(line, [json.dumps(request).encode()], descriptors)
        answer = line.recv(100)
    return int(answer) if answer else -9


def serve(path: str) -> None:
    """Answer requests until the process is killed."""
    _import_all()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(64)
        # An ended process that nobody waited for still has its number: DVC takes it for alive.
        signal.signal(signal.SIGCHLD, _reap)
        print("ready", flush=True)
        while True:
            line, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                _answer(line)
            line.close()


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _import_all() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)


def _answer(line: socket.socket) -> None:
    code = 70
    try:
        message, descriptors, _, _ = socket.recv_fds(line, _LARGE, 2)
        request = json.loads(message)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(descriptors[0], 1)
        os.dup2(descriptors[1], 2)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        code = _run(request["tool"], request["arguments"])
    except SystemExit as end:
        if isinstance(end.code, str):  # as the interpreter does
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        line.send(str(code).encode())
        os._exit(0)


def _run(tool: str, arguments: list[str]) -> int:
    sys.argv = [tool, *arguments]
    if tool == "snakemake":
        import snakemake.cli

        snakemake.cli.main(arguments)
        return 0
    if tool == "dvc":
        import dvc.cli

        return int(dvc.cli.main(arguments) or 0)
    sys.path.insert(0, str(Path(tool).parent))
    runpy.run_path(tool, run_name="__main__")
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(call(sys.argv[2], sys.argv[3], sys.argv[4:]))
