"""Cost of an image from 1,000 to 100,000 pictures: index, images, split, an epoch, evaluation."""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from triage_workflow.params import Params
from triage_workflow.steps import Steps

import bench
from triage.data import inventory
from triage.files import read_rows, write_rows

SIZE = 16  # pixels; what is measured is the cost of an image beside that of its pixels
SHARDS = 4
STUDY = "pneumonia"
PARAMS = Params.read(bench.ROOT / "presets" / "demo.yaml")
ARRAYS = " ".join(f"shard-{i}.npy" for i in range(SHARDS))
TABLES = " ".join(f"shard-{i}.csv" for i in range(SHARDS))
LISTS = " ".join(f"cases-{i}.csv" for i in range(SHARDS))
PROBLEMS = " ".join(f"problems-{i}.csv" for i in range(SHARDS))
PARTS = " ".join(f"parts/{name}/fold0.csv" for name in ("train", "val", "test", "unlabelled"))
LINES = {
    "index": [
        "index.py --raw raw --inventory inventory.csv --withdrawn withdrawn.csv"
        f" --cases cases.csv --problems problems.csv --shards {LISTS} --settings SETTINGS"
        " --files-withdrawn files_withdrawn.csv"
    ],
    "images": [
        f"decode_images.py --raw raw --cases cases-{i}.csv --settings SETTINGS"
        f" --array shard-{i}.npy --table shard-{i}.csv --problems problems-{i}.csv"
        for i in range(SHARDS)
    ],
    "manifest": [
        f"write_manifest.py --cases cases.csv --problems problems.csv {PROBLEMS} --raw raw"
        " --settings SETTINGS --manifest manifest.csv --quarantine quarantine.csv"
        " --inventory inventory.csv --withdrawn files_withdrawn.csv --counts counts.csv"
    ],
    "groups": [
        f"assign_folds.py --manifest manifest.csv --tables {TABLES} --settings SETTINGS"
        " --groups groups.csv --folds folds.csv --raw raw --withdrawn files_withdrawn.csv"
    ],
    "split": [
        "split.py --groups groups.csv --fold 0 --settings SETTINGS"
        f" --split split.csv --parts {PARTS}"
    ],
    "statistics": [
        f"compute_statistics.py --train parts/train/fold0.csv --arrays {ARRAYS} --tables {TABLES}"
        " --statistics statistics.json"
    ],
    "an epoch": [
        "train.py --settings SETTINGS --code none"
        " --train parts/train/fold0.csv --val parts/val/fold0.csv"
        f" --statistics statistics.json --arrays {ARRAYS} --tables {TABLES} --scratch scratch"
        " --checkpoint c.pt --history h.csv --record r.json"
    ],
    "evaluation": [
        f"evaluate.py --val val.csv --test test.csv --parts {PARTS} --settings SETTINGS"
        " --metrics metrics.json"
    ],
}
# Run by a small process: one that was started by a large one is said to have been as large.
MEASURE = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


