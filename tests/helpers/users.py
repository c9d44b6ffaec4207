"""Commands run by other users than the one who runs the tests, who has to be root for that."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
USERS = (54001, 54002)
GROUP = 54000


@cache
def why_not() -> str:
    """Why no command can be run by another user; empty where it can."""
    if os.geteuid() != 0:
        return "only root can become another user"
    probe = [*by(USERS[0]), sys.executable, "-c", "import snakemake.cli"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return done.stderr.strip() and f"another user can't run Python here: {done.stderr.strip()}"


def by(user: int, umask: int = 0o022) -> list[str]:
    """What goes before a command so that this user runs it."""
    become = ["setpriv", f"--reuid={user}", f"--regid={GROUP}", "--clear-groups"]
    steps = [*_opened(), f'umask {umask:03o}; exec {shlex.join(become)} "$0" "$@"']
    return ["unshare", "--mount", "sh", "-e", "-c", "\n".join(steps)]


def own(folder: Path, user: int) -> None:
    """Give a folder and all in it to a user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, GROUP, follow_symlinks=False)


@cache
def _opened() -> tuple[str, ...]:
    """Shell commands that let every user at the installed Python, where it is root's alone."""
    needed = {Path(sys.base_prefix), *map(Path, filter(os.path.isdir, _search_path()))}
    closed: dict[Path, list[Path]] = {}
    for path in sorted(needed):
        if needed & set(path.parents):
            continue
        for above in reversed(path.parents):
            if not above.stat().st_mode & 0o001:
                closed.setdefault(above, []).append(path)
                break
    lines = []
    for above, paths in closed.items():
        aside = [(path, f"/tmp/aside.$$.{number}") for number, path in enumerate(paths)]
        for path, place in aside:
            lines += [f"mkdir {place}", f"mount --bind {path} {place}"]
        lines.append(f"mount -t tmpfs -o mode=755 none {above}")
        for path, place in aside:
            lines += [f"mkdir -p {path}", f"mount --bind {place} {path}", f"umount {place}"]
            lines.append(f"rmdir {place}")
    return tuple(lines)


def _search_path() -> Iterable[str]:
    return [*sys.path, str(ROOT), sys.prefix]
