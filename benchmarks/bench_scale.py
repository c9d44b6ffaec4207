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


def measure(work: Path, count: int) -> dict[str, tuple[float, float]]:
    """Of each step the seconds on processors and the most memory of a process in MB."""
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
        known.write_text(json.dumps(copy.measured()))
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


def row_of(step: str, counts: list[int], of: list[dict[str, tuple[float, float]]]) -> list[Any]:
    """Milliseconds a picture at each count, seconds at the last; then MB, and KB a picture."""
    seconds, memory = zip(*(each.get(step, (0.0, 0.0)) for each in of), strict=True)
    costs = [1e3 * spent / count for spent, count in zip(seconds, counts, strict=True)]
    more = 1e3 * (memory[-1] - memory[0]) / (counts[-1] - counts[0]) if len(counts) > 1 else 0.0
    return [STEPS.get(step, step), *costs, seconds[-1], *memory, more]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--work", type=Path, default=bench.ROOT / "scratch" / "scale")
    arguments = options.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    counts = arguments.counts
    found = [measure(arguments.work, count) for count in counts]
    rows = [row_of(step, counts, found) for step in STEPS if any(step in each for each in found)]
    total = [
        1e3 * sum(busy for busy, _ in each.values()) / n
        for each, n in zip(found, counts, strict=True)
    ]
    bench.report(
        "scale",
        "Scale: cost of a picture as a study grows",
        f"The whole workflow on grey pictures of {SIZE} pixels in {SHARDS} shards, each step a"
        " process of its own with one thread. Milliseconds on a processor for each picture, from"
        f" {counts[0]:,} to {counts[-1]:,} pictures; the most memory of a process, MB, and what"
        " each further picture adds, KB.",
        bench.table(
            [
                "step",
                *(f"ms at {count:,}" for count in counts),
                f"s at {counts[-1]:,}",
                *(f"MB at {count:,}" for count in counts),
                "KB a picture",
            ],
            rows,
        ),
        f"All steps: {', '.join(f'{each:.3f}' for each in total)} ms a picture; with"
        f" {counts[-1]:,} pictures {total[-1] / total[0]:.2f} of that with {counts[0]:,}.",
    )


if __name__ == "__main__":
    main()