def write_pictures(raw: Path, count: int) -> None:
    """Random grey pictures in the layout of the study, a patient each."""
    random = np.random.default_rng(0)
    for i in range(count):
        part = "test" if i % 10 == 0 else "train"
        kind = ("NORMAL", "PNEUMONIA")[i // 10 % 2]
        folder = raw / "chest_xray" / part / kind
        if i < 40:
            folder.mkdir(parents=True, exist_ok=True)
        name = f"IM-{i:06d}-0001" if kind == "NORMAL" else f"person{i}_bacteria_{i}"
        Image.fromarray(random.integers(0, 256, (SIZE, SIZE), np.uint8)).save(
            folder / f"{name}.png"
        )


class Study:
    """The steps of a study of so many pictures, run as the workflow runs them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.block = PARAMS.study(STUDY)
        write_pictures(folder / "raw", count)
        inventory.write(folder / "raw", folder / "inventory.csv")
        write_rows([], ["case", "date", "reason"], folder / "withdrawn.csv")

    def commands(self) -> dict[str, list[list[str]]]:
        """For each step its scripts' command lines."""
        steps, study = Steps(PARAMS), STUDY
        read = {
            "index": steps.index(study).settings,
            "images": steps.decode_images(study).settings | {"size": SIZE},
            "manifest": steps.write_manifest(study).settings,
            "groups": steps.assign_folds(study).settings,
            "split": steps.split(study).settings,
            "an epoch": self._training(),
            "evaluation": steps.evaluate(study).settings,
        }
        settings = {step: json.dumps(each) for step, each in read.items()}
        return {
            step: [
                [settings[step] if word == "SETTINGS" else word for word in line.split()]
                for line in lines
            ]
            for step, lines in LINES.items()
        }

    def _training(self) -> dict[str, Any]:
        run = next(iter(PARAMS.runs(STUDY)))
        settings = copy.deepcopy(Steps(PARAMS).train(run).settings)
        settings["images"]["size"] = SIZE
        settings["recipe"] |= {"epochs": 1, "batch_size": 256}
        settings["recipe"]["input"]["resize"] = None
        settings["recipe"]["model"] = {
            "architecture": "fcnn", "options": {"size": SIZE}, "pretrained": "none"
        }  # fmt: skip
        return settings

    def predict(self) -> None:
        """Predictions by chance: evaluation does not care."""
        random = np.random.default_rng(0)
        positive = self.block["classes"][1]
        for partition in ("val", "test"):
            rows = [
                {
                    "case": row["case"],
                    "class": positive,
                    "label": int(row["label"] == positive),
                    "logit": f"{logit:.5f}",
                    "probability": f"{1 / (1 + np.exp(-logit)):.7f}",
                }
                for row in read_rows(self.folder / "split.csv")
                if row["partition"] == partition
                for logit in [random.normal()]
            ]
            columns = ["case", "class", "label", "logit", "probability"]
            write_rows(rows, columns, self.folder / f"{partition}.csv")

    def run(self, commands: Sequence[list[str]]) -> tuple[float, float]:
        """Seconds on processors, and the most memory of a process in MB."""
        before, memory = os.times(), 0.0
        for command in commands:
            memory = max(memory, _run(self.folder, command))
        after = os.times()
        return sum(after[2:4]) - sum(before[2:4]), memory


def _run(folder: Path, command: list[str]) -> float:
    """Run a script; the most memory that it took, in MB."""
    script = str(bench.ROOT / "scripts" / command[0])
    program = [sys.executable, script, *command[1:], "--threads", "1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURE, *program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return int(done.stdout) / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    arguments = options.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as place:
            study = Study(Path(place), count)
            for step, commands in study.commands().items():
                if step == "evaluation":
                    study.predict()
                found.setdefault(step, []).append(study.run(commands))
    counts = arguments.counts
    seconds = {step: [busy for busy, _ in all] for step, all in found.items()}
    memory = {step: [most for _, most in all] for step, all in found.items()}
    bench.plot("scale-time", counts, seconds, "images", "seconds on a processor")
    bench.plot("scale-memory", counts, memory, "images", "MB")
    header = ["step", *(f"{a:,} to {b:,}" for a, b in pairwise(counts)), f"s at {counts[-1]:,}"]
    rows = [
        (
            step,
            *(
                1e3 * (t - s) / (b - a)
                for (a, s), (b, t) in pairwise(zip(counts, all, strict=True))
            ),
            all[-1],
        )
        for step, all in seconds.items()
    ]
    bench.report(
        "scale",
        "Scale: cost of an image as a study grows",
        f"Grey pictures of {SIZE} pixels in {SHARDS} shards, each step a process of its own as in"
        " the workflow, one thread. Milliseconds on a processor that each further image costs:",
        bench.table(header, rows),
        "Most memory of a process, MB, and what each further image adds, KB. Tables of cases"
        " are held in memory; pixels are not, but for those that a training keeps resident.",
        bench.table(
            ["step", *(f"{count:,}" for count in counts), "KB an image"],
            [
                (step, *all, 1e3 * (all[-1] - all[0]) / (counts[-1] - counts[0]))
                for step, all in memory.items()
            ],
        ),
        "![time](results/scale-time.svg) ![memory](results/scale-memory.svg)",
    )


if __name__ == "__main__":
    main()
