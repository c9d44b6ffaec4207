"""The whole demo: how much of the cores' time is work, and what jobs that start warm save.

python benchmarks/bench_demo.py [--cores 2] [--only warm]

Runs the committed workflow in a folder of its own, from nothing to the report, once with jobs that
start warm (the default) and once with jobs that each import their libraries.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

import bench

WAYS = {"warm": [], "each on its own": ["--no-hooks"]}
TRAINING = {"pretrained", "train", "fit", "features", "train_sequence", "finetune"}
EVALUATION = {"predict", "evaluate", "ensemble", "table", "submission"}
STAMPED = re.compile(r"^\[(.{24})\]\n((?:(?!\[).*\n)+)", re.MULTILINE)
BLOCK = re.compile(r"^(?:local)?rule \S+:\n((?:    .*\n)+)", re.MULTILINE)
FACT = re.compile(r"^    (\w+): (.*)$", re.MULTILINE)
ENDED = re.compile(r"^Finished jobid: (\d+) \(Rule: (\S+)\)", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job as Snakemake recorded it; ``seconds`` are of all its threads."""

    rule: str
    seconds: float


@dataclass(frozen=True)
class Run:
    wall: float
    processor: float
    memory: float
    jobs: list[Job]
    start: float  # what a script takes to start, in the middle

    def work(self, rules: set[str] | None = None) -> float:
        """Seconds on cores that jobs of ``rules`` spent after they had started."""
        return sum(
            max(0.0, job.seconds - self.start)
            for job in self.jobs
            if rules is None or job.rule in rules
        )


def run(cores: int, options: list[str]) -> Run:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "demo")
        subprocess.run(["git", "clone", "-q", str(bench.ROOT), str(folder)], check=True)
        program = [str(Path(sys.executable).parent / "snakemake"), "--cores", str(cores), *options]
        before = os.times()
        started = time.perf_counter()
        with open(folder / "printed", "w+") as printed:
            process = subprocess.Popen(
                program,
                cwd=folder,
                stdout=printed,
                stderr=printed,
                env=bench.usual_environment(),
            )
            with _peak_memory(process.pid) as peak:
                process.wait()
            wall = time.perf_counter() - started
            printed.seek(0)
            text = printed.read()
        after = os.times()
        if process.returncode:
            sys.exit(text[-3000:])
        processor = sum(after[2:4]) - sum(before[2:4])
        jobs = list(_jobs(folder))
        return Run(wall, processor, max(peak), jobs, _start(folder, not options))


@contextmanager
def _peak_memory(process: int) -> Iterator[list[float]]:
    """Samples of the memory of a process and all below it, in GiB; shared pages count once."""
    samples, over = [0.0], threading.Event()

    def sample() -> None:
        while not over.wait(0.5):
            found = 0
            try:
                for each in [process, *_below(process)]:
                    found += _proportional(each)
            except psutil.NoSuchProcess:
                continue
            samples.append(found / 2**20)

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        yield samples
    finally:
        over.set()
        watcher.join()


def _below(process: int) -> list[int]:
    return [each.pid for each in psutil.Process(process).children(recursive=True)]


def _proportional(process: int) -> int:
    """Memory in KiB, with a page that n processes share as a page / n."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(map(int, re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)))


def _jobs(folder: Path) -> Iterator[Job]:
    """The jobs in Snakemake's own log, which tells times in whole seconds."""
    (log,) = (folder / ".snakemake" / "log").glob("*.log")
    began: dict[str, tuple[float, int]] = {}
    for stamp, told in STAMPED.findall(log.read_text(encoding="utf-8")):
        now = time.mktime(time.strptime(stamp))
        if ended := ENDED.search(told):
            start, threads = began[ended[1]]
            yield Job(ended[2], (now - start) * threads)
        for block in BLOCK.findall(told):
            facts = dict(FACT.findall(block))
            began[facts["jobid"]] = now, int(facts.get("threads", 1))


def _start(folder: Path, warm: bool) -> float:
    """Seconds that scripts take to say how they are used, in the middle."""
    program = f"""
import os, sys, time, statistics, subprocess
from pathlib import Path
from triage_workflow.engines.preload import start
scripts = sorted(Path("scripts").glob("*.py"))
if {warm}:
    start([each.name for each in scripts] * 4)
    socket = Path(os.environ["PATH"].split(":")[0], "socket")
    for _ in range(300):
        if socket.exists():
            break
        time.sleep(0.2)
    time.sleep(0.5)
else:
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
taken = []
for each in scripts * 3:
    started = time.perf_counter()
    subprocess.run(["python", str(each), "--help"], stdout=subprocess.DEVNULL, check=True)
    taken.append(time.perf_counter() - started)
print(statistics.median(taken))
"""
    done = subprocess.check_output(
        [sys.executable, "-c", program],
        cwd=folder,
        text=True,
        env=bench.usual_environment() | {"OMP_NUM_THREADS": "1"},
    )
    return float(done)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cores", type=int, default=2)
    options.add_argument("--only", choices=WAYS)
    arguments = options.parse_args()
    cores = arguments.cores
    runs = {way: run(cores, extra) for way, extra in WAYS.items() if arguments.only in (None, way)}
    header = ["", *runs]
    rows = [
        ("wall time, s", [each.wall for each in runs.values()]),
        ("time on processors, s", [each.processor for each in runs.values()]),
        ("most memory at once, GiB", [each.memory for each in runs.values()]),
        ("start of a job, median, s", [each.start for each in runs.values()]),
        ("work in training and evaluation, of cores x wall", _shares(runs, cores, True)),
        ("work in all jobs, of cores x wall", _shares(runs, cores, False)),
    ]
    first = next(iter(runs.values()))
    kinds = defaultdict(list)
    for job in first.jobs:
        kinds[job.rule].append(job.seconds)
    slowest = sorted(kinds.items(), key=lambda item: -sum(item[1]))
    bench.report(
        "demo",
        "The demo: seven studies from nothing to the report",
        f"{len(first.jobs)} jobs on {cores} cores. Work is the time of jobs, on all their threads,"
        " less what their scripts take to start.",
        bench.table(header, [(name, *values) for name, values in rows]),
        "Where the time of the first run's jobs goes:",
        bench.table(
            ["rule", "jobs", "seconds"], [(rule, len(all), sum(all)) for rule, all in slowest]
        ),
    )


def _shares(runs: dict[str, Run], cores: int, narrow: bool) -> list[str]:
    rules = TRAINING | EVALUATION if narrow else None
    return [f"{each.work(rules) / (cores * each.wall):.0%}" for each in runs.values()]


if __name__ == "__main__":
    main()
