"""Time and memory of the graph of jobs, of the books and of `dvc status`, as runs grow."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

import bench

STUDY = "melanoma"
BIN = Path(sys.executable).parent
STUBS = "stubs"  # this program, within a project: makes files that stand for all results


@dataclass
class Took:
    """Of one call: seconds, those on processors, and the most memory in MB."""

    seconds: float
    busy: float
    memory: float


def study_of(folder: Path, runs: int) -> None:
    """Let the project in a folder be one study of so many runs."""
    path = folder / "params.yaml"
    content = yaml.safe_load((bench.ROOT / "presets" / "demo.yaml").read_text(encoding="utf-8"))
    study = content["studies"][STUDY]
    name, arm = next(iter(study["training"]["arms"].items()))
    study["training"]["arms"] = {name: {**(arm or {}), "seeds": list(range(1, runs + 1))}}
    for names_arms in ("ensembles", "chain"):
        study.pop(names_arms, None)
    study.get("submission", {}).pop("arm", None)
    content["studies"], content["pretrained"] = {STUDY: study}, {}
    content["phantoms"] = {STUDY: content["phantoms"][STUDY]}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def call(folder: Path, *command: str) -> Took:
    """Run a program of the environment in a folder."""
    before = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        started = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]], cwd=folder, stdout=output, stderr=output
        )
        _, status, used = os.wait4(started.pid, 0)
        if status:
            output.seek(0)
            sys.exit(output.read()[-3000:])
    seconds = time.perf_counter() - before
    return Took(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def make_stubs() -> None:
    """A file for each that the workflow would make, each recorded as made by its job."""
    from triage_workflow.engines.snakemake_adapter import whole_workflow

    with whole_workflow() as view:
        for job in view.jobs:
            for output in map(Path, job.outputs):
                output.parent.mkdir(parents=True, exist_ok=True)
                listing = output.name == "phantom.csv"
                output.write_text("path,size,sha256\n" if listing else f"{output}\n")
        for phantom in view.provenance.folders.values():
            Path(phantom).mkdir(parents=True, exist_ok=True)
        view.provenance.look_anew()
        for job in view.jobs:
            if job.outputs:
                view.provenance.accept(job)
        view.provenance.settle()


def measure(folder: Path, runs: int) -> dict[str, Took]:
    """What each call takes, with all results still to be made and with all made."""
    study_of(folder, runs)
    found = {"graph, all to make": call(folder, "snakemake", "-n", "--quiet", "all")}
    call(folder, "python", str(Path(__file__)), STUBS)
    found["books, first"] = call(folder, "snakemake", "--cores", "1")
    found["graph, all made"] = call(folder, "snakemake", "-n")
    call(folder, "dvc", "status")
    return found | {"dvc status": call(folder, "dvc", "status")}


def main(arguments: Sequence[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, nargs="+", default=[20, 500, 1000, 2000, 5000])
    counts = options.parse_args(arguments).runs
    rows = []
    for runs in counts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "project")
            subprocess.run(["git", "clone", "-q", str(bench.ROOT), str(folder)], check=True)
            rows.append(measure(folder, runs))
            print(runs, rows[-1], file=sys.stderr)
    names = list(rows[0])
    shown = [
        (name, runs, took.seconds, took.busy, took.memory, _each(took, start, runs - counts[0]))
        for name in names
        for runs, took, start in zip(
            counts, (row[name] for row in rows), [rows[0][name]] * len(rows), strict=True
        )
    ]
    header = ["", "runs", "seconds", "on processors", "MB", "ms a run more than the first"]
    lines = {name: [row[name].busy for row in rows] for name in names}
    bench.plot("dag", counts, lines, "runs", "seconds on processors", "linear")
    bench.report(
        "dag",
        "Building the graph of jobs",
        "One study with many seeds; each run is a training, a prediction and an evaluation. Linear"
        " where the last column is flat. Where all is made, small files stand for results.",
        bench.table(header, shown),
        "![time by runs](results/dag.svg)",
    )


def _each(took: Took, start: Took, more: int) -> float | str:
    return 1000 * (took.busy - start.busy) / more if more else ""


if __name__ == "__main__":
    if sys.argv[1:] == [STUBS]:
        make_stubs()
    else:
        main(sys.argv[1:])
