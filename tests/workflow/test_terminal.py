"""What a run shows: one bar or plain lines, failures first and last, how it came out."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake_interface_logger_plugins.common import LogEvent

from triage_workflow.terminal import handler as terminal
from triage_workflow.terminal.handler import LogHandler
from triage_workflow.terminal.outcome import numbers
from triage_workflow.terminal.pace import Pace
from triage_workflow.terminal.words import own_message, title

from workflow_copy import Workflow

STUDY = "braintriage"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
REFUSED = ("--rerun-triggers", "--cleanup-metadata")


class Screen(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def lines(self) -> list[str]:
        """What stays on the screen: lines that were not taken back."""
        shown = re.sub(r"(?:\x1b\[\?25[lh])", "", self.getvalue()).replace("\r\n", "\n")
        kept: list[str] = []
        for line in shown.split("\n"):
            for _ in range(line.count("\x1b[1A")):
                kept.pop()
            kept.append(CONTROL.sub("", line.rpartition("\x1b[2K")[2]))
        return [line for line in kept if line.strip()]


class Told:
    """A handler, and what Snakemake tells it of a run of many jobs."""

    def __init__(self, screen: Screen, monkeypatch: pytest.MonkeyPatch, **settings: bool) -> None:
        monkeypatch.setattr(sys, "stderr", screen)
        monkeypatch.setenv("TERM", "xterm")
        plain = {"stdout": False, "dryrun": False, "nocolor": False} | settings
        self.screen = screen
        self.handler = LogHandler(
            SimpleNamespace(**plain),
            plan=lambda width: ["2 jobs would run:"],
            studies=["one"],
            has_generated_data=True,
        )

    def tell(self, event: LogEvent | None, text: str = "", level: int = 20, **more: Any) -> None:
        record = logging.LogRecord("snakemake.logging", level, "", 0, text or None, (), None)
        record.__dict__.update({"event": event} if event else {}, **more)
        self.handler.emit(record)

    def begin(self, jobs: int) -> None:
        self.tell(None, "Assuming unrestricted shared filesystem usage.")
        self.tell(LogEvent.WORKFLOW_STARTED, "Workflow has started!")
        self.tell(None, "Building DAG of jobs...")
        stats = {"train": jobs, "total": jobs}
        self.tell(LogEvent.RUN_INFO, "Job stats", stats=stats)

    def start(self, number: int) -> None:
        wildcards = {"study": "one", "arm": "small", "fold": "0", "seed": str(number)}
        more = {"rule_name": "train", "wildcards": wildcards, "output": ["made"]}
        self.tell(LogEvent.JOB_INFO, jobid=number, **more)

    def fail(self, number: int, log: Path) -> None:
        self.tell(LogEvent.ERROR, "RuleException: Command returned non-zero exit status 1.", 40)
        more = {"rule_name": "train", "log": [str(log)]}
        self.tell(LogEvent.JOB_ERROR, level=40, jobid=number, **more)

    def finish(self, number: int, total: int) -> None:
        self.tell(LogEvent.JOB_FINISHED, job_id=number)
        self.tell(LogEvent.PROGRESS, done=number, total=total)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    return lambda is_terminal, **settings: Told(Screen(is_terminal), monkeypatch, **settings)


def run(told: Told, jobs: int) -> None:
    told.begin(jobs)
    for number in range(1, jobs + 1):
        told.start(number)
        told.finish(number, jobs)
    told.handler.close()


def test_a_file_has_a_line_a_job_and_no_control_characters(told: Callable[..., Told]) -> None:
    plain = told(False)
    run(plain, 300)
    text = plain.screen.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert text.count("train one small, fold 0, seed 7 ") == 1
    assert len(text.splitlines()) == 302
    assert text.splitlines()[-1].startswith("Jobs made: 300, in ")


def test_a_terminal_keeps_few_lines_of_many_jobs(told: Callable[..., Told]) -> None:
    on_screen = told(True)
    run(on_screen, 300)
    assert "300/300" in on_screen.screen.getvalue()
    assert [line.partition(",")[0] for line in on_screen.screen.lines()] == ["Jobs made: 300"]


def test_running_jobs_are_shown_by_study_and_arm(told: Callable[..., Told]) -> None:
    on_screen = told(True)
    on_screen.begin(20)
    for number in range(12):
        on_screen.start(number)
    on_screen.handler.close()
    shown = CONTROL.sub("", on_screen.screen.getvalue())
    assert "train one small, fold 0, seed 1, 0 s" in shown
    assert "and 4 more" in shown
    assert "Stopped after" in shown


def test_colours_can_be_had_without(
    told: Callable[..., Told], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    colours = re.compile(r"\x1b\[(3|9)\d")
    for variable, expected in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", variable)
        on_screen = told(True)
        on_screen.begin(2)
        on_screen.fail(1, tmp_path / "none.log")
        on_screen.handler.close()
        assert bool(colours.search(on_screen.screen.getvalue())) is expected
    for settings in ({"TERM": "dumb"}, {"FORCE_COLOR": "1"}):
        plain = told("TERM" in settings)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        plain.begin(2)
        plain.handler.close()
        assert "\x1b" not in plain.screen.getvalue()


def test_a_failed_job_says_its_message_first_and_last(
    told: Callable[..., Told], tmp_path: Path
) -> None:
    log = tmp_path / "job.log"
    log.write_text("reading\nerror: a.csv: is odd\x1b[31m\n  -> mend it\n")
    plain = told(False)
    plain.begin(3)
    for number in (1, 2, 3):
        plain.start(number)
    plain.fail(1, log)
    plain.fail(2, log)
    plain.tell(None, "Trying to restart job 2.")
    plain.finish(2, 3)
    plain.tell(LogEvent.ERROR, "WorkflowError:\nAt least one job did not complete.", 40)
    plain.tell(None, "Exiting because a job execution failed. Look below", 40)
    plain.handler.close()
    lines = plain.screen.getvalue().splitlines()
    message = [
        "train one small, fold 0, seed 1 failed:",
        "error: a.csv: is odd\\x1b[31m",
        "  -> mend it",
        f"  log: {log}",
    ]
    assert lines[1:5] == message
    assert lines[-4:] == message
    assert "1 failed" in lines[-5]
    assert not any("exit status" in line or "complete" in line for line in lines)


def test_what_is_no_run_says_what_snakemake_says(told: Callable[..., Told]) -> None:
    plain = told(False)
    plain.tell(None, "Unlocked working directory.")
    plain.tell(None, "something is odd", 30)
    plain.handler.close()
    assert plain.screen.getvalue().splitlines() == [
        "something is odd",
        "Unlocked working directory.",
    ]


def test_logs_speak_for_their_jobs(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert own_message([str(log)]) == ""
    log.write_text("\n".join(map(str, range(30))))
    assert own_message([str(log)]).splitlines() == [str(each) for each in range(22, 30)]
    assert title("index-one", {"study": "one"}) == "index one"


def test_main_numbers_say_what_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head = "arm,winner,roc_auc,roc_auc_low,roc_auc_high"
    head += ",recall,specificity,balanced_accuracy,accuracy_gain_low"
    tables = {
        "good": "a,0,0.9,0.8,0.95,0.1,0.1,0.1,0.2\nb,1,0.8,0.7,0.88,0.5,1,0.75,0.1",
        "poor": "a,1,0.5,,,,,0.5,-0.1",
        "none": "a,0,,,,,,,",
    }
    for study, rows in tables.items():
        (tmp_path / "results" / study).mkdir(parents=True)
        (tmp_path / "results" / study / "table.csv").write_text(f"{head}\n{rows}\n")
    shown = list(numbers(["good", "poor", "none", "not there"]))
    assert shown[1].endswith("0.800 (0.700 to 0.880)  sensitivity 0.500, specificity 1.000")
    assert re.match(r"poor +a\* +0\.500 +balanced accuracy 0\.500$", shown[2])
    assert shown[3] == "none   none could be chosen"
    assert shown[4:] == ["* not shown to decide better than always saying one class"]
    assert list(numbers(["not there"])) == []


@given(
    counts=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 50), min_size=1),
    seconds=st.floats(0.1, 1e4),
)
def test_time_left_ends_with_the_work(counts: dict[str, int], seconds: float) -> None:
    pace = Pace(counts, Path("/nowhere/pace.json"))
    assert pace.left([]) is None
    before = float("inf")
    for step in (step for step, count in counts.items() for _ in range(count)):
        pace.ended(step, seconds)
        left = pace.left([])
        assert left is not None
        assert 0 <= left <= before * (1 + 1e-9)
        before = left
    assert before == 0


def test_a_slow_job_takes_nothing_off_those_after_it() -> None:
    pace = Pace({"train": 2, "table": 3}, Path("/nowhere/pace.json"))
    pace.ended("train", 10.0)
    pace.ended("table", 4.0)
    pace._begun -= 1000  # one job at a time
    assert pace.left([("train", 5.0)]) == pytest.approx(5 + 2 * 4)
    assert pace.left([("train", 500.0)]) == pytest.approx(2 * 4)


def test_a_pace_is_remembered(tmp_path: Path) -> None:
    memory = tmp_path / "pace.json"
    first = Pace({"train": 2}, memory)
    first.ended("train", 10.0)
    first.keep()
    assert Pace({"train": 3}, memory).left([]) == pytest.approx(30.0)
    for damage in ("", "[]", '{"train": null}', "\0"):
        memory.write_text(damage)
        assert Pace({"train": 3}, memory).left([]) is None


@pytest.fixture(scope="module")
def changed(done: Workflow, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A copy of the whole run, in which all is to be evaluated anew."""
    folder = tmp_path_factory.mktemp("changed") / "project"
    shutil.copytree(done.folder, folder, symlinks=True)
    workflow = Workflow.at(folder)
    workflow.change(lambda content: content["defaults"]["evaluation"].update(replicates=101))
    return workflow


