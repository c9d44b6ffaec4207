"""The door to Snakemake: what it does not document is used in this file, and nowhere else.

Snakemake keeps records of how files were made that stay on one machine and say nothing of the
files themselves, and it goes by file times. Here its keeper of records is replaced by one that
tells it what `provenance` makes of a file, and times are taken out of its decisions.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from triage_workflow.engines import dvc_adapter, kept, running, versions

VERSIONS = ">=9.26,<9.28"
versions.require("snakemake", VERSIONS)

import snakemake.api
import snakemake.workflow
from snakemake.dag import DAG
from snakemake.exceptions import RuleException, WorkflowError
from snakemake.io import IOCache
from snakemake.jobs import Job as SnakemakeJob
from snakemake.logging import logger
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord, ParamsChange
from snakemake.persistence.file import FilePersistence
from snakemake.scheduling.job_scheduler import JobScheduler
from snakemake.settings.enums import Quietness
from snakemake.settings.types import (
    DAGSettings,
    OutputSettings,
    RerunTrigger,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)
from snakemake_interface_common.exceptions import ApiError

from triage_workflow.engines.jobs import Job, command_digest
from triage_workflow.engines.lock import Origin
from triage_workflow.engines.provenance import Judgement, Provenance
from triage_workflow.engines.refusals import bare_messages, refuse_elsewhere, refuse_guesses

from triage.errors import UserError
from triage.lifetime import ENDS_WITH

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

# What is replaced or called here; where one is gone, Snakemake has changed.
_USED = {
    DAG: ("check_output_mtime", "clean", "finish", "register_running", "toposorted"),
    FilePersistence: ("started", "finished", "lock", "cleanup_locks", "_read_record", "_code"),
    FilePersistence.__mro__[1]: ("backup_output", "restore_output", "cleanup_backup"),
    JobScheduler: ("exit_gracefully",),
    SnakemakeJob: ("output_mintime", "check_protected_output"),
    snakemake.workflow.Workflow: ("_prepare_dag", "_build_dag", "async_run"),
    snakemake.workflow: ("DAG", "FilePersistence"),
}
log = logger.getChild("triage")  # whose messages are for people
_MUCH = 2_000_000_000  # bytes that are worth a word before they are read
_JOBS_BY_DEFAULT = (100, 1)  # jobs in so many seconds

Book = Callable[["Records"], None]  # what is done at the start or the end of a run


def attach(
    workflow: Workflow, provenance: Callable[[], Provenance], begin: Book, finish: Book
) -> None:
    """Judge files by provenance, keep the books; UserError where settings come from elsewhere."""
    _check_parts()
    _take_times_out()
    if not workflow.is_main_process:  # a single job, which the main process judges and records
        return
    refuse_elsewhere(workflow)
    keeper = functools.partial(Records, provenance=provenance(), begin=begin, finish=finish)
    snakemake.workflow.FilePersistence = keeper
    build = workflow._build_dag

    def build_and_check() -> None:
        build()
        if not isinstance(workflow.persistence, Records):
            raise SystemExit(_changed("its own records are in use"))

    workflow._build_dag = build_and_check


def _check_parts() -> None:
    for owner, names in _USED.items():
        for name in names:
            if not hasattr(owner, name):
                raise SystemExit(_changed(f"{owner.__name__}.{name} is gone"))


def _changed(how: str) -> str:
    return (
        f"error: this Snakemake is not what the workflow was tested with: {how}\n"
        f"  -> python -m pip install --force-reinstall 'snakemake{VERSIONS}'"
    )


def _take_times_out() -> None:
    """Let no file time and no permission of a file that is replaced decide anything."""
    snakemake.workflow.DAG = Graph
    SnakemakeJob.output_mintime = property(_nothing)
    SnakemakeJob.check_protected_output = _nothing


async def _nothing(_: object) -> None:
    return None


class Graph(DAG):
    """Snakemake's graph, where a step that comes out the same as before makes nothing stale.

    Snakemake plans and runs all that follows a job that has to run. Here each is judged once more
    when it is ready, by what its inputs have become. `dvc repro` does so from stage to stage.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._judged: set[Any] = set()

    async def check_output_mtime(self, job: Any, expanded_output: Any) -> None:
        """An input from a clock that is fast is no fault of the output."""

    async def clean(self, *arguments: Any, **options: Any) -> None:
        """Delete outputs, but none that only grows."""
        for job in self.jobs:
            job.output = [path for path in job.output if not kept.is_kept(Path(path))]
        await super().clean(*arguments, **options)

    async def finish(self, job: Any, *arguments: Any, **options: Any) -> Any:
        answer = await super().finish(job, *arguments, **options)
        records = self.workflow.persistence
        if not isinstance(records, Records) or self.workflow.dryrun:
            return answer
        # What is left out makes others ready in its turn; each is judged, and finished, once.
        while waiting := set(self.ready_jobs) - self._judged:
            ready = waiting.pop()
            self._judged.add(ready)
            if not ready.is_group() and self._is_up_to_date(ready, records):
                text = f"Up to date, as its inputs came out the same: {min(ready.output)}"
                logger.info(text, extra={"spared": ready.rule.name})
                self.register_running({ready})
                self.workflow.scheduler.finished_jobs += 1
                await super().finish(ready, *arguments, **options)
        return answer

    def _is_up_to_date(self, job: Any, records: Records) -> bool:
        """Whether a planned job would not be planned by what is known now."""
        if not job.output or job.temp_output or job.is_checkpoint:
            return False
        is_forced = self.reason(job).forced or any(path in self.forcefiles for path in job.output)
        return not is_forced and not records.is_stale(job)


