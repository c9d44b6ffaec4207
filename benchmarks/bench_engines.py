"""Time that the two engines take to recognise a fresh state, and to keep their books.

python benchmarks/bench_engines.py [--seeds 3] [--times 10]

In a copy of the workflow with five studies (those of params.yaml, or its first one five times).
Nothing is trained: every file is a line of text, recorded as if its step had made it, so that
reading of large files is left out. Beside each time stands that of an alternative: the same
workflow under Snakemake's own records, and a dvc.yaml with a stage for every job.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PARTS = ("scripts", "workflow", "dvc.yaml", "params.yaml", "data/weights")
REPEATS = 3
TARGETS = {"snakemake -n": 3.0, "dvc status": 5.0, "books after a run": 2.0}

MAKE = """
import sys
from pathlib import Path
from engines.look import whole_workflow
from triage.data import inventory

with whole_workflow() as view:
    for level in view.dag.toposorted():
        for job in level:
            for path in map(Path, job.output):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{path}\\n")
                if path.name == "phantom.csv":
                    raw = path.with_suffix("")
                    raw.mkdir(exist_ok=True)
                    (raw / "case").write_text("case")
                    inventory.write(raw, path)
            if job.output:
                view.records.accept(job)
    view.records.finish()
    print(sum(bool(job.output) for job in view.dag.jobs))
"""

BOOKS = """
import sys
import time
from pathlib import Path
from engines.look import whole_workflow

with whole_workflow() as view:
    job = next(job for job in view.dag.jobs if job.rule.name == "table")
    path = Path(job.output[0])
    path.unlink()
    path.write_text(f"{time.time()}\\n")
    view.records.accept(job)
    start = time.perf_counter(), time.process_time()
    view.records.finish()
    print(time.perf_counter() - start[0])
"""

PLAIN = """
import sys
from snakemake.cli import main
import engines.start
engines.start.attach = lambda *arguments: None
main(sys.argv[1:])
"""


class Bench:
    """A copy of the workflow in which everything is fresh."""

    def __init__(self, folder: Path, seeds: int) -> None:
        self.folder = folder
        for part in PARTS:
            source, target = ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, target)
        self._enlarge(seeds)
        self.run("git", "init", "--quiet")
        self.run("dvc", "init", "--quiet")
        self.jobs = int(self.run(sys.executable, "-c", MAKE).split()[-1])
        time.sleep(2.1)  # until the files are no longer so young that they are read again
        self.run("snakemake", "--cores", "1")

    def _enlarge(self, seeds: int) -> None:
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        studies = content["studies"]
        name, block = next(iter(studies.items()))
        while len(studies) < 5:
            studies[f"{name}{len(studies)}"] = json.loads(json.dumps(block))
        for study in studies.values():
            study["seeds"] = list(range(1, seeds + 1))
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def run(self, *command: str) -> str:
        """What a command prints; the benchmark ends where it fails."""
        bin_ = str(Path(sys.executable).parent)
        environment = os.environ | {
            "PATH": os.pathsep.join([bin_, os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(
                str(self.folder / part) for part in ("workflow", "scripts")
            ),
            "DVC_SITE_CACHE_DIR": str(self.folder / ".site"),
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)[:100]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def time(self, *command: str) -> tuple[float, float]:
        """Seconds of a command, the best of some; and those on the processor."""
        found = []
        for _ in range(REPEATS):
            start, busy = time.perf_counter(), _busy()
            self.run(*command)
            found.append((time.perf_counter() - start, _busy() - busy))
        return min(found)

    def books(self) -> tuple[float, float]:
        """Seconds that the end of a run takes in which one table was made."""
        seconds = [float(self.run(sys.executable, "-c", BOOKS).split()[-1]) for _ in range(REPEATS)]
        return min(seconds), 0.0

    def stage_for_every_job(self) -> None:
        """Replace dvc.yaml by the plain one, and commit it."""
        jobs = json.loads((self.folder / "snakemake.lock").read_text())["jobs"]
        stages: dict[str, Any] = {}
        for number, job in enumerate(jobs.values()):
            outs = [{path: {"persist": True}} for path in job["outputs"]]
            stages[f"job{number}"] = {"cmd": "true", "deps": list(job["inputs"]), "outs": outs}
        (self.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
        (self.folder / "dvc.lock").unlink()
        self.run("dvc", "commit", "--force", "--quiet", "--no-relink")


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(bench: Bench) -> dict[str, tuple[float, float]]:
    return {
        "snakemake -n": bench.time("snakemake", "--dry-run", "--quiet", "all"),
        "dvc status": bench.time("dvc", "status", "--quiet"),
        "books after a run": bench.books(),
    }


def alternatives(bench: Bench) -> dict[str, tuple[str, float]]:
    """For each time its alternative: its name and its seconds. Spoils the copy."""
    commit = bench.time("dvc", "commit", "--force", "--quiet", "--no-relink")[0]
    plain = (sys.executable, "-c", PLAIN, "--cores", "1", "--quiet", "all")
    shutil.rmtree(bench.folder / ".snakemake")
    bench.run(*plain, "--touch", "--forceall")
    own_records = bench.time(*plain, "--dry-run")[0]
    bench.stage_for_every_job()
    return {
        "snakemake -n": ("Snakemake's own records", own_records),
        "dvc status": ("a stage for every job", bench.time("dvc", "status", "--quiet")[0]),
        "books after a run": ("dvc commit --force", commit),
    }


def report(bench: Bench, found: dict[str, tuple[float, float]]) -> None:
    print(f"five studies, {bench.jobs} jobs", flush=True)
    others = alternatives(bench)
    for name, (seconds, busy) in found.items():
        other, theirs = others[name]
        on_cpu = f", {busy:.2f} s on the processor" if busy else ""
        print(f"  {name:18} {seconds:6.2f} s   (target {TARGETS[name]:.0f} s{on_cpu})")
        print(f"    {other:25} {theirs:6.2f} s   ratio {seconds / theirs:.2f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3, help="of every arm")
    options.add_argument("--times", type=int, default=10, help="the larger one, against this one")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = Bench(Path(folder) / "small", arguments.seeds)
        found = measure(small)
        report(small, found)
        large = Bench(Path(folder) / "large", arguments.seeds * arguments.times)
        print(f"{arguments.times} times as many runs, {large.jobs} jobs")
        for name, (seconds, _) in measure(large).items():
            print(f"  {name:18} {seconds:6.2f} s   {seconds / found[name][0]:.1f} times as much")


if __name__ == "__main__":
    main()