def on_terminal(workflow: Workflow, *command: str) -> str:
    """What a command shows on a terminal."""
    ours, its = pty.openpty()
    environment = workflow.environment() | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(
        command, cwd=workflow.folder, env=environment, stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    shown = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert process.wait() == 0, shown[-4000:]
    return shown.decode()


def _read(end: int) -> bytes:
    try:
        return os.read(end, 1 << 16)
    except OSError:  # nobody writes any more
        return b""


def in_order(text: str, words: Iterable[str]) -> bool:
    place = 0
    for word in words:
        place = text.find(word, place)
        if place < 0:
            return False
    return True


@pytest.mark.slow
def test_a_dry_run_is_one_screen_in_plain_words(changed: Workflow) -> None:
    shown = changed.run("snakemake", "-n")
    lines = [line for line in shown.splitlines() if not line.startswith("Using workflow")]
    assert len(lines) < 24
    assert max(map(len, lines)) <= 100
    assert re.match(r"\d+ jobs would run:", lines[0])
    assert re.search(r"^ +3  metrics +braintriage +replicates 100 -> 101$", shown, re.MULTILINE)
    assert re.search(r"^ +1  submission +braintriage +follows from table", shown, re.MULTILINE)
    assert not any(word in shown for word in REFUSED)


@pytest.mark.slow
def test_a_run_on_a_terminal(changed: Workflow) -> None:
    shown = on_terminal(changed, "snakemake", "--cores", "2")
    screen = Screen(True)
    screen.write(shown)
    lines = screen.lines()
    assert len(lines) < 60
    text = "\n".join(lines)
    assert "rule " not in text
    assert in_order(text, ["Jobs made: ", "ROC AUC (95 %)", STUDY, "results/report.html", "Next: "])
    moving = CONTROL.sub("", shown)
    assert re.search(r"about \d+ s left", moving)
    assert re.search(rf"(evaluate|figures|explain) {STUDY}", moving)
    again = changed.snakemake()
    assert "Nothing to be done" in again
    verbose = changed.snakemake("--verbose", "--forcerun", "submission")
    assert "localrule submission" in verbose


def test_snakemake_keeps_its_lines_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(terminal.ONLY_LOG, raising=False)
    own = logging.StreamHandler()
    own.name = "DefaultStreamHandler"
    log = logging.getLogger("snakemake.logging")
    plain = {"verbose": False, "printshellcmds": False, "debug_dag": False, "quiet": None}
    ours = logging.NullHandler()
    for settings, is_ours in ((plain, True), (plain | {"verbose": True}, False)):
        monkeypatch.setattr(log, "handlers", [own])
        workflow: Any = SimpleNamespace(
            output_settings=SimpleNamespace(**settings), exec_mode=0, is_main_process=True
        )
        terminal.attach(workflow, lambda _: ours)  # type: ignore[arg-type, return-value]
        assert log.handlers == [ours if is_ours else own]
        assert (terminal.ONLY_LOG in os.environ) or not is_ours