class Records(FilePersistence):
    """Snakemake's keeper of records: it believes ``provenance``, and notes there what is made."""

    backup_output = staticmethod(lambda path: None)  # of what is updated: jobs replace it whole
    restore_output = staticmethod(os.path.exists)

    def __init__(self, provenance: Provenance, begin: Book, finish: Book, **options: Any) -> None:
        super().__init__(**options)
        self.provenance = provenance
        self.workflow = workflow = self.dag.workflow
        self._begin = begin
        self.finish = lambda: finish(self)
        self._inputs: dict[Any, dict[str, str]] = {}
        self._has_read = False
        with bare_messages():
            refuse_guesses(workflow)
        self.is_run = workflow.executor_plugin is not None and not workflow.dryrun
        self._is_locking = self.is_run and not options.get("nolock")
        self.lock = self._lock  # in place of what the options made of it
        if self.is_run:
            _start_at_once(workflow)

    @property
    def narrowed_by(self) -> str:
        """The option that keeps Snakemake from looking at everything, if there is one."""
        left_out = set(RerunTrigger) - set(self.workflow.rerun_triggers) - {RerunTrigger.MTIME}
        return "--rerun-triggers" if left_out else "--batch" * bool(self.dag.batch)

    @property
    def planned(self) -> list[Any]:
        """The jobs that have to run and make files."""
        return [job for job in self.dag.needrun_jobs() if job.output]

    @contextmanager
    def _lock(self) -> Iterator[None]:
        files = [map(str, self.all_inputfiles()), map(str, self.all_outputfiles())]
        held = running.held(*files) if self._is_locking else nullcontext()
        with bare_messages(), held as stream:
            if stream is not None and self.workflow.local_exec:
                os.environ[ENDS_WITH] = str(Path(stream.name).absolute())
                JobScheduler.exit_gracefully = functools.partialmethod(_stop, stream)
            self._begin(self)
            try:
                yield
            finally:
                if self.is_run:
                    self.finish()

    def cleanup_locks(self) -> None:
        with bare_messages():
            running.forget_ended()
        dvc_adapter.repair_rwlock()

    def is_stale(self, job: Any) -> bool:
        """Whether the files of a job differ from what it would make, as far as can be told."""
        self.provenance.look_anew()
        if not all(map(self.metadata, job.output)):
            return True
        return any([self.params_changed(job), *self.input_changed(job), *self.code_changed(job)])

    def has_metadata(self, job: Any) -> bool:
        # Snakemake wants a record of every output, and looks at nothing where one is missing.
        return not job.output or any(self.metadata(path) is not None for path in job.output)

    def params_changed(self, job: Any, file: Any = None) -> bool | ParamsChange:
        change = super().params_changed(job, file)
        origin = self.provenance.origin(map(str, job.output))
        if file is None and origin and set(origin.outputs) != set(map(str, job.output)):
            assert isinstance(change, ParamsChange)
            change |= ParamsChange(only_old={f"(outputs: {', '.join(sorted(origin.outputs))})"})
        return change

    def _read_record(self, key: str) -> MetadataRecord | None:
        self._read_new_files()
        return _record(self.provenance.judge(key), key)

    def _read_new_files(self) -> None:
        """Read all files of the graph that are new here side by side, once."""
        if self._has_read:
            return
        self._has_read = True
        paths = {str(path) for job in self.dag.jobs for path in (*job.input, *job.output)}
        size = sum(self.provenance.contents.unread(paths).values())
        if size > _MUCH:
            log.info(f"Reading {size / 1e9:.1f} GB of files that are new here, this once.")
        self.provenance.contents.read(paths)

    def _clear_cache(self) -> None:
        super()._clear_cache()
        self.provenance.look_anew()

    def started(self, job: Any, external_jobid: str | None = None) -> None:
        # Taken now: a file that is changed while the job runs is not what the job read.
        plain = as_job(job, self, is_stale=True, before=[])
        self._inputs[job] = plain.read(self.provenance.contents)
        self._clear_cache()

    async def finished(self, job: Any) -> None:
        outputs = list(map(str, job.output))
        await asyncio.to_thread(self.provenance.contents.read, outputs)
        if outputs and job in self._inputs:
            plain = as_job(job, self, is_stale=False, before=[])
            made = plain.origin(self._inputs.pop(job), self.provenance.contents.of(outputs))
            self.provenance.note(made)
        self._clear_cache()

    def _code(self, rule: Any) -> str | None:
        return command_digest(super()._code(rule)) or None


