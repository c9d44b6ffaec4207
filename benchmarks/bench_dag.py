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


def measure(folder: Path, runs: int, with_dvc: bool) -> dict[str, Took]:
    """What each call takes, with all results still to be made and with all made."""
    study_of(folder, runs)
    found = {"graph, all to make": call(folder, "snakemake", "-n", "--quiet", "all")}
    call(folder, "python", str(Path(__file__)), STUBS)
    found["graph, all made"] = call(folder, "snakemake", "-n")
    if with_dvc:
        found["DVC is told of all files"] = call(folder, "snakemake", "--cores", "1")
        call(folder, "dvc", "status")
        found["dvc status"] = call(folder, "dvc", "status")
    return found


def main(arguments: Sequence[str]) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, nargs="+", default=[20, 500, 1000, 2000])
    options.add_argument("--graphs", type=int, nargs="*", default=[5000], help="without DVC")
    given = options.parse_args(arguments)
    took: dict[str, dict[int, Took]] = {}
    for runs in [*given.runs, *given.graphs]:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "project")
            subprocess.run(["git", "clone", "-q", str(bench.ROOT), str(folder)], check=True)
            for name, each in measure(folder, runs, runs in given.runs).items():
                took.setdefault(name, {})[runs] = each
                print(runs, name, each, file=sys.stderr, flush=True)
    rows = [
        (name, runs, each.seconds, each.busy, each.memory, _more(each, of_name, runs))
        for name, of_name in took.items()
        for runs, each in of_name.items()
    ]
    header = ["", "runs", "seconds", "on processors", "MB", "ms a run more than the first"]
    bench.report(
        "dag",
        "Building the graph of jobs",
        "One study with many seeds; each run is a training, a prediction and an evaluation. Linear"
        " where the last column is flat. Where all is made, small files stand for results.",
        bench.table(header, rows),
    )


def _more(took: Took, of_name: dict[int, Took], runs: int) -> float | str:
    """Milliseconds on processors of a run, beyond what the fewest runs took."""
    fewest = min(of_name)
    return 1000 * (took.busy - of_name[fewest].busy) / (runs - fewest) if runs > fewest else ""


if __name__ == "__main__":
    if sys.argv[1:] == [STUBS]:
        make_stubs()
    else:
        main(sys.argv[1:])
