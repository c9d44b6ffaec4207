"""The state of an unfinished run, in a scratch file that no rule knows.

The file is named by a digest of all that the run depends on, so a state is never taken up by
another run. The number of epochs is not among it: a training of more epochs goes on from the end of
a shorter one. The last state and the one before are kept: a stop while saving, or a damaged file,
costs one save.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import torch

from triage.command import log
from triage.errors import UserError
from triage.files import atomic, sha256
from triage.training import scratch

MAGIC = b"triage state 1\n"
EVERY = 60.0  # seconds after which a state is saved in the middle of an epoch
SHARE = 0.05  # of the time, at most, that saving may take


def run_digest(settings: str, code: str, files: Iterable[Path]) -> str:
    """A digest of the settings, the code, and the contents of ``files``."""
    summary = hashlib.sha256(f"{settings}\n{code}\n{torch.__version__}\n".encode())
    for path in files:
        summary.update(sha256(path).encode())
    return summary.hexdigest()[:24]


class Resumable:
    """What goes on where it stopped: its attributes that ``STATE`` names are saved with a run."""

    STATE: ClassVar[tuple[str, ...]]

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.STATE}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)


class Keeper:
    """Saves the state of a run now and then, and finds it again.

    ``every`` is the time in seconds between saves within an epoch. At the end of an epoch a state
    is saved as well, unless saving would then take more than a small share of the time.
    """

    def __init__(self, path: Path, every: float = EVERY) -> None:
        self.path = path
        self.previous = path.with_suffix(".previous")
        self.every = every
        self.cost = 0.0
        self.saved_at = time.monotonic()

    def load(
        self, device: str | torch.device = "cpu", epochs: int | None = None
    ) -> dict[str, Any] | None:
        """The last whole state, on ``device``, or None where there is none.

        Where there is none of an unfinished run, that at the end of one of other than ``epochs``
        epochs; ``{"epochs": ...}`` alone where that was not kept.
        """
        ended = {path: count for count, path in self._ended() if count != epochs}
        for path in (self.path, self.previous, *ended):
            if path.exists():
                try:
                    content = path.read_bytes()
                    if path in ended and not content:
                        return {"epochs": ended[path]}
                    return _decode(content, device)
                except (OSError, ValueError) as error:
                    log.warning("%s is damaged (%s): the state before it is used", path, error)
        return None

    def _ended(self) -> Iterator[tuple[int, Path]]:
        """The files of ended runs, with their numbers of epochs."""
        for path in self.path.parent.glob(f"{self.path.stem}.*.ended"):
            yield int(path.suffixes[-2][1:]), path

    def is_due(self, epoch_ended: bool = False) -> bool:
        """Whether it is time to save."""
        waited = time.monotonic() - self.saved_at
        rest = self.cost / SHARE
        return waited >= (min(self.every, rest) if epoch_ended else max(self.every, rest))

    def save(self, state: dict[str, Any]) -> None:
        """Save a state; a disk that is full or read-only is reported and the run goes on."""
        started = time.monotonic()
        try:
            self._write(_encode(state))
        except UserError as error:
            log.warning("the state was not saved, training goes on: %s", error)
        self.saved_at = time.monotonic()
        self.cost = self.saved_at - started

    def _write(self, content: bytes) -> None:
        with atomic(self.path) as partial:
            partial.write_bytes(content)
            if self.path.exists():
                self.path.replace(self.previous)

    def end(self, epochs: int, state: dict[str, Any] | None) -> None:
        """Keep the ``state`` at the end of a run, whose results are written, for one of more
        ``epochs``; without a state only their number. Where there is no room, it is not kept."""
        with suppress(UserError, OSError):
            for _, path in self._ended():
                path.unlink(missing_ok=True)
            self._write(_encode(state) if state else b"")
            self.path.replace(self.path.with_suffix(f".{epochs}.ended"))
            scratch.limit_ended(self.path.parent)
        self.remove()

    def remove(self) -> None:
        """Forget the run: its results are written."""
        unfinished = self.path.parent.glob(f".{self.path.stem}.*.part{self.path.suffix}")
        for path in (self.path, self.previous, *unfinished):
            path.unlink(missing_ok=True)


def _encode(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    return MAGIC + hashlib.sha256(content).digest() + content


def _decode(content: bytes, device: str | torch.device) -> dict[str, Any]:
    """The state in a file's content. Raises ValueError when it is not whole."""
    if not content.startswith(MAGIC):
        raise ValueError("it is not a saved state")
    start = len(MAGIC)
    digest, payload = content[start : start + 32], content[start + 32 :]
    if hashlib.sha256(payload).digest() != digest:
        raise ValueError("its checksum is wrong")
    state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location=device, weights_only=True)
    return state
