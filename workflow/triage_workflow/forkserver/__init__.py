"""Jobs are forked from a process that has the large libraries in memory already.

Importing torch takes a job two seconds or more, and a run of the workflow has hundreds of jobs.
So, while Snakemake runs jobs on this machine, the folder that is first on their PATH holds a
``python`` of its own: ``client.py``, which hands a step to ``server.py``. The server forks, and the
new process runs the step as ``python`` would have: same arguments, folder, environment, standard
streams, signals and exit status. Where there is no server, or not yet, the client becomes the real
``python``. No module of the project is loaded before the fork, so code is never out of date.
"""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

_HERE = Path(__file__).parent
_LONGEST_SOCKET = 107  # bytes of sun_path in <sys/un.h>
# The server's own; each job has those that Snakemake gives it.
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def start(scripts: Path, modules: Iterable[str], files: Iterable[Path] = ()) -> None:
    """Let jobs that run a Python file in the folder ``scripts`` be forked from now on.

    That lasts until this process ends. ``modules`` are imported by the server, and ``files`` run,
    before it takes jobs; until then jobs start as ever. Does nothing where a process can't be
    watched as Linux allows it, or where the folder for temporary files is of no use for it.
    """
    if not hasattr(os, "pidfd_open") or not hasattr(os, "memfd_create"):
        return
    folder = Path(tempfile.mkdtemp(prefix="forkserver-"))  # nobody else can look into it
    socket = folder / "socket"
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        folder.rmdir()
        return
    place = str(scripts.absolute())
    client = [sys.executable, "-I", "-S", str(_HERE / "client.py")]
    program = [*client, sys.executable, str(socket), place]
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n', encoding="utf-8")
    python.chmod(0o700)
    if not os.access(python, os.X_OK):  # a disk without programs
        shutil.rmtree(folder)
        return
    # The server, and so every job, finds modules where Python looks for a script in that folder.
    path = os.pathsep.join([place, *filter(None, [os.environ.get("PYTHONPATH")])])
    names = [*modules, *map(str, files)]
    server = subprocess.Popen(
        [sys.executable, "-P", str(_HERE / "server.py"), str(socket), *names],
        stdin=subprocess.PIPE,  # its end tells the server that this process is gone
        stdout=subprocess.DEVNULL,
        env=os.environ | _ONE_THREAD | {"PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for jobs, through their clients
    )
    atexit.register(_stop, server, folder)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def _stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    assert server.stdin
    server.stdin.close()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)
