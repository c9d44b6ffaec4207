"""Time that the two engines take to recognise a fresh state, and to keep their books.

python benchmarks/bench_engines.py [--seeds 1] [--times 10]

In copies of the workflow with all studies of params.yaml. Nothing is trained: every file is a line
of text, recorded as if its step had made it, so that reading of large files is left out. Beside
each time stands that of an alternative: the same workflow under Snakemake's own records, a dvc.yaml
with a stage for every job, and `dvc commit`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dvc as _dvc  # noqa: F401  its version is reported
import snakemake as _snakemake  # noqa: F401
import yaml

import bench

PARTS = ("scripts", "workflow", "dvc.yaml", "params.yaml", "data/pretrained")
REPEATS = 3
TARGETS = {"`snakemake -n`": 3, "`dvc status`": 5, "books after a run": 2}

MAKE = """
from pathlib import Path
from triage_workflow.engines.snakemake_adapter import whole_workflow
from triage.data import inventory

with whole_workflow() as view:
    for job in view.jobs:
        for path in map(Path, job.outputs):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{path}\\n")
            if path.name == "phantom.csv":
                raw = path.with_suffix("")
                raw.mkdir(exist_ok=True)
                (raw / "case").write_text("case")
                inventory.write(raw, path)
        if job.outputs:
            view.provenance.accept(job)
    view.finish()
"""

# The end of a run in which one table was made.
BOOKS = """
import os
import time
from pathlib import Path
from triage_workflow.engines.snakemake_adapter import whole_workflow

with whole_workflow() as view:
    job = next(job for job in view.jobs if job.rule == "table")
    path = Path(job.outputs[0])
    path.unlink()
    path.write_text(f"{time.time()}\\n")
    view.provenance.accept(job)
    start, busy = time.perf_counter(), sum(os.times()[:4])
    view.finish()
    print(time.perf_counter() - start, sum(os.times()[:4]) - busy)
