"""Where DVC keeps what it remembers of a project: in a folder that no other user can write to.

DVC's own choice is a folder below /var/tmp that every user of the machine may rename and fill,
and what it finds there it unpickles, which runs whatever the pickle says. `.dvc/config` names
`.dvc_site`, which DVC takes from wherever it is called; `.dvc/config.local`, which is of this
machine alone, names a folder in the one of the project by its whole path.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from configobj import ConfigObj

from triage.errors import UserError, unwritable
from triage.files import write_text

FOLDER, OWN = Path(".dvc_site"), "own"
LOCAL = Path(".dvc/config.local")
VARIABLE = "DVC_SITE_CACHE_DIR"
_SECTION, _KEY = "core", "site_cache_dir"
_OF_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def secure(project: Path = Path()) -> Path:
    """The folder that DVC uses from now on, made for its owner alone.

    Another one that a user has set stays, if nobody else can write to it. Of several users who
    share the project, all but the first have one of their own, for this process and what it starts.
    Raises UserError where others can write, or where it can't be made.
    """
    if named := os.environ.get(VARIABLE):
        return _made(Path(named))
    top, local = (project / FOLDER).resolve(), project / LOCAL
    own = top / OWN
    if not local.parent.is_dir():
        return own  # a project without DVC
    config = ConfigObj(str(local), encoding="utf-8", interpolation=False)
    chosen = config.get(_SECTION, {}).get(_KEY, "")
    if Path(chosen).is_absolute() and Path(chosen).is_dir() and is_private(Path(chosen)):
        return Path(chosen)
    if top.exists() and top.stat().st_uid != os.getuid():
        second = _made(top.with_name(f"{top.name}-{os.getuid()}"))
        os.environ[VARIABLE] = str(second)
        return second
    _closed(top)
    _made(own)
    config.setdefault(_SECTION, {})[_KEY] = str(own)
    config.filename, config.encoding = None, None  # gives the lines as text
    write_text("\n".join(config.write()) + "\n", local)
    return own


def is_private(folder: Path) -> bool:
    """Whether a folder is this user's, no link, and nobody else can write to it."""
    status = folder.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and not status.st_mode & _OF_OTHERS
    )


def _closed(top: Path) -> None:
    """Close the folder that git or DVC may have made for others too, and drop what may be theirs.

    What DVC keeps there without being told otherwise stays: it may be at work at this moment.
    """
    try:
        top.mkdir(mode=0o700, exist_ok=True)
        was_private = is_private(top)
        top.chmod(0o700)
    except OSError as error:
        raise unwritable(top, error) from error
    if not was_private:
        shutil.rmtree(top / OWN, ignore_errors=True)  # no more than caches


def _made(folder: Path) -> Path:
    """A folder for this user alone. One that others could write to until now is not trusted."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(folder):
            raise UserError(
                "other users can put files here, and DVC runs what it finds",
                where=folder,
                remedy=f"delete it; where it is another user's, set {VARIABLE} to a new folder",
            )
        folder.chmod(0o700)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def main() -> None:
    """Set it up ahead of the first command, as `make setup` does."""
    try:
        secure()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
