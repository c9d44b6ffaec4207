"""A large table indexed, and a new study planned from a folder of many files.

python benchmarks/bench_inputs.py [--rows 1000000] [--files 10000]
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from triage_workflow.planning import plan
from triage_workflow.planning.choices import Choices

import bench
from triage.data import inventory
from triage.data.survey import look
from triage.files import write_rows

COLUMNS = ["image_id", "patient", "dx", "age", "sex", "site", "set"]
SETTINGS = {
    "reader": "table",
    "table": "labels.csv",
    "classes": ["nv", "mel"],
    "task": "binary",
    "group": None,
    "max_quarantined": 0.1,
    "min_slices": 1,
    "columns": {"file": "image_id", "label": "dx", "group": "patient", "partition": "set"},
    "attributes": ["age", "sex", "site"],
}
TARGETS = ("cases", "problems", "files-withdrawn", "shards")


def row(i: int) -> list[object]:
    """Of a table with three pictures a patient."""
    patient = i // 3
    person = [20 + patient % 70, "MF"[patient % 2], f"site{patient % 9}"]
    kind, part = "mel" if i % 10 == 0 else "nv", "train" if patient % 10 else "test"
    return [f"img_{i:07d}", f"p{patient:06d}", kind, *person, part]


def write_table(raw: Path, count: int) -> None:
    rows = (dict(zip(COLUMNS, row(i), strict=True)) for i in range(count))
    write_rows(rows, COLUMNS, raw / "labels.csv")


def index(folder: Path, count: int) -> tuple[float, float]:
    """Seconds and MB that the index of a table takes, whose files are in the inventory alone."""
    raw, listing = folder / "raw", folder / "inventory.csv"
    raw.mkdir()
    write_table(raw, count)
    names = ["labels.csv", *(f"images/{i // 1000:04d}/img_{i:07d}.jpg" for i in range(count))]
    files = ({"path": path, "size": 9, "sha256": f"{i:064x}"} for i, path in enumerate(names))
    write_rows(files, inventory.COLUMNS, listing)
    command = [sys.executable, str(bench.ROOT / "scripts/index.py"), "--raw", str(raw)]
    command += ["--inventory", str(listing), "--settings", json.dumps(SETTINGS)]
    for name in TARGETS:
        command += [f"--{name}", str(folder / f"{name}.csv")]
    started = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def new_study(raw: Path, count: int) -> float:
    """Seconds to look at a folder of pictures and to plan the study of its table."""
    packed = io.BytesIO()
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(picture).save(packed, "JPEG")
    for i in range(count):
        path = raw / f"images/{i % 100:02d}/img_{i:07d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed.getvalue() + bytes(i % 5000))
    write_table(raw, count)
    started = time.perf_counter()
    choices = Choices({"label": "dx", "group": "patient"}, asks=False)
    plan.study(look(raw), "labels.csv", choices, raw, 16e9)
    return time.perf_counter() - started


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--files", type=int, default=10_000)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        seconds, memory = index(Path(place), arguments.rows)
    with tempfile.TemporaryDirectory() as place:
        planned = new_study(Path(place), arguments.files)
    bench.report(
        "inputs",
        "A large table, and a new study of many files",
        bench.table(
            ["what", "s", "MB"],
            [
                (f"the step `index` of a table of {arguments.rows:,} rows", seconds, memory),
                (f"a look at {arguments.files:,} pictures, and the plan of a study", planned, ""),
            ],
        ),
    )


if __name__ == "__main__":
    main()
