"""Lets something happen to a step of the workflow at a chosen moment: see tests/helpers/faults.py.

Python imports this at every start where PYTHONPATH has this folder. Environment variables say what
is to happen: in the script FAULT_STEP, before it moves its FAULT_NTH file into place (0: when it
opens its log), FAULT_ACT, once, with a sign of it in the file FAULT_MARK. Without FAULT_ACT, all
moves are written to FAULT_MARK.
"""

import os
import signal
import subprocess
import sys
import time

_moved = 0


def _fill(folder: str) -> None:
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as stream:  # noqa: PTH118
        disk = os.statvfs(folder)
        os.posix_fallocate(stream.fileno(), 0, disk.f_bavail * disk.f_frsize)


def _make_read_only(folder: str) -> None:
    for name in ("data", "results"):
        place = os.path.join(folder, name)  # noqa: PTH118
        if os.path.isdir(place):  # noqa: PTH112
            subprocess.run(["mount", "--bind", place, place], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)


def _act(mark: str) -> None:
    act = os.environ["FAULT_ACT"]
    if act == "fill":
        _fill(os.getcwd())  # noqa: PTH109
    if act == "read only":
        _make_read_only(os.getcwd())  # noqa: PTH109
    with open(mark, "w") as stream:
        stream.write(str(os.getpid()))
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while act == "wait" and not os.path.exists(f"{mark}.go"):  # noqa: PTH110
        time.sleep(0.01)


def _watch(event: str, arguments: tuple) -> None:
    global _moved
    if event not in ("os.rename", "open") or "FAULT_MARK" not in os.environ:
        return
    path = arguments[event == "os.rename"]
    if not isinstance(path, (str, os.PathLike)):
        return
    path = os.path.relpath(os.fspath(path))
    if not path.startswith("logs" if event == "open" else ("data", "results")):
        return
    _moved += event == "os.rename"
    script, mark = os.path.basename(sys.argv[0]), os.environ["FAULT_MARK"]  # noqa: PTH119
    if "FAULT_ACT" in os.environ:
        here = (script, str(_moved)) == (os.environ["FAULT_STEP"], os.environ["FAULT_NTH"])
        if here and not os.path.exists(mark):  # noqa: PTH110
            _act(mark)
    elif event == "os.rename":
        with open(mark, "a") as stream:
            stream.write(f"{os.getpid()} {script} {path}\n")


if "FAULT_MARK" in os.environ:
    sys.addaudithook(_watch)
