"""Time to build the graph of jobs, as runs grow: a dry run of a study with many seeds."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

import bench

STUDY = "melanoma"


def dry_run(folder: Path, runs: int) -> float:
    """Seconds on processors that a dry run of ``runs`` runs takes."""
    path = folder / "params.yaml"
    content = yaml.safe_load((bench.ROOT / "presets" / "demo.yaml").read_text(encoding="utf-8"))
    study = content["studies"][STUDY]
    name, arm = next(iter(study["training"]["arms"].items()))
    study["training"]["arms"] = {name: {**(arm or {}), "seeds": list(range(1, runs + 1))}}
    for names_arms in ("ensembles", "chain"):
        study.pop(names_arms, None)
    study.get("submission", {}).pop("arm", None)
    content["studies"] = {STUDY: study}
    content["phantoms"] = {STUDY: content["phantoms"][STUDY]}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    program = [str(Path(sys.executable).parent / "snakemake"), "-n", "--quiet", "all"]
    before = time.perf_counter()
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout[-1500:] + done.stderr[-1500:])
    return time.perf_counter() - before


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, nargs="+", default=[20, 500, 1000, 2000])
    arguments = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "project")
        subprocess.run(["git", "clone", "-q", str(bench.ROOT), str(folder)], check=True)
        dry_run(folder, arguments.runs[0])  # remembers the digests of the code
        for runs in arguments.runs:
            times = bench.interleaved({"dry run": lambda runs=runs: dry_run(folder, runs)}, 1)
            rows.append((runs, times["dry run"].seconds, times["dry run"].processor_seconds))
    start = rows[0][2]
    shown = [
        (runs, wall, busy, 1000 * (busy - start) / (runs - rows[0][0]) if runs > rows[0][0] else "")
        for runs, wall, busy in rows
    ]
    header = ["runs", "seconds", "on processors", "more than the first row, ms/run"]
    seconds = {"dry run": [row[2] for row in rows]}
    unit = "seconds on processors"
    bench.plot("dag", [row[0] for row in rows], seconds, "runs", unit, "linear")
    bench.report(
        "dag",
        "Building the graph of jobs",
        "`snakemake -n` of one study with many seeds; each run is a training, a prediction and an"
        " evaluation. Linear where the last column is flat.",
        bench.table(header, shown),
        "![time by runs](results/dag.svg)",
    )


if __name__ == "__main__":
    main()
