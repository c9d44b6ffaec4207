"""Files that hold tensors, whoever wrote them: numbers and text, and nothing that runs.

``torch.load`` is told to take weights only. What it says of a file that wants more is not passed
on, since it goes on to advise switching that off.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch

from triage.errors import UserError
from triage.files import atomic, damaged, plain

# What reading of a damaged file raises: of the archive, of what is stored in it, of torch.
_UNREADABLE = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    MemoryError,
    NotImplementedError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
)
_CALLED = re.compile(r"GLOBAL ([\w.]+)|(?:global|class|function) ([\w]+\.[\w.]+)")
_BLOCKED = re.compile(r"weights.only", re.IGNORECASE)


def write(content: Any, target: Path) -> None:
    """Write ``content`` as torch does; equal content gives equal bytes under any name."""
    buffer = io.BytesIO()  # a file's name would be written into the archive
    torch.save(content, buffer)
    with atomic(target) as partial:
        partial.write_bytes(buffer.getvalue())


def read(path: Path) -> dict[str, Any]:
    """What a file holds; each part of it is compared with its checksum first.

    Raises UserError where it is missing, damaged, or holds more than numbers and text.
    """
    step = "pretrained" if path.parent.name == "pretrained" else "training"
    try:
        _verify(plain(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError("is not there", where=path, remedy="make it first") from error
    except _UNREADABLE as error:
        if _BLOCKED.search(str(error)):
            raise _hostile(path, str(error)) from None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise damaged(path, f"it can't be read ({reason})", step) from error
    if not isinstance(content, dict):
        raise UserError("holds no network weights", where=path, remedy="give a state dict")
    return content


def _verify(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        # torch compresses nothing: a small file that does would unfold into any size.
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise ValueError("it is compressed, which no program of torch does")
        if sum(part.file_size for part in parts) > path.stat().st_size:
            raise ValueError("its parts overlap")
        # torch writes checksums of all that it stores, but does not look at them when it reads.
        if (part := archive.testzip()) is not None:
            raise ValueError(f"{part} is not what was written")


def _hostile(path: Path, said: str) -> UserError:
    found = _CALLED.search(said)
    name = (found[1] or found[2]) if found else "a program"
    return UserError(
        f"is not opened: it holds more than numbers and text, and would run {name}",
        where=path,
        remedy="it may be hostile: do not open it with anything else, and ask where it comes from",
    )
