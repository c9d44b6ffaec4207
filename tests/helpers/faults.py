"""The workflow under faults: a step, Snakemake or DVC is killed, the disk is full or read-only."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from triage_workflow.engines import preload

from engines_support import Answer, Project, Server
from workflow_copy import ROOT, Workflow, only

SITE = Path(__file__).with_name("fault_site")
PATIENCE = 120  # seconds for anything that a busy machine does
RUNNING = Path(".snakemake/engines/running")
FILLER = "filler"
TARGETS = (
    "all",
    "braintriage_export",
    "braintriage_memorise",
    "data/braintriage/slices/labels_slices.csv",
)
# These tell how long something took, or have checksums of files that do.
MEASURED = re.compile(r"record\.json$|card\.\w+$|checklist\.md$|report\.html$|checksums/")
NUMBER = re.compile(rb"\b[0-9a-f]{64}\b|\d+(\.\d+)?")


@dataclass(frozen=True)
class Fault:
    """Before the script ``step`` moves its ``nth`` file into place, ``act`` happens to it."""

    step: str
    act: str
    nth: int


class Running:
    """A command under way, with a fault in it."""

    def __init__(self, answer: Future[Answer], mark: Path) -> None:
        self._answer, self._mark = answer, mark

    def wait(self) -> None:
        """Wait until the fault has come."""
        deadline = time.monotonic() + PATIENCE
        while not self._mark.exists():
            assert not self._answer.done(), self._answer.result().output
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.01)

    def go_on(self) -> None:
        """Let a step that waits go on."""
        self._mark.with_name(f"{self._mark.name}.go").touch()

    def answer(self) -> Answer:
        return self._answer.result(PATIENCE)


class Faulty:
    """A project folder in which faults happen; ``marks`` is a folder elsewhere."""

    def __init__(self, project: Project, marks: Path) -> None:
        self.project, self.folder = project, project.folder
        self._marks = marks
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}
        self._pool = ThreadPoolExecutor(4)

    def start(self, tool: str, *arguments: str, fault: Fault) -> Running:
        mark = self._marks / f"{fault.act}-{fault.step}-{fault.nth}"
        variables = {"FAULT_STEP": fault.step, "FAULT_NTH": str(fault.nth), "FAULT_ACT": fault.act}
        variables["FAULT_MARK"] = str(mark)
        return Running(self._pool.submit(self.run, tool, *arguments, **variables), mark)

    def run(self, tool: str, *arguments: str, **variables: str) -> Answer:
        variables |= {"PYTHONPATH": str(SITE), "PYTHONPYCACHEPREFIX": str(self._marks / "compiled")}
        return self.project.run(tool, *arguments, TMPDIR=str(self._marks), **variables)

    def kill(self) -> None:
        """Kill the process of Snakemake, and only it."""
        (path,) = (self.folder / RUNNING).iterdir()
        os.kill(json.loads(path.read_text())["process"], signal.SIGKILL)

    def cut_power(self) -> None:
        """Kill all processes in the folder."""
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if link.readlink() == self.folder:
                    os.kill(int(link.parent.name), signal.SIGKILL)

    def files(self) -> dict[str, str]:
        """The checksum of every file of data and results; of measured times, only the rest."""
        found = {}
        for place in ("data", "results"):
            for path in sorted((self.folder / place).rglob("*")):
                if path.is_file() and ".part" not in path.name:
                    name = path.relative_to(self.folder).as_posix()
                    found[name] = self._checksum(name)
        return found

    def _checksum(self, name: str) -> str:
        path = self.folder / name
        status = path.stat()
        look = (status.st_size, status.st_mtime_ns, status.st_ino)
        if self._known.get(name, ((), ""))[0] != look:
            content = path.read_bytes()
            if MEASURED.search(name):
                content = NUMBER.sub(b"#", content)
            self._known[name] = look, hashlib.sha256(content).hexdigest()
        return self._known[name][1]


@dataclass(frozen=True)
class Step:
    """A script, how many files it moves into place, and the last of them."""

    script: str
    moves: int
    target: str


def steps_in(log: Path) -> list[Step]:
    """The steps in the order in which they came, from what a run wrote of its moves."""
    moves: dict[str, dict[str, list[str]]] = {}
    for line in log.read_text().splitlines():
        process, script, path = line.split(" ", 2)
        moves.setdefault(script, {}).setdefault(process, []).append(path)
    first = {script: next(iter(jobs.values())) for script, jobs in moves.items()}
    return [Step(script, len(paths), paths[-1]) for script, paths in first.items()]


def warm_python(mark: Path) -> Path:
    """A folder with the ``python`` of a server for jobs, so that none imports libraries anew."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.environ["PATH"])
        patch.setenv("PYTHONPATH", str(SITE))
        patch.setenv("FAULT_MARK", str(mark))
        scripts = [path.name for path in (ROOT / "scripts").glob("*.py")]
        preload.start(scripts * preload.MANY)
        folder = Path(os.environ["PATH"].split(os.pathsep)[0])
    # It serves all copies of the workflow: their code is the same.
    _edit(folder / "python", str(ROOT / "scripts"), '"$PWD"/scripts')
    return folder


def project(folder: Path, server: Server, python: Path) -> Project:
    """A new, small workflow; jobs of all runs have one core, so that they make the same bytes."""
    Workflow(folder, with_all_steps)
    _edit(folder / "workflow/profiles/default/config.yaml", "cores: all", "cores: 1")
    _edit(
        folder / "workflow/rules/common.smk", "str(Path(sys.executable).parent)", f"{str(python)!r}"
    )
    _edit(folder / "workflow/triage_workflow/engines/preload.py", "MANY = 4", "MANY = 1000")
    return Project(folder, server)


def with_all_steps(content: dict[str, Any]) -> None:
    """Settings of a small study that has every step."""
    weights = content["pretrained"]["resnet18_pretext"] | {"images": 64, "size": 32, "epochs": 1}
    only("braintriage")(content)
    content["pretrained"] = {"resnet18_pretext": weights}
    content["defaults"]["memorise"] = {"cases": 2, "epochs": 20, "accuracy": 0.9}
    study = content["studies"]["braintriage"]
    study["ensembles"] = {"both": ["resnet18", "lstm"]}
    study["training"]["arms"]["resnet18"]["model"]["pretrained"] = "resnet18_pretext"


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