"""

PLAIN = """
import sys
from snakemake.cli import main
import triage_workflow.engines.start
triage_workflow.engines.start.attach = lambda *arguments: None
main(sys.argv[1:])
"""
UNDER_OWN_RECORDS = (sys.executable, "-c", PLAIN, "--cores", "1", "--quiet", "all")


class Copy:
    """A copy of the workflow in which everything is fresh."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def made(cls, folder: Path, seeds: int) -> Copy:
        """A new one, with this many seeds of every arm."""
        copy = cls(folder)
        for part in PARTS:
            source, target = bench.ROOT / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        content = yaml.safe_load((folder / "params.yaml").read_text())
        for study in content["studies"].values():
            study["seeds"] = list(range(1, seeds + 1))
        (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        copy.run("git", "init", "--quiet")
        copy.run("dvc", "init", "--quiet")
        copy.run(sys.executable, "-c", MAKE)
        copy.settle()
        return copy

    def settle(self) -> None:
        """Wait until files are no longer so young that they are read again, and read them."""
        time.sleep(2.1)
        self.run("snakemake", "--cores", "1")
        self.run("dvc", "status", "--quiet")

    def jobs(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "snakemake.lock").read_text())["jobs"])

    def again(self, folder: Path) -> Copy:
        shutil.copytree(self.folder, folder)
        return Copy(folder)

    def under_own_records(self) -> Copy:
        """Without ours; Snakemake is told that all is fresh."""
        shutil.rmtree(self.folder / ".snakemake")
        self.run(*UNDER_OWN_RECORDS, "--touch", "--forceall")
        return self

    def with_a_stage_for_every_job(self) -> Copy:
        """With a dvc.yaml as one would write it without Snakemake."""
        stages: dict[str, Any] = {}
        for number, job in enumerate(self.jobs().values()):
            outs = [{path: {"persist": True}} for path in job["outputs"]]
            stages[f"job{number}"] = {"cmd": "true", "deps": list(job["inputs"]), "outs": outs}
        (self.folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
        (self.folder / "dvc.lock").unlink()
        self.commit()
        return self

    def run(self, *command: str) -> str:
        """What a command prints; the benchmark ends where it fails."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        modules = os.pathsep.join(str(self.folder / part) for part in ("workflow", "scripts"))
        site = self.folder / ".site"
        site.mkdir(mode=0o700, exist_ok=True)
        variables = {"PATH": path, "PYTHONPATH": modules, "DVC_SITE_CACHE_DIR": str(site)}
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | variables, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)[:100]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def dry_run(self) -> None:
        self.run("snakemake", "--dry-run", "--quiet", "all")

    def plain_dry_run(self) -> None:
        self.run(*UNDER_OWN_RECORDS, "--dry-run")

    def status(self) -> None:
        self.run("dvc", "status", "--quiet")

    def commit(self) -> None:
        self.run("dvc", "commit", "--force", "--quiet", "--no-relink")

    def books(self) -> bench.Times:
        """What the end of a run takes, without the look at the files before it."""
        times = bench.Times()
        for _ in range(REPEATS):
            seconds, busy = self.run(sys.executable, "-c", BOOKS).split()[-2:]
            times.wall.append(float(seconds))
            times.processor.append(float(busy))
        return times


def compared(small: Copy) -> dict[str, tuple[bench.Times, str, bench.Times]]:
    """Of each measure: ours, and the alternative with its name."""
    plain = small.again(small.folder.with_name("plain")).under_own_records()
    every = small.again(small.folder.with_name("every")).with_a_stage_for_every_job()
    small.settle()

    def both(ours: Callable[[], None], name: str, other: Callable[[], None]) -> Any:
        times = bench.interleaved({"ours": ours, name: other}, REPEATS)
        return times["ours"], name, times[name]

    commit = bench.interleaved({"commit": small.commit}, REPEATS)["commit"]
    return {
        "`snakemake -n`": both(small.dry_run, "Snakemake's own records", plain.plain_dry_run),
        "`dvc status`": both(small.status, "a stage for every job", every.status),
        "books after a run": (small.books(), "`dvc commit --force`", commit),
    }


def growth(large: Copy) -> dict[str, bench.Times]:
    """The same measures of ours on a larger copy."""
    calls = {"`snakemake -n`": large.dry_run, "`dvc status`": large.status}
    return bench.interleaved(calls, REPEATS) | {"books after a run": large.books()}


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seeds", type=int, default=1, help="of every arm")
    options.add_argument("--times", type=int, default=10, help="as many seeds in the larger copy")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = Copy.made(Path(folder) / "small", arguments.seeds)
        found = compared(small)
        large = Copy.made(Path(folder) / "large", arguments.seeds * arguments.times)
        grown = growth(large)
        counts = [len(copy.jobs()) for copy in (small, large)]
    rows, more = [], []
    for name, (ours, other, theirs) in found.items():
        cells = [ours.seconds, ours.processor_seconds, TARGETS[name]]
        cells += [other, theirs.seconds, theirs.processor_seconds]
        rows.append([name, *cells, theirs.processor_seconds / ours.processor_seconds])
        now = grown[name]
        times = now.processor_seconds / ours.processor_seconds
        more.append([name, now.seconds, now.processor_seconds, times])
    header = ["", "seconds", "on the processor"]
    bench.report(
        "engines",
        "Recognising a fresh state, and keeping the books",
        f"All studies of params.yaml, {counts[0]} jobs; files of a line each. On an idle machine"
        " seconds are those on the processor, less for the books, which two processes keep side by"
        " side.",
        bench.table(
            [*header, "target", "alternative", "its", "its processor", "ratio of these"], rows
        ),
        f"{counts[1]} jobs, {counts[1] / counts[0]:.1f} times as many:",
        bench.table([*header, "times as much, on the processor"], more),
    )


if __name__ == "__main__":
    main()
