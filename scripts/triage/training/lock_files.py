"""Lock files that the users of a machine share, in a folder that any of them may have made.

Nothing is opened through a link, nothing that one would wait for, and nothing of somebody else's
changes its mode. Where the shared folder can't be trusted, a folder of one's own takes its place.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from triage.errors import UserError

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SHARED = 0o1777  # anyone may add files, and none may take away those of others
_OWN = 0o700
_FILE = 0o644  # reading is all that a lock needs


def opened(shared: Path, name: str, alone: bool = False) -> int:
    """A descriptor of the file ``name`` in ``shared``, to be locked.

    ``alone``: nobody else needs it, so it lies in a folder of this user's. Raises UserError where
    there is no folder for it.
    """
    own = shared.with_name(f"{shared.name}-{os.getuid()}")
    home = Path("~/.cache").expanduser() / shared.name
    places = [(own, _OWN), (home, _OWN)]
    for folder, mode in places if alone else [(shared, _SHARED), *places]:
        with suppress(OSError):
            directory = _folder(folder, mode)
            try:
                return _file(name, directory)
            finally:
                os.close(directory)
    raise UserError(
        "there is no folder for locks that only this user can change",
        where=f"{own}, {home}",
        remedy="delete them, or let TMPDIR name a folder of your own",
    )


def _folder(folder: Path, mode: int) -> int:
    """A descriptor of a folder with this mode. Raises OSError for a link, or with another mode."""
    with suppress(FileExistsError):
        folder.mkdir(mode=_OWN, parents=True)
    directory = os.open(folder, _READ | os.O_DIRECTORY)
    try:
        status = os.fstat(directory)
        mine = status.st_uid == os.getuid()
        if stat.S_IMODE(status.st_mode) != mode:
            if not mine:
                raise PermissionError(f"{folder} is somebody else's")
            os.fchmod(directory, mode)
        elif mode == _OWN and not mine:
            raise PermissionError(f"{folder} is somebody else's")
    except OSError:
        os.close(directory)
        raise
    return directory


def _file(name: str, directory: int) -> int:
    try:
        file = os.open(name, _READ, dir_fd=directory)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.close(os.open(name, _READ | os.O_CREAT | os.O_EXCL, _FILE, dir_fd=directory))
        file = os.open(name, _READ, dir_fd=directory)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise PermissionError(f"{name} is no plain file")
        # Made under a umask that keeps others out, who would have to wait for it as well.
        if status.st_uid == os.getuid() and status.st_nlink == 1:
            os.fchmod(file, _FILE)
    except OSError:
        os.close(file)
        raise
    return file
