"""What is known of every result: records of this machine, the lock, and what the files contain.

A record counts only for the very bytes that its job left, made from inputs that are still the
same. File times decide nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage_workflow.engines.contents import Contents
from triage_workflow.engines.lock import LOCK, Lock, Origin

from triage.data import inventory
from triage.files import write_text

STATE = Path(".snakemake/engines")

UNKNOWN = "there is no record of how it was made"
ABSENT = "it is not there"
EDITED = "it is not what its job left"


@dataclass(frozen=True)
class Judgement:
    """The origin of an output as far as it is known, and what is wrong with it, if anything."""

    origin: Origin | None
    trouble: str = ""


class Knowledge:
    """Judges outputs by content, and keeps the lock.

    ``folders`` gives for the list of a folder's files (an output) the folder it stands for.
    """

    def __init__(self, folders: Mapping[str, str] | None = None) -> None:
        self.contents = Contents(STATE / "contents.json")
        self.folders = dict(folders or {})
        self.lock = Lock.read()
        self._state = _read_state()
        # Another version was checked out, or merged: the lock knows the files at hand best.
        self._moved = _digest(LOCK) != self._state["lock"]

    def judge(self, path: str, local: Origin | None) -> Judgement:
        """What is to be thought of an output that this machine's record says is ``local``."""
        shared = self.lock.get(path)
        candidates = [each for each in (local, shared) if each and path in each.outputs]
        if self._moved:
            candidates.reverse()
        digest = self.contents.sha256(path)
        if not candidates:
            return Judgement(None, UNKNOWN if digest else "")
        if digest is None:
            return Judgement(candidates[0], ABSENT)
        made = [each for each in candidates if each.outputs[path] == digest]
        if not made:
            return Judgement(candidates[0], EDITED)
        if path in self.folders and (trouble := self._folder_trouble(path)):
            return Judgement(made[0], trouble)
        judged = [Judgement(each, self._input_trouble(each)) for each in made]
        return next((each for each in judged if not each.trouble), judged[0])

    def _input_trouble(self, origin: Origin) -> str:
        for path, recorded in origin.inputs.items():
            now = self.contents.sha256(path)
            if recorded and now is not None and now != recorded:
                return f"{path} is not what it was made from"
        return ""

    def _folder_trouble(self, listing: str) -> str:
        """Generated raw data is a folder; the list of its files, an output, stands for it."""
        folder = Path(self.folders[listing])
        if not folder.is_dir():
            return f"{folder} is not there"
        found = STATE / f"{folder.parent.name}-{folder.name}.csv"
        inventory.refresh(folder, found, found.with_suffix(".json"))
        same = self.contents.sha256(str(found)) == self.contents.sha256(listing)
        return "" if same else f"{folder} does not hold the files that its job left"

    def settle(self, records: Path, read: Callable[[str], Origin | None]) -> None:
        """Bring the lock up to date with the records of this machine, and save what was learnt.

        ``records`` is the folder of Snakemake's records, ``read`` gives the origin that the one
        of an output tells. A record is taken over where it is new or the lock does not fit the
        file, and only if it fits the file itself.
        """
        newest = self._state["newest"]
        with alone():
            # Another run beside this one may have written it meanwhile.
            before = Lock.read()
            text, self.lock = before.text(), before
            for path, time in recorded_outputs(records):
                digest = self.contents.sha256(path)
                known = self.lock.get(path)
                fits = known is not None and known.outputs.get(path) == digest
                if digest is None or (fits and time < self._state["newest"]):
                    continue
                origin = read(path)
                if origin is not None and origin.outputs.get(path) == digest:
                    self.lock.put(origin)
                newest = max(newest, time)
            if self.lock.text() != text:
                self.lock.write()
            self._moved = False
            self.remember({"lock": _digest(LOCK), "newest": newest})
        self.contents.save()

    def forget(self, paths: Iterable[str]) -> None:
        """Take jobs out of the lock of which no file is left."""
        with alone():
            self.lock = Lock.read()
            gone = {id(each): each for each in map(self.lock.get, paths) if each is not None}
            for origin in gone.values():
                if not any(Path(path).exists() for path in origin.outputs):
                    self.lock.drop(origin)
            self.lock.write()
            self.remember({"lock": _digest(LOCK)})

    def remember(self, what: Mapping[str, object]) -> None:
        """Keep facts about this machine's copy for the next run."""
        self._state |= what
        write_text(json.dumps(self._state), STATE / "state.json")

    def recall(self, name: str) -> Any:
        return self._state.get(name)


def recorded_outputs(records: Path) -> Iterator[tuple[str, int]]:
    """Path and time (ns) of every record in Snakemake's folder of records."""
    from base64 import urlsafe_b64decode

    for file in sorted(records.rglob("*")):
        if file.is_file():
            # Long names are cut into folders whose names start with @.
            name = "".join(part.removeprefix("@") for part in file.relative_to(records).parts)
            yield urlsafe_b64decode(name).decode(), file.stat().st_mtime_ns


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process of this workflow is in here."""
    STATE.mkdir(parents=True, exist_ok=True)
    with open(STATE / "busy", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _read_state() -> dict[str, Any]:
    try:
        content = json.loads((STATE / "state.json").read_text(encoding="utf-8"))
        return {"lock": "", "newest": 0} | content
    except (OSError, ValueError, TypeError):
        return {"lock": "", "newest": 0}
