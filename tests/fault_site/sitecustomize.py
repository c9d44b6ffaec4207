"""Lets something happen to a step of the workflow at a chosen moment: see tests/faults.py.

Python imports this at every start where PYTHONPATH has this folder. Environment variables say what
is to happen: in the script FAULT_STEP, at its FAULT_NTH move of a file into place (0: when it opens
its log), FAULT_ACT, once, after which the file FAULT_MARK is there. Without FAULT_ACT, moves are
written to FAULT_MARK.
"""

import os
import signal
import subprocess
import sys
import time

_moved = 0


def _fill(folder: str) -> None:
    with open(os.path.join(folder, "filler"), "ab", buffering=0) as stream:  # noqa: PTH118
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError:
                pass


def _make_read_only(folder: str) -> None:
    for name in ("data", "results"):
        place = os.path.join(folder, name)  # noqa: PTH118
        if os.path.isdir(place):  # noqa: PTH112
            subprocess.run(["mount", "--bind", place, place], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)


def _wait(mark: str) -> None:
    while os.path.exists(mark):  # noqa: PTH110
        time.sleep(0.01)


def _act(mark: str) -> None:
    act = os.environ["FAULT_ACT"]
    if act == "fill":
        _fill(os.getcwd())  # noqa: PTH109
    if act == "read only":
        _make_read_only(os.getcwd())  # noqa: PTH109
    os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    if act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "wait":
        _wait(mark)


def _watch(event: str, arguments: tuple) -> None:
    global _moved
    if event not in ("os.rename", "open") or "FAULT_MARK" not in os.environ:
        return
    script = os.path.basename(sys.argv[0])  # noqa: PTH119
    path = os.fspath(arguments[1] if event == "os.rename" else arguments[0])
    folder = "logs" if event == "open" else ("data", "results")
    if not isinstance(path, str) or not os.path.relpath(path).startswith(folder):
        return
    _moved += event == "os.rename"
    mark = os.environ["FAULT_MARK"]
    if "FAULT_ACT" not in os.environ:
        if event == "os.rename":
            with open(mark, "a") as stream:
                stream.write(f"{os.getpid()} {script} {path}\n")
    elif script == os.environ["FAULT_STEP"] and _moved == int(os.environ["FAULT_NTH"]):
        if not os.path.exists(mark + ".done"):  # noqa: PTH110
            _act(mark)


if "FAULT_MARK" in os.environ:
    sys.addaudithook(_watch)