@functools.cache
def _record(judgement: Judgement, key: str) -> MetadataRecord | None:
    """What Snakemake is told of a file."""
    origin = judgement.origin or Origin("", "", (), {}, {})
    if not judgement.origin and not judgement.trouble:
        return None
    # Snakemake compares parameters, and prints those that differ as the reason.
    trouble = [f"({key}: {judgement.trouble})"] if judgement.trouble else []
    time = Path(key).stat().st_mtime if Path(key).exists() else 0.0
    return MetadataRecord(
        rule=origin.rule,
        code=origin.shell or None,
        params=[*origin.params, *trouble],
        input=sorted(origin.inputs) if judgement.origin else None,
        incomplete=False,
        job_hash=hash(min(origin.outputs, default=key)),
        starttime=time,
        endtime=time,
        record_format_version=RECORD_FORMAT_VERSION,
    )


def as_job(job: Any, records: Records, is_stale: bool, before: list[Job]) -> Job:
    """A job of Snakemake's as plain data."""
    return Job(
        rule=job.rule.name,
        study=job.wildcards.get("study", ""),
        command=records._code(job.rule) or "",
        params=tuple(records._params(job)),
        code=job.params.get("code", ""),
        inputs=tuple(map(str, job.input)),
        ancient=frozenset(str(path) for path in job.input if path.is_ancient),
        outputs=tuple(map(str, job.output)),
        is_stale=is_stale,
        before=before,
    )


_exit_gracefully = JobScheduler.exit_gracefully


def _stop(scheduler: JobScheduler, lock: IO[str], *_: object) -> None:
    """On SIGTERM start no more jobs, and let those at work save what they reached, and stop."""
    _exit_gracefully(scheduler)
    lock.close()


def commands_to_run(workflow: Workflow) -> list[str]:
    """The commands of the jobs that are about to start on this machine; none for a cluster."""
    is_here = workflow.is_main_process and workflow.local_exec
    return [job.rule.shellcmd or "" for job in workflow.dag.needrun_jobs() if is_here]


def _start_at_once(workflow: Workflow) -> None:
    """Look for jobs when one has ended, and not besides, where they run on this machine.

    Snakemake limits how many start in a second, for which it looks again a second after each look:
    the more have ended, the more it looks, until it does little else. The cores are limit enough.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if workflow.local_exec and limit and (limit.max_jobs, limit.timespan) == _JOBS_BY_DEFAULT:
        workflow.scheduling_settings.max_jobs_per_timespan = None


def whole_graph(records: Records) -> list[Job]:
    """All jobs of the default target, in order. Raises UserError where a source is missing."""
    return jobs_of(_whole_dag(records), records)


def _whole_dag(records: Records) -> DAG:
    workflow, target = records.workflow, records.workflow.get_rule(records.workflow.default_target)
    workflow.iocache = IOCache(workflow.dag_settings.max_inventory_wait_time)
    records.provenance.look_anew()
    dag = DAG(workflow, list(workflow.rules), targetfiles=set(), targetrules={target})
    try:
        workflow.async_run(dag.init())
    except WorkflowError as error:
        raise UserError(str(error)) from error
    return dag


def jobs_of(dag: DAG, records: Records) -> list[Job]:
    """The jobs of a graph, each after those before it."""
    found: dict[Any, Job] = {}
    for level in dag.toposorted():
        for job in sorted(level, key=lambda each: list(each.output)):
            before = [found[each] for each in dag.dependencies[job]]
            found[job] = as_job(job, records, dag.needrun(job), before)
    return list(found.values())


@dataclass(frozen=True)
class View:
    """All jobs, Snakemake's own graph of them, and what they were judged by."""

    dag: DAG
    jobs: list[Job]
    provenance: Provenance
    finish: Callable[[], None]


@contextmanager
def whole_workflow() -> Iterator[View]:
    """Read the workflow in this folder and judge all its files. Changes nothing but caches.

    Raises UserError where the workflow itself stops with a message.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)
    with snakemake.api.SnakemakeApi(settings) as api:
        try:
            more = {"storage_settings": StorageSettings(), "workflow_settings": WorkflowSettings()}
            source = api.workflow(ResourceSettings(cores=1), **more)
            source.dag(DAGSettings())
            workflow = source._workflow
            workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
            records = workflow.persistence
            dag = _whole_dag(records)
        except ApiError as error:
            raise UserError(str(error), remedy="go to the top folder of the project") from error
        except (WorkflowError, RuleException) as error:
            raise UserError(str(error)) from error
        except SystemExit as end:  # a mistake in the settings
            raise UserError(str(end.code).removeprefix("error: ")) from end
        yield View(dag, jobs_of(dag, records), records.provenance, records.finish)
        records.provenance.contents.save()
