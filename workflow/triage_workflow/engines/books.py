"""The books of both engines: when a run ends, the lock is written, and DVC is told."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from triage_workflow.engines import dvc_adapter, kept
from triage_workflow.engines.graph import STEPS, digests, write_digests
from triage_workflow.engines.jobs import files, stale
from triage_workflow.engines.lock import LOCK
from triage_workflow.engines.snakemake_adapter import Records, log, whole_graph
from triage_workflow.engines.sources import Sources

from triage.errors import UserError
from triage.looks import look

CODE = (Path("scripts"), Path("workflow"))
FEW = 5  # stages that are named
RESULTS = (Path("data"), Path("results"))


class Books:
    """What a run writes down for the next one, of either engine.

    ``settings`` is the file of parameters; no job makes the tables of raw files of ``sources``.
    """

    def __init__(self, settings: Path, sources: Sources) -> None:
        self._settings = settings
        self._sources = sources
        self._read = self._code()

    def begin(self, records: Records) -> None:
        """Tell how to get results that others have made, and why nothing runs.

        Raises UserError where a job needs raw files that are not here.
        """
        for job in records.planned if records.is_run else []:
            for folder in (job.params.get("raw"), *job.params.get("raws", [])):
                self._sources.require(str(folder))
        if dvc_adapter.is_running_us() and not records.planned:
            log.info(
                "DVC wanted this, but its files are what they have to be, so nothing runs."
                " To run it all the same: snakemake --forcerun RULE"
            )
        absent = records.provenance.absent()
        if absent and dvc_adapter.is_here():
            log.info(
                f"{len(absent)} recorded files are not here, {absent[0]} for one. "
                "`dvc pull` fetches what was pushed; the rest is made again."
            )

    def end(self, records: Records) -> None:
        """Write the lock, and tell DVC."""
        try:
            kept.keep()
            may_commit = self._may_commit(records)
            # It takes a second to start, in which the rest can be done.
            with dvc_adapter.committer() if may_commit else nullcontext() as committer:
                records.provenance.settle()
                if committer is not None:
                    self._commit(records, committer)
        except (UserError, OSError) as error:
            log.error(f"The results are whole, but the books could not be kept:\n{error}")

    def _may_commit(self, records: Records) -> bool:
        """Whether DVC can be told without taking anything stale for fresh."""
        if dvc_adapter.is_running_us() or not dvc_adapter.is_here():
            return False
        if records.provenance.recall("told") == self._scene():
            return False
        if option := records.narrowed_by:
            log.warning(f"{option} looks at a part only: a run without it will tell DVC.")
            return False
        if self._code() != self._read:
            log.warning(
                "Settings or code were edited during the run; DVC will be told by the next run."
            )
            return False
        return True

    def _commit(self, records: Records, committer: subprocess.Popen[str]) -> None:
        for trouble in self._sources.refresh():
            log.warning(trouble)
        try:
            jobs = whole_graph(records)
        except UserError as error:
            log.warning(f"DVC is not told of this run, since the whole is in doubt:\n{error}")
            return
        write_digests(digests(jobs))
        provenance = records.provenance
        not_fresh = set(files(stale(jobs)))
        not_fresh |= {folder for file, folder in provenance.folders.items() if file in not_fresh}
        made = {*files(jobs), *provenance.folders.values(), *self._sources.folders, str(STEPS)}
        if self._code() != self._read:
            return  # edited just now; the next run will tell
        try:
            names = dvc_adapter.commit(committer, not_fresh, made)
        except UserError as error:
            log.warning(str(error))
            return
        if names:
            shown = ", ".join(names) if len(names) <= FEW else f"{len(names)} stages"
            log.info(f"DVC was told of {shown}.")
        provenance.contents.save()
        provenance.remember({"told": self._scene()})

    def _code(self) -> str:
        return _looks([self._settings, *CODE])

    def _scene(self) -> str:
        """Everything that both engines judge by, as it looks."""
        books = [Path("dvc.yaml"), dvc_adapter.LOCK, LOCK, STEPS]
        return f"{_looks([self._settings, *CODE, *RESULTS, *books])} {dvc_adapter.cache_number()}"


def _looks(places: Iterable[Path]) -> str:
    """A digest of names and looks of files and of those in folders."""
    summary = hashlib.sha256()
    for path in sorted(_walk(places)):
        try:
            summary.update(f"{path} {look(path.stat())}\n".encode())
        except OSError:
            continue
    return summary.hexdigest()


def _walk(places: Iterable[Path]) -> Iterable[Path]:
    for place in places:
        if place.is_dir():
            for folder, folders, names in os.walk(place, followlinks=True):
                folders[:] = [name for name in folders if name != "__pycache__"]
                yield from (Path(folder, name) for name in names)
        else:
            yield place
