"""What Snakemake tells through its interface for loggers, shown to people."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from snakemake_interface_executor_plugins.settings import ExecMode
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from triage_workflow.terminal import outcome
from triage_workflow.terminal.display import Bar, Lines, is_terminal
from triage_workflow.terminal.pace import Pace
from triage_workflow.terminal.words import own_message, step, title

from triage.command import ONLY_LOG
from triage.durations import duration

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

_REPEATED = 5  # messages of failed jobs at the end
_LEFT_WITH = re.compile(r"exit status \d+|died with <Signals\.\w+: \d+>")
# What Snakemake adds where a job has failed, which has told why.
_ECHOES = ("Exiting because a job execution failed", "At least one job did not complete")


class LogHandler(LogHandlerBase):
    """One bar, or a line a job; messages of this workflow, warnings and failures.

    ``plan`` gives the lines of a dry run, ``studies`` are those of the settings.
    """

    writes_to_stream, writes_to_file, needs_rulegraph = True, False, False
    has_filter, has_formatter = True, True

    def __init__(
        self,
        common_settings: Any,
        plan: Callable[[int], Iterable[str]],
        studies: Iterable[str],
        has_generated_data: bool,
    ) -> None:
        super().__init__(common_settings, None)
        self._plan = plan
        self._studies = list(studies)
        self._has_generated_data = has_generated_data
        self._stream = sys.stdout if common_settings.stdout else sys.stderr
        self._display = Lines(self._stream)
        self._is_run = False
        self._held: list[str] = []  # until it is known whether this is a run
        self._jobs: dict[int, _Job] = {}
        self._failed: dict[int, str] = {}
        self._begun = time.monotonic()
        self._pace: Pace | None = None
        self._done = self._total = self._made = self._spared = 0
        self._steps: set[str] = set()
        self._left_with = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Show what a record tells. A mistake in it never stops the run."""
        try:
            event = getattr(record, "event", None)
            act = {
                LogEvent.WORKFLOW_STARTED: self._workflow_started,
                LogEvent.RUN_INFO: self._begin,
                LogEvent.JOB_INFO: self._job_started,
                LogEvent.JOB_FINISHED: self._job_finished,
                LogEvent.JOB_ERROR: self._job_failed,
                LogEvent.GROUP_ERROR: self._group_failed,
                LogEvent.PROGRESS: self._progress,
                LogEvent.ERROR: self._error,
                None: self._message,
            }.get(event)
            if act:
                act(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Say how the run came out."""
        if self._held and not self._is_run:
            self._display.say("\n".join(self._held))
        self._held = []
        self._display.end()
        if self._total and not self.common_settings.dryrun:
            total, self._total = self._total, 0
            self._outcome(total)
        super().close()

    def _workflow_started(self, _: logging.LogRecord) -> None:
        self._is_run, self._held = True, []

    def _begin(self, record: Any) -> None:
        stats = dict(record.stats)
        total = stats.pop("total", 0)
        if self._total:
            return  # Snakemake tells it twice
        self._total = total
        if self.common_settings.dryrun:
            self._display.say("\n".join(self._plan(shutil.get_terminal_size((100, 24)).columns)))
            return
        self._begun = time.monotonic()
        self._pace = Pace(stats)
        if is_terminal(self._stream):
            is_plain = self.common_settings.nocolor
            self._display = Bar(self._stream, is_plain, total, self._titles, self._seconds_left)
        else:
            self._display.say(f"Jobs to run: {total}")

    def _running(self) -> list[tuple[_Job, float]]:
        now = time.monotonic()
        return [(job, now - job.begun) for job in list(self._jobs.values()) if job.is_running]

    def _titles(self) -> dict[str, float]:
        return {job.title: seconds for job, seconds in self._running()}

    def _seconds_left(self) -> float | None:
        running = [(job.rule, seconds) for job, seconds in self._running()]
        return self._pace.left(running) if self._pace else None

    def _job_started(self, record: Any) -> None:
        if not self.common_settings.dryrun:
            self._jobs[record.jobid] = _Job(record)

    def _job_finished(self, record: Any) -> None:
        job = self._jobs.pop(record.job_id, None)
        self._failed.pop(record.job_id, None)
        self._done += 1
        if job is None or self._pace is None:
            return
        seconds = time.monotonic() - job.begun
        self._pace.ended(job.rule, seconds)
        self._steps.add(job.rule)
        self._made += job.has_output
        told = f"{job.title} ({duration(seconds)})" if job.has_output else ""
        self._display.advance(self._done, self._total, told)

    def _progress(self, record: Any) -> None:
        self._total = record.total
        self._done = max(self._done, record.done)

    def _job_failed(self, record: Any) -> None:
        job = self._jobs.get(record.jobid)
        if job:
            job.is_running = False
        self._fail(record.jobid, record.rule_name, record.log)

    def _group_failed(self, record: Any) -> None:
        jobs = record.job_error_info
        for info in [each for each in jobs if own_message(each["log"])] or jobs[:1]:
            self._fail(info["jobid"], info["rule_name"], info["log"])

    def _fail(self, number: int, rule: str, logs: Iterable[str]) -> None:
        job = self._jobs.get(number)
        said = own_message(logs) or f"error: it ended without a message {self._left_with}".rstrip()
        self._left_with = ""
        named = job.title if job else step(rule)
        text = f"{named} failed:\n{said}\n  log: {', '.join(logs) or 'none'}"
        if self._failed.get(number) != text:
            self._display.say(text, "red")
        self._failed[number] = text

    def _error(self, record: logging.LogRecord) -> None:
        """An exception; that a command failed is told by the job, with its own message."""
        text = record.getMessage()
        if left_with := _LEFT_WITH.findall(text):
            self._left_with = f"({left_with[-1]})"
        elif not self._is_echo(text):
            self._display.say(text, "red")

    def _is_echo(self, text: str) -> bool:
        return bool(self._failed) and any(echo in text for echo in _ECHOES)

    def _message(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        is_ours = record.name != "snakemake.logging"
        if rule := getattr(record, "spared", ""):
            self._spared += 1
            self._done += 1
            if self._pace:
                self._pace.ended(rule, None)
            self._display.advance(self._done, self._total, "")
        elif record.levelno >= logging.WARNING:
            if not self._is_echo(text):
                self._display.say(text, "red" if record.levelno >= logging.ERROR else "yellow")
        elif is_ours or text.startswith("Nothing to be done"):
            self._display.say(text)
        elif not self._is_run and record.levelno >= logging.INFO:
            self._held.append(text)

    def _outcome(self, total: int) -> None:
        if self._pace:
            self._pace.keep()
        say = self._display.say
        passed = duration(time.monotonic() - self._begun)
        spared = f", {self._spared} spared, as their inputs came out the same" * bool(self._spared)
        if self._failed:
            texts = list(self._failed.values())
            left = f"; {total - self._done} of {total} are left, of which {len(texts)} failed:"
            say(f"Jobs made: {self._made}, in {passed}{spared}{left}", "red")
            for text in texts[:_REPEATED]:
                say(text, "red")
            if len(texts) > _REPEATED:
                say(f"and {len(texts) - _REPEATED} more; each has a log in logs/", "red")
        elif self._done < total:
            say(
                f"Stopped after {passed}: {self._done} of {total} jobs are done."
                " The same command goes on from there."
            )
        else:
            say(f"Jobs made: {self._made}, in {passed}{spared}.")
            if "table" in self._steps:
                say("\n".join(outcome.numbers(self._studies)))
            if "report" in self._steps:
                say("\n".join(outcome.next_steps(self._has_generated_data)))


class _Job:
    """A job that was begun."""

    def __init__(self, record: Any) -> None:
        self.rule = str(record.rule_name)
        self.title = title(self.rule, dict(record.wildcards))
        self.has_output = bool(record.output)
        self.begun = time.monotonic()
        self.is_running = True


def attach(workflow: Workflow, make: Callable[[Any], LogHandler]) -> None:
    """Show a run with ``make``'s handler instead of Snakemake's lines.

    Those stay where somebody asks for them, as with ``--verbose``, and in ``.snakemake/log``.
    """
    if workflow.exec_mode == ExecMode.REMOTE:
        os.environ.pop(ONLY_LOG, None)  # SLURM keeps what a job says
    settings = workflow.output_settings
    is_asked_for = settings.verbose or settings.printshellcmds or settings.debug_dag
    if not workflow.is_main_process or is_asked_for or settings.quiet:
        return
    log = logging.getLogger("snakemake.logging")
    for handler in list(log.handlers):
        if handler.name == "DefaultStreamHandler":
            log.removeHandler(handler)
            log.addHandler(make(settings))
            os.environ[ONLY_LOG] = "1"
