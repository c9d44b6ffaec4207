"""Snakemake's records of how files were made, as this workflow believes them.

Snakemake keeps a record of each output in `.snakemake/`: rule, parameters, code, checksums of the
inputs. That folder stays on one machine, says nothing of the output itself, and a change goes
unnoticed where an input is older than the output. So outputs are recorded with their checksum, and
what Snakemake is told of an output is what `knowledge` makes of it.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.logging import logger
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord, ParamsChange
from snakemake.persistence.file import FilePersistence

from triage_workflow.engines.cutoff import stop_where_the_same
from triage_workflow.engines.knowledge import ABSENT, STATE, Judgement, Knowledge, recorded_outputs
from triage_workflow.engines.lock import Origin
from triage_workflow.engines.running import held, mend_dvc, refuse_to_break

if TYPE_CHECKING:
    from snakemake.jobs import Job

# More than this is worth a word before it is read, in bytes.
_MUCH = 2_000_000_000


class Records(FilePersistence):
    """Snakemake's keeper of records, with judgement.

    ``finish`` is called with this object when a run ends that was none for show.
    """

    def __init__(
        self,
        *arguments: Any,
        knowledge: Knowledge,
        finish: Callable[[Records], None],
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.knowledge = knowledge
        self.judgements: dict[str, Judgement] = {}
        self._told: dict[str, MetadataRecord | None] = {}
        self._outputs: dict[str, dict[str, str]] = {}
        self._inputs: dict[str, dict[str, str]] = {}
        self.finish = lambda: finish(self)
        workflow = self.dag.workflow
        _refuse_guesses(workflow)
        # Checksums are remembered, so no file is too large to be compared by content, and none
        # has to be read by Snakemake itself when a job has finished.
        self.dag.max_checksum_file_size = sys.maxsize
        self.max_checksum_file_size = -1
        self._warm = False
        if workflow.executor_plugin is not None and not workflow.dryrun:
            self.lock: Callable[[], Any] = _around(
                functools.partial(held, self.lock), self.say_absent, self.finish
            )
            stop_where_the_same(self.dag, self.is_stale)
        else:
            self.lock = _around(self.lock, self.say_absent, lambda: None)

    def local(self, key: str) -> Origin | None:
        """The origin of an output as this machine recorded it."""
        return _origin(self._io_read(self._metadata_path, key))

    def command(self, job: Job) -> str | None:
        """The digest of a job's command before its values are filled in."""
        return self._code(job.rule)

    def parameters(self, job: Job) -> list[str]:
        """The values of a job's parameters, as they are recorded."""
        return list(self._params(job))

    def settle(self) -> None:
        """Bring the lock up to date with what was recorded."""
        self.knowledge.settle(Path(self._metadata_path), self.local)

    def recorded(self) -> list[str]:
        """All files of which there is a record, here or in the lock."""
        local = [path for path, _ in recorded_outputs(Path(self._metadata_path))]
        return [*local, *self.knowledge.lock.outputs()]

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the records of files that are gone for good."""
        for path in paths:
            self._delete_record(path)
        self.knowledge.forget(paths)
        self.forget_judgements()

    def accept(self, job: Job) -> None:
        """Record a job's outputs, as they are, as made from what the job would read now."""
        contents = self.knowledge.contents
        inputs = self._input_sums(job)
        outputs = {str(path): contents.sha256(str(path)) or "" for path in job.output}
        command = self.command(job) or ""
        origin = Origin(job.rule.name, command, tuple(self.parameters(job)), inputs, outputs)
        for path in outputs:
            self._inputs[path], self._outputs[path] = inputs, outputs
            record = _record(origin, path)
            record.record_format_version = RECORD_FORMAT_VERSION
            self._write_record(path, record)
        self.forget_judgements()

    def is_stale(self, job: Job) -> bool:
        """Whether the files of a job differ from what it would make, as far as can be told."""
        self.forget_judgements()
        if not all(self.metadata(path) for path in job.output) or self.trouble(job):
            return True
        changes = [self.params_changed(job), *self.input_changed(job), *self.code_changed(job)]
        return any(changes)

    def trouble(self, job: Job) -> dict[str, str]:
        """What is wrong with the outputs of a job themselves, by path."""
        judged = {str(path): self._judgement(str(path)) for path in job.output}
        return {path: each.trouble for path, each in judged.items() if each.trouble}

    def origin(self, job: Job) -> Origin | None:
        """What the outputs of a job were made from, as far as it is known."""
        judged = (self._judgement(str(path)) for path in job.output)
        return next((each.origin for each in judged if each.origin), None)

    def say_absent(self) -> None:
        """Tell how to get results that others have made."""
        absent = [key for key, each in self.judgements.items() if each.trouble == ABSENT]
        if absent and Path(".dvc").is_dir():
            logger.info(
                f"{len(absent)} recorded files are not here, {absent[0]} for one. "
                "`dvc pull` fetches what was pushed; the rest is made again."
            )

    def has_metadata(self, job: Job) -> bool:
        # Snakemake wants a record of every output, and looks at nothing where one is missing.
        return not job.output or any(self.metadata(path) is not None for path in job.output)

    def params_changed(self, job: Job, file: Any = None) -> bool | ParamsChange:
        change = super().params_changed(job, file)
        origin = self.origin(job)
        if file is None and origin and set(origin.outputs) != set(map(str, job.output)):
            assert isinstance(change, ParamsChange)
            change |= ParamsChange(only_old={f"(outputs: {', '.join(sorted(origin.outputs))})"})
        return change

    def forget_judgements(self) -> None:
        """Look at the files anew."""
        self._told.clear()
        self.judgements.clear()

    def _judgement(self, key: str) -> Judgement:
        self._read_record(key)
        return self.judgements[key]

    def _read_record(self, key: str) -> MetadataRecord | None:
        if key not in self._told:
            self._warm_up()
            self._told[key] = self._judged(key)
        return self._told[key]

    def _judged(self, key: str) -> MetadataRecord | None:
        content = self._io_read(self._metadata_path, key)
        local = _origin(content)
        judgement = self.knowledge.judge(key, local)
        self.judgements[key] = judgement
        origin = judgement.origin
        if origin is None:
            record = MetadataRecord(params=[]) if judgement.trouble else None
        elif origin is local:
            record = MetadataRecord.model_validate(content)
        else:
            record = _record(origin, key)
        if record is not None:
            record.record_format_version = RECORD_FORMAT_VERSION
        if record is not None and judgement.trouble:
            # Snakemake compares parameters, and prints those that differ as the reason.
            record.params = [*(record.params or []), f"({key}: {judgement.trouble})"]
        self._hand_over_checksums(origin)
        return record

    def _hand_over_checksums(self, origin: Origin | None) -> None:
        """Spare Snakemake the reading of inputs that are newer than an output."""
        cache = self.dag.workflow.iocache
        if cache.active and origin is not None:
            for path in origin.inputs:
                digest = self.knowledge.contents.sha256(path)
                if digest is not None:
                    cache.checksum[path] = f"sha256:{digest}"

    def _warm_up(self) -> None:
        """Read all new files of the graph side by side, once."""
        if self._warm:
            return
        self._warm = True
        paths = {str(path) for job in self.dag.jobs for path in (*job.input, *job.output)}
        size = sum(self.knowledge.contents.unread(paths).values())
        if size > _MUCH:
            logger.info(f"Reading {size / 1e9:.1f} GB of files that are new here, this once.")
        self.knowledge.contents.read(paths)

    def _clear_cache(self) -> None:
        super()._clear_cache()
        self.forget_judgements()

    def started(self, job: Job, external_jobid: str | None = None) -> None:
        # Taken now: a file that is changed while the job runs is not what the job read.
        inputs = self._input_sums(job)
        self._inputs.update(dict.fromkeys(map(str, job.output), inputs))
        super().started(job, external_jobid)

    def _input_sums(self, job: Job) -> dict[str, str]:
        """The checksum of each input; none of what is `ancient`, for which other inputs stand."""
        contents = self.knowledge.contents
        return {
            str(path): "" if path.is_ancient else contents.sha256(str(path)) or ""
            for path in job.input
        }

    async def finished(self, job: Job) -> None:
        paths = [str(path) for path in job.output]
        contents = self.knowledge.contents
        await asyncio.to_thread(contents.read, paths)
        outputs = {path: contents.sha256(path) or "" for path in paths}
        self._outputs.update(dict.fromkeys(paths, outputs))
        await super().finished(job)

    def cleanup_locks(self) -> None:
        refuse_to_break()
        mend_dvc()
        super()._delete_locks()

    def _delete_locks(self) -> None:
        # Snakemake would delete those of other runs as well.
        for path in self._lockfile.values():
            Path(path).unlink(missing_ok=True)
        self._lockfile.clear()

    def _write_record(self, key: str, record: MetadataRecord) -> None:
        inputs = self._inputs.get(key, {})
        record.input_checksums = {path: f"sha256:{sum_}" for path, sum_ in inputs.items() if sum_}
        content = {**dict(record.items()), "outputs": self._outputs.get(key, {})}
        self._io_write(self._metadata_path, content, key)

    def _io_write(self, subject: Any, json_value: Any, id: str, mode: int = 0o660) -> None:
        # Whole or not at all: a full disk would leave half a record.
        target = Path(self._record_path(subject, id))
        partial = STATE / f"record-{os.getpid()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(json_value), encoding="utf-8")
        partial.chmod(mode)
        partial.replace(target)

    def _code(self, rule: Any) -> str | None:
        return command_digest(super()._code(rule))

    def _filter_incomplete_keys(self, keys: Any) -> set[str]:
        # Jobs move whole files into place; one that fits its record is whole, whatever was
        # killed since.
        return {key for key in super()._filter_incomplete_keys(keys) if self._is_suspect(key)}

    def _is_suspect(self, key: str) -> bool:
        judgement = self._judgement(key)
        return bool(judgement.trouble) or judgement.origin is None


