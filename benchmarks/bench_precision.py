"""Whether ``precision: auto`` costs accuracy: the same trainings with it and in float32.

python benchmarks/bench_precision.py [SET ...] [--seeds 3]

Real pictures of $TRIAGE_REAL_DATA/full; a set that is missing is left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch

import bench
import bench_peers
import peers
from triage.training.precision import resolved

PRECISIONS = {"float32": "ours", "auto": "ours, precision: auto"}
# A network, so many pixels a side and so many epochs for each set.
SETS = {"skin lesions": ("resnet18", 64, 6), "chest X-rays": ("cnn5", 128, 6)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("sets", nargs="*", help=", ".join(SETS))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--pictures", type=int, default=1200)
    default = os.environ.get("TRIAGE_REAL_DATA", bench.ROOT.parent / "shared" / "data")
    options.add_argument("--data", type=Path, default=Path(default))
    arguments = options.parse_args()
    rows: list[tuple[object, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.sets or SETS:
            paths, labels = _pictures(name, arguments.data, arguments.pictures)
            network, size, epochs = SETS[name]
            cores = len(os.sched_getaffinity(0))
            races = [
                peers.Race(
                    network, paths, labels, len(paths) // 3, size, 32, epochs, cores, seed=seed
                )
                for seed in range(arguments.seeds)
            ]
            found = {
                precision: [bench_peers.run(race, contestant, 1, Path(folder)) for race in races]
                for precision, contestant in PRECISIONS.items()
            }
            aucs = {key: [each["auc"] for each in runs] for key, runs in found.items()}
            differences = np.subtract(aucs["auto"], aucs["float32"])
            for precision, runs in found.items():
                seconds = mean(each["epoch"] for each in runs)
                each_auc = ", ".join(f"{auc:.3f}" for auc in aucs[precision])
                rows.append((name, network, precision, seconds, each_auc, mean(aucs[precision])))
            told = f"{mean(differences):+.3f} (± {stdev(differences) / len(races) ** 0.5:.3f})"
            rows.append((name, network, "difference, ± its standard error", "", "", told))
    chosen = resolved("auto", torch.device("cpu"))
    bench.report(
        "precision",
        "Precision: what auto costs",
        f"{arguments.pictures} real pictures, a third of them held out; auto is {chosen} on this"
        f" processor. AUC of the held-out pictures after the last epoch, for each seed.",
        bench.table(["set", "network", "precision", "s an epoch", "AUC by seed", "mean"], rows),
    )


def _pictures(name: str, data: Path, count: int) -> tuple[list[str], list[int]]:
    if name == "skin lesions":
        paths, labels, _ = bench_peers.pictures(data, count, data)
        return paths, labels
    there = sorted((data / "full" / "pneumonia").rglob("*.jpeg"))
    chosen = [there[i] for i in np.random.default_rng(0).permutation(len(there))[:count]]
    return [str(path) for path in chosen], [int(p.parent.name == "PNEUMONIA") for p in chosen]


if __name__ == "__main__":
    main()
