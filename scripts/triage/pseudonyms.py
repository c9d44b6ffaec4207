"""Names of patients and cases for those who must not know them.

A pseudonym is a keyed digest of the name (HMAC-SHA-256): always the same for those who have the
key, and not to be traced back without it. The key never leaves its file, which git ignores.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path

from triage.errors import UserError
from triage.files import plain

KEY = Path("pseudonyms.key")
_LEAST = 32  # characters of a key
_LENGTH = 10  # characters of a pseudonym, of 5 bits each


def shown(name: str, pseudonyms: bool, key: Path = KEY) -> str:
    """``name`` as it may be shown: itself, or its pseudonym.

    The first one draws the key. Raises UserError where the key can't be used.
    """
    if not pseudonyms or not name:
        return name
    digest = hmac.digest(_key(key.resolve()), name.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return "case-" + base64.b32encode(digest).decode("ascii")[:_LENGTH].lower()


def provide(main: Path, key: Path = KEY) -> None:
    """See to it that there is a key, which a copy of the project shares with its ``main`` one."""
    shared = (main / key.name).absolute()
    if not key.exists() and not key.is_symlink() and shared != key.absolute():
        key.symlink_to(shared)
    _key(key.resolve())


def fingerprint(key: Path = KEY) -> str:
    """What tells a key from others and does not give it away."""
    return hashlib.sha256(_key(key.resolve())).hexdigest()[:8]


@cache
def _key(path: Path) -> bytes:
    if not path.exists():
        _draw(path)
    try:
        key = plain(path).read_bytes().strip()
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror})", where=path) from error
    if len(key) < _LEAST:
        raise UserError(
            "is too short to be a key",
            where=path,
            remedy="put the right one there, or delete it: a new one gives new pseudonyms",
        )
    return key


def _draw(path: Path) -> None:
    """Write a new key, for its owner only; one that another process wrote meanwhile stays."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(partial, path)
    except OSError as error:
        raise UserError(f"can't be written ({error.strerror})", where=path) from error
    finally:
        partial.unlink(missing_ok=True)