def command_digest(command: str | None) -> str | None:
    """A digest of a rule's command that does not mind how it is laid out."""
    if command is None:
        return None
    return hashlib.sha256(" ".join(command.split()).encode()).hexdigest()[:16]


def _refuse_guesses(workflow: Any) -> None:
    """Stop where an option would take files for fresh that may not be."""
    if workflow.touch:
        raise SystemExit(
            "error: --touch takes stale files for fresh, and DVC would not know why.\n"
            '  -> accept a change that does not matter: python workflow/accept.py STEP --reason "…"'
        )
    if workflow.execution_settings and workflow.execution_settings.keep_incomplete:
        raise SystemExit(
            "error: --keep-incomplete leaves what failed jobs made, and it looks like results.\n"
            "  -> leave it out; what a training has reached is kept in scratch/ anyway"
        )


def _around(
    enter: Callable[[], Any], before: Callable[[], None], after: Callable[[], None]
) -> Callable[[], Any]:
    @contextmanager
    def lock() -> Iterator[None]:
        with enter():
            before()
            try:
                yield
            finally:
                after()

    return lock


def _origin(content: dict[str, Any]) -> Origin | None:
    """The origin in a record on disk; None where there is none, or of a plain Snakemake."""
    if not content.get("outputs"):
        return None
    sums = content.get("input_checksums") or {}
    return Origin(
        rule=str(content.get("rule")),
        shell=content.get("code") or "",
        params=tuple(sorted(content.get("params") or [])),
        inputs={
            path: sums.get(path, "").removeprefix("sha256:") for path in content.get("input") or []
        },
        outputs=content["outputs"],
    )


def _record(origin: Origin, key: str) -> MetadataRecord:
    """A record for Snakemake from an origin that the lock told."""
    time = Path(key).stat().st_mtime if Path(key).exists() else 0.0
    return MetadataRecord(
        rule=origin.rule,
        code=origin.shell or None,
        params=list(origin.params),
        input=sorted(origin.inputs),
        input_checksums={path: f"sha256:{sum_}" for path, sum_ in origin.inputs.items() if sum_},
        incomplete=False,
        starttime=time,
        endtime=time,
    )
