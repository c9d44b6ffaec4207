"""What is known of every result: this machine's records, the lock, and what the files contain.

A record counts only for the very bytes that its job left, made from inputs that are still the
same. File times decide nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage_workflow.engines.contents import Contents
from triage_workflow.engines.jobs import Job
from triage_workflow.engines.lock import LOCK, Lock, Origin
from triage_workflow.engines.running import STATE, alone

from triage.data import inventory
from triage.errors import UserError
from triage.files import write_text

# All records of this machine at the end of the last run, as a lock, and those made since then.
RECORDS = STATE / "records.json"
JOURNAL = STATE / "journal.jsonl"

UNKNOWN = "there is no record of how it was made"
ABSENT = "it is not there"
EDITED = "it is not what its job left"


@dataclass(frozen=True, eq=False)
class Judgement:
    """The origin of an output as far as it is known, and what is wrong with it, if anything."""

    origin: Origin | None
    trouble: str = ""


class Provenance:
    """Judges outputs by content, and keeps the records and the lock.

    ``folders`` gives for the list of a folder's files (an output) the folder it stands for.
    """

    def __init__(self, folders: Mapping[str, str] | None = None) -> None:
        self.contents = Contents(STATE / "contents.json")
        self.folders = dict(folders or {})
        self.lock = Lock.read()
        self._records, new = _read_records()
        for origin in new:
            self._records.put(origin)
        self._state = _read_state()
        # Another version was checked out, or merged: the lock knows the files at hand best.
        self._moved = _digest(LOCK) != self._state["lock"]
        self._judged: dict[str, Judgement] = {}
        # By the identity of an origin, so it is cleared wherever one may be put away.
        self._jobs_judged: dict[int, tuple[bool, str]] = {}

    def judge(self, path: str) -> Judgement:
        """What is to be thought of an output; remembered until ``look_anew``."""
        if path not in self._judged:
            self._judged[path] = self._judge(path)
        return self._judged[path]

    def look_anew(self) -> None:
        self._judged.clear()
        self._jobs_judged.clear()

    def troubles(self, outputs: Iterable[str]) -> dict[str, str]:
        """What is wrong with the outputs of a job themselves, by path."""
        return {path: what for path in outputs if (what := self.judge(path).trouble)}

    def origin(self, outputs: Iterable[str]) -> Origin | None:
        """What the outputs of a job were made from, as far as it is known."""
        judged = (self.judge(path).origin for path in outputs)
        return next((origin for origin in judged if origin), None)

    def absent(self) -> list[str]:
        """The outputs judged so far that are recorded, but not here."""
        return [path for path, judged in self._judged.items() if judged.trouble == ABSENT]

    def _judge(self, path: str) -> Judgement:
        candidates = [each for each in (self._records.get(path), self.lock.get(path)) if each]
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
        # Several jobs may have left a kept table alike: the one that made the rest comes first.
        made.sort(key=lambda each: self._judge_job(each)[0])
        judged = [Judgement(each, self._judge_job(each)[1]) for each in made]
        return next((each for each in judged if not each.trouble), judged[0])

    def _judge_job(self, origin: Origin) -> tuple[bool, str]:
        """Whether any of its outputs is not as it left them, and what is wrong with what they were
        made from; looked at once for all outputs of a job."""
        if id(origin) not in self._jobs_judged:
            changed = not all(self._fits(origin, path) for path in origin.outputs)
            self._jobs_judged[id(origin)] = changed, self._changed_input(origin)
        return self._jobs_judged[id(origin)]

    def _changed_input(self, origin: Origin) -> str:
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
        try:
            inventory.refresh(folder, found, found.with_suffix(".json"))
        except UserError as error:
            return str(error)
        same = self.contents.sha256(str(found)) == self.contents.sha256(listing)
        return "" if same else f"{folder} does not hold the files that its job left"

    def note(self, origin: Origin) -> None:
        """Record what a job made, at once: whatever ends the run later, it is known."""
        line = json.dumps(origin.dump())
        STATE.mkdir(parents=True, exist_ok=True)
        with open(JOURNAL, "a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")  # the line before may have been cut short
        self._records.put(origin)
        self._jobs_judged.clear()

    def accept(self, job: Job) -> None:
        """Record a job's outputs, as they are, as made from what the job would read now."""
        self.note(job.origin(job.read(self.contents), self.contents.of(job.outputs)))

    def settle(self) -> None:
        """Bring the lock up to date with the records of this machine, and save what was learnt.

        A record is taken over where it is new or the lock does not fit the file, and only if it
        fits the file itself.
        """
        with alone():
            # Another run beside this one may have written them meanwhile.
            (self._records, new), self.lock = _read_records(), Lock.read()
            self._jobs_judged.clear()
            before = self.lock.text()
            for origin in self._records.origins.values():
                if any(
                    self._fits(origin, path) and not self._fits(self.lock.get(path), path)
                    for path in origin.outputs
                ):
                    self.lock.put(origin)
            for origin in new:
                self._records.put(origin)
                if any(self._fits(origin, path) for path in origin.outputs):
                    self.lock.put(origin)
            if self.lock.text() != before:
                self.lock.write()
            if new:
                self._records.write(RECORDS)
                JOURNAL.unlink()
            self._moved = False
            self.remember({"lock": _digest(LOCK)})
        self.contents.save()

    def _fits(self, origin: Origin | None, path: str) -> bool:
        digest = self.contents.sha256(path)
        return origin is not None and digest is not None and origin.outputs.get(path) == digest

    def recorded(self) -> set[str]:
        """All files of which there is a record, here or in the lock."""
        return {*self._records.outputs(), *self.lock.outputs()}

    def forget(self, paths: Iterable[str]) -> None:
        """Take jobs out of the records and the lock of which no file is left."""
        self.settle()
        with alone():
            for lock, place in ((self._records, RECORDS), (self.lock, LOCK)):
                gone = {id(each): each for each in map(lock.get, paths) if each is not None}
                for origin in gone.values():
                    if not any(Path(path).exists() for path in origin.outputs):
                        lock.drop(origin)
                lock.write(place)
            self.remember({"lock": _digest(LOCK)})
        self.look_anew()

    def remember(self, what: Mapping[str, object]) -> None:
        """Keep facts about this machine's copy for the next run."""
        self._state |= what
        write_text(json.dumps(self._state), STATE / "state.json")

    def recall(self, name: str) -> Any:
        return self._state.get(name)


def _read_records() -> tuple[Lock, list[Origin]]:
    """The records at the end of the last run, and those made since, as far as they are whole."""
    try:
        records = Lock.read(RECORDS)
    except UserError:
        records = Lock()
    new = []
    with contextlib.suppress(OSError):
        for line in JOURNAL.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                new.append(Origin.load(json.loads(line)))
    return records, new


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def _read_state() -> dict[str, Any]:
    try:
        content = json.loads((STATE / "state.json").read_text(encoding="utf-8"))
        return {"lock": ""} | content
    except (OSError, ValueError, TypeError):
        return {"lock": ""}
