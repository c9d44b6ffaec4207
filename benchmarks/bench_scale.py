"""Cost of a picture as a study grows: the whole workflow, from raw files to the report.

python benchmarks/bench_scale.py [--counts 10000 100000 1000000] [--work FOLDER]

What was measured is kept in the folder, so that a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import bench
from copies import Copy

SIZE = 16  # pixels; what is measured is the cost of a picture beside that of its pixels
SHARDS = 8
STUDY = {
    "classes": ["NORMAL", "PNEUMONIA"],
    "index": {"reader": "folders", "group": r"^(person\d+|IM-\d+)"},
    "images": {"mode": "grey", "size": SIZE, "shards": SHARDS},
    "training": {
        "recipe": {"epochs": 1, "batch_size": 256, "input": {"resize": 32}},
        "arms": {"fcnn": {"model": {"architecture": "fcnn", "options": {"size": 32}}}},
    },
}
Spent = tuple[float, float]  # seconds on processors, and the most memory of a process in MB
STEPS = {
    "inventory": "inventory", "index": "index", "decode_images": "images",
    "write_manifest": "manifest", "assign_folds": "groups", "split": "split",
    "compute_statistics": "statistics", "train": "an epoch", "predict_cases": "predictions",
    "evaluate": "evaluation", "compare": "table", "write_submission": "submission",
    "explore": "pictures of the data", "draw_figures": "pictures of results",
    "explain": "heat maps", "write_card": "card", "report": "report",
}  # fmt: skip
INVENTORY = """
import sys
from pathlib import Path
from triage.data import inventory
inventory.refresh(*map(Path, sys.argv[1:]))
"""


def write_pictures(raw: Path, count: int) -> None:
    """Random grey pictures in the layout of the study, a patient each."""
    random = np.random.default_rng(0)
    for kind in ("NORMAL", "PNEUMONIA"):
        for part in ("train", "test"):
            (raw / "chest_xray" / part / kind).mkdir(parents=True)
    for i in range(count):
        part = "test" if i % 10 == 0 else "train"
        kind, name = ("PNEUMONIA", "person{}_a") if i // 10 % 2 else ("NORMAL", "IM-{}-0001")
        path = raw / "chest_xray" / part / kind / f"{name.format(i)}.png"
        path.write_bytes(_png(random.integers(0, 256, (SIZE, SIZE), np.uint8)))


def _png(pixels: np.ndarray) -> bytes:
    """A grey picture of 8 bits, by hand: a million take a minute."""
    header = struct.pack(">IIBBBBB", *pixels.shape[::-1], 8, 0, 0, 0, 0)
    rows = np.pad(pixels, ((0, 0), (1, 0))).tobytes()
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def measure(work: Path, count: int) -> dict[str, Spent]:
    """Of each step what it took; and the size of the page, in MB."""
    folder, raw = work / f"copy-{count}", work / f"raw-{count}"
    if not (work / f"written-{count}").exists():
        shutil.rmtree(raw, ignore_errors=True)
        write_pictures(raw, count)
        (work / f"written-{count}").touch()
    if not folder.exists():
        prepare(folder, raw)
    known = work / f"measured-{count}.json"
    if not known.exists():
        copy = Copy.at(folder)
        copy.run("snakemake", "--cores", "1")
        page = (folder / "results/report.html").stat().st_size / 1e6
        known.write_text(json.dumps(copy.measured() | {"page": (0.0, page)}))
    return {step: (each[0], each[1]) for step, each in json.loads(known.read_text()).items()}


def prepare(folder: Path, raw: Path) -> None:
    """A copy of the workflow whose scripts are measured, with an inventory of the raw files."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    copy = Copy(part, STUDY | {"raw": str(raw)})
    copy.measure_steps()
    made = copy.folder
    (made / "scripts/inventory.py").write_text(INVENTORY)
    (made / ".snakemake/engines").mkdir(parents=True)
    where = ["data/own/inventory.csv", ".snakemake/engines/data-own-inventory.csv.json"]
    command = ["-I", "-S", "measure.py", "scripts/inventory.py", str(raw), *where]
    subprocess.run([sys.executable, *command], cwd=made, check=True)
    (made / "scripts/inventory.py").unlink()
    made.rename(folder)


def row_of(name: str, counts: Sequence[int], measured: Sequence[Spent]) -> list[Any]:
    """What each further picture costs from count to count, ms; s at the last; MB; KB a picture."""
    pairs = list(pairwise(zip(counts, measured, strict=True)))
    further = [1e3 * (after[0] - before[0]) / (b - a) for (a, before), (b, after) in pairs]
    kept = max(
        (1e3 * (after[1] - before[1]) / (b - a) for (a, before), (b, after) in pairs), default=0.0
    )
    return [name, *further, measured[-1][0], *(memory for _, memory in measured), kept]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--work", type=Path, default=bench.ROOT / "scratch" / "scale")
    arguments = options.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    counts = arguments.counts
    found = [measure(arguments.work, count) for count in counts]
    pages = [each.pop("page")[1] for each in found]
    steps = [step for step in STEPS if all(step in each for each in found)]
    rows = [row_of(STEPS[step], counts, [each[step] for each in found]) for step in steps]
    whole = [
        (sum(busy for busy, _ in each.values()), max(most for _, most in each.values()))
        for each in found
    ]
    costs = [1e3 * busy / count for (busy, _), count in zip(whole, counts, strict=True)]
    bench.report(
        "scale",
        "Scale: cost of a picture as a study grows",
        f"The whole workflow on grey pictures of {SIZE} pixels in {SHARDS} shards, each step a"
        " process of its own with one thread. What each further picture costs, milliseconds on a"
        " processor; seconds of the step; the most memory of a process, MB; and what a further"
        " picture adds to it at most, KB.",
        bench.table(
            [
                "step",
                *(f"ms, {a:,} to {b:,}" for a, b in pairwise(counts)),
                f"s at {counts[-1]:,}",
                *(f"MB at {count:,}" for count in counts),
                "KB a picture",
            ],
            [*rows, row_of("all", counts, whole)],
        ),
        "All steps, with what they take to start: "
        + ", ".join(
            f"{cost:.2f} ms a picture of {n:,}" for cost, n in zip(costs, counts, strict=True)
        )
        + f"; the last is {costs[-1] / costs[0]:.2f} of the first. The report has "
        + ", ".join(f"{size:.2f} MB" for size in pages)
        + ".",
    )


if __name__ == "__main__":
    main()
