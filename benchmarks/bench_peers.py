"""The race with other trainers: same pictures, network, optimizer, batch and validation.

python benchmarks/bench_peers.py [NETWORK ...] [--pictures 1583] [--rounds 3]
python benchmarks/bench_peers.py resnet18 --device cuda --size 224 --precision bfloat16

Needs the extra ``peers`` (pip install ".[peers]"); a contestant whose package is missing is left
out, and named. The pictures are skin lesions of HAM10000 in $TRIAGE_REAL_DATA/full, or generated
ones where there are none.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from triage_workflow.threads import let_threads_wait

import bench
import peers

Found = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("networks", nargs="*", help=", ".join(peers.NETWORKS))
    options.add_argument("--pictures", type=int, default=1583)
    options.add_argument("--size", type=int, default=128)
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--device", default="cpu", help="or cuda, or cuda:1")
    options.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    options.add_argument("--side-by-side", type=int, nargs="+", default=[1, 2], help="runs at once")
    default = os.environ.get("TRIAGE_REAL_DATA", bench.ROOT.parent / "shared" / "data")
    options.add_argument("--data", type=Path, default=Path(default))
    arguments = options.parse_args()
    missing = [name for name, package in peers.PACKAGES.items() if find_spec(package) is None]
    contestants = [name for name in peers.CONTESTANTS if name not in missing]
    let_threads_wait(len(os.sched_getaffinity(0)))
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        paths, labels, kind = pictures(arguments.data, arguments.pictures, Path(folder))
        for network in arguments.networks or peers.NETWORKS:
            for runs in arguments.side_by_side:
                race = peers.Race(
                    network,
                    paths,
                    labels,
                    val=len(paths) // 5,
                    size=arguments.size,
                    batch=arguments.batch,
                    epochs=arguments.epochs,
                    threads=max(1, len(os.sched_getaffinity(0)) // runs),
                    device=arguments.device,
                    precision=arguments.precision,
                )
                rows += table_of(race, contestants, runs, arguments.rounds, Path(folder))
    left_out = f" Not installed, so left out: {', '.join(missing)}." if missing else ""
    header = ["network", "at once", "contestant", "s an epoch", "times ours", "s in all"]
    on = "" if arguments.device == "cpu" else f", on {arguments.device}"
    bench.report(
        f"peers{'' if arguments.device == 'cpu' else '_gpu'}",
        f"Peers: the same training by others{on}",
        f"{len(paths)} {kind}, {arguments.size} pixels, a fifth of them for validation; batches of"
        f" {arguments.batch}, Adam, flips, {arguments.precision} unless it says otherwise; the last"
        f" of {arguments.epochs} epochs counts. Every run is a process of its own; runs at once"
        " share the cores out. `s in all`: from the picture files to the AUC of validation,"
        f" imports left out.{left_out}",
        bench.table([*header, "processor s", "MB", "val AUC"], rows),
    )


def table_of(
    race: peers.Race, contestants: list[str], runs: int, rounds: int, folder: Path
) -> Iterator[tuple[object, ...]]:
    """A row for each contestant; they take turns, in an order that turns from round to round."""
    found: dict[str, list[Found]] = {name: [] for name in contestants}
    for each in range(rounds):
        turn = each % len(contestants)
        for name in contestants[turn:] + contestants[:turn]:
            found[name].append(run(race, name, runs, folder))
    for name, rows in found.items():
        pairs = zip(rows, found["ours"], strict=True)
        ratio = median(other["epoch"] / own["epoch"] for other, own in pairs)
        medians = {key: median(row[key] for row in rows) for key in rows[0]}
        yield (
            race.network, runs, name, medians["epoch"], ratio, medians["seconds"],
            medians["processor_seconds"], medians["memory_mb"], f"{medians['auc']:.3f}",
        )  # fmt: skip


def run(race: peers.Race, name: str, runs: int, folder: Path) -> Found:
    """What so many runs at once took: the slowest one's times, the sum of their memory."""
    settings = folder / "race.json"
    settings.write_text(json.dumps(vars(race)), encoding="utf-8")
    environment = os.environ | {"OMP_NUM_THREADS": str(race.threads)}
    command = [sys.executable, str(bench.HERE / "peers.py"), name, str(settings)]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        for _ in range(runs)
    ]
    ended = []
    for process in started:
        printed, said = process.communicate()
        if process.returncode:
            sys.exit(f"{name}: {said.decode()[-2000:]}")
        ended.append(json.loads(printed.splitlines()[-1]))
    return {
        "epoch": max(each["seconds_of_epochs"][-1] for each in ended),
        "seconds": max(each["seconds"] for each in ended),
        "processor_seconds": sum(each["processor_seconds"] for each in ended),
        "memory_mb": sum(each["memory_mb"] for each in ended),
        "auc": median(each["auc"] for each in ended),
    }


def pictures(data: Path, count: int, folder: Path) -> tuple[list[str], list[int], str]:
    """Paths and labels of so many pictures, in random order, and what they are."""
    table = data / "full" / "ham10000" / "HAM10000_metadata.csv"
    random = np.random.default_rng(0)
    if table.is_file():
        with open(table, encoding="utf-8", newline="") as stream:
            rows = sorted(
                (row["image_id"], int(row["dx"] == "mel")) for row in csv.DictReader(stream)
            )
        there = [(table.parent / "images" / f"{name}.jpg", label) for name, label in rows]
        there = [(path, label) for path, label in there if path.is_file()]
        chosen = [there[i] for i in random.permutation(len(there))[:count]]
        return [str(path) for path, _ in chosen], [label for _, label in chosen], "skin lesions"
    labels = (random.random(count) < 0.3).astype(int).tolist()
    paths = [folder / f"{i:06d}.jpg" for i in range(count)]
    for path, label in zip(paths, labels, strict=True):
        coarse = random.integers(60, 200, (12 + 4 * label, 16 + 4 * label, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((600, 450), Image.Resampling.BICUBIC).save(path, quality=90)
    return [str(path) for path in paths], labels, "generated pictures"


if __name__ == "__main__":
    main()
