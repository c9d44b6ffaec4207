"""What happens when a run of Snakemake ends: the lock is written, and DVC is told."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import RerunTrigger

from triage_workflow.engines.graph import STEPS, digests, files, whole_graph, write_digests
from triage_workflow.engines.lock import LOCK
from triage_workflow.engines.records import Records

from triage.errors import UserError

CODE = (Path("scripts"), Path("workflow"))
RESULTS = (Path("data"), Path("results"))
TELL = Path(__file__).parent / "tell.py"


class Finish:
    """The end of a run.

    ``settings`` is the file of parameters and ``sources`` are tables of raw files that no job
    makes; ``refresh`` brings these up to date.
    """

    def __init__(self, settings: Path, sources: Iterable[str], refresh: Callable[[], None]) -> None:
        self._settings = settings
        self._sources = list(sources)
        self._refresh = refresh
        self._read = self._code()

    def __call__(self, records: Records) -> None:
        try:
            may_tell = self._may_tell(records)
            # It takes a second to start, in which the rest can be done.
            with _teller() if may_tell else nullcontext() as teller:
                records.settle()
                if teller is not None:
                    self._tell(records, teller)
        except (UserError, OSError) as error:
            logger.error(f"The results are whole, but the books could not be kept:\n{error}")

    def _may_tell(self, records: Records) -> bool:
        """Whether DVC can be told without taking anything stale for fresh."""
        if os.environ.get("DVC_STAGE") or not Path(".dvc").is_dir():
            return False
        if records.knowledge.recall("told") == self._scene():
            return False
        workflow = records.dag.workflow
        if set(RerunTrigger) - set(workflow.rerun_triggers):
            logger.warning("DVC is not told of this run, since --rerun-triggers was narrowed.")
            return False
        if self._code() != self._read:
            logger.warning(
                "Settings or code were edited during the run; DVC will be told by the next run."
            )
            return False
        return True

    def _tell(self, records: Records, teller: subprocess.Popen[str]) -> None:
        workflow = records.dag.workflow
        self._refresh()
        try:
            dag = whole_graph(workflow)
        except WorkflowError as error:
            logger.warning(f"DVC is not told of this run, since the whole is in doubt:\n{error}")
            return
        write_digests(digests(dag, records))
        stale = set(files(dag.needrun_jobs()))
        folders = records.knowledge.folders
        stale |= {folder for listing, folder in folders.items() if listing in stale}
        made = {*files(dag.jobs), *folders.values(), *self._sources, str(STEPS)}
        if self._code() != self._read:
            return  # edited just now; the next run will tell
        request = {"stale": sorted(stale), "made": sorted(made - stale)}
        answer, complaint = teller.communicate(json.dumps(request))
        if teller.returncode != 0:
            problem = (complaint.strip().splitlines() or ["it gave no reason"])[-1]
            logger.warning(f"DVC could not be told of this run: {problem}")
            return
        # DVC itself prints as well; the answer is the last line.
        if told := json.loads(answer.splitlines()[-1]):
            logger.info(f"DVC was told of {', '.join(told)}.")
        records.knowledge.contents.save()
        records.knowledge.remember({"told": self._scene()})

    def _code(self) -> str:
        return _looks([self._settings, *CODE])

    def _scene(self) -> str:
        """Everything that both engines judge by, as it looks."""
        books = [Path("dvc.yaml"), Path("dvc.lock"), LOCK, STEPS]
        return _looks([self._settings, *CODE, *RESULTS, *books])


@contextmanager
def _teller() -> Iterator[subprocess.Popen[str]]:
    """The program that tells DVC, started; it waits for what to tell, and ends without it."""
    teller = subprocess.Popen(
        [sys.executable, str(TELL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield teller
    finally:
        teller.kill()
        teller.communicate()


def _looks(places: Iterable[Path]) -> str:
    """A digest of names, sizes and times of files and of those in folders."""
    summary = hashlib.sha256()
    for path in sorted(_walk(places)):
        try:
            status = path.stat()
        except OSError:
            continue
        look = f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ino}\n"
        summary.update(look.encode())
    return summary.hexdigest()


def _walk(places: Iterable[Path]) -> Iterable[Path]:
    for place in places:
        if place.is_dir():
            for folder, folders, names in os.walk(place, followlinks=True):
                folders[:] = [name for name in folders if name != "__pycache__"]
                yield from (Path(folder, name) for name in names)
        else:
            yield place
