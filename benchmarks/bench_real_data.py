"""The workflow on real images, beside a random forest on small pixels and histograms.

python benchmarks/bench_real_data.py [SET ...] [--data FOLDER] [--work FOLDER]

Runs the workflow itself, with the settings of real_data.yaml. Nothing is chosen on test cases: the
networks of a set's folds each stop on their own validation part, the arm is the best on
validation, and its mean over the folds is judged on the test part once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.stats import norm
from sklearn.ensemble import RandomForestClassifier

import bench
from triage.data.image_store import Images
from triage.evaluation.bootstrap import codes, group_counts
from triage.evaluation.comparison import delong
from triage.evaluation.metrics import Ranking

SETTINGS = Path(__file__).with_name("real_data.yaml")
PARTS = ("scripts", "workflow", "dvc.yaml", ".gitignore", ".dvcignore")
TREES, PIXELS, BINS = 500, 24, 16


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("sets", nargs="*", help="of real_data.yaml; all by default")
    default = os.environ.get("TRIAGE_REAL_DATA", bench.ROOT.parent / "shared" / "data")
    options.add_argument("--data", type=Path, default=Path(default))
    options.add_argument("--work", type=Path, default=bench.ROOT / "scratch" / "real_data")
    arguments = options.parse_args()
    settings = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    names = arguments.sets or [
        name
        for name, study in settings["studies"].items()
        if (arguments.data / study["raw"]).is_dir()
    ]
    if not names:
        sys.exit(f"no real data in {arguments.data}")
    prepare(arguments.work, settings, arguments.data)
    for name in names:
        known = arguments.work / f"{name}.json"
        known.write_text(json.dumps(measure(arguments.work, name)))
    tell(arguments.work, settings)


def tell(work: Path, settings: dict[str, Any]) -> None:
    """Report all sets that have been measured in ``work``."""
    found = {path.stem: json.loads(path.read_text()) for path in work.glob("*.json")}
    rows = [row(name, found[name]) for name in settings["studies"] if name in found]
    header = ("set", "trained on", "tested on", "AUC", "95 %", "forest", "95 %", "higher by")
    bench.report(
        "real_data",
        "Real images",
        "Test AUC of the workflow's chosen arm, the mean of its folds' networks, beside that of a"
        f" random forest ({TREES} trees, {PIXELS} x {PIXELS} pixels and histograms) on the same"
        " cases. Intervals by bootstrap over patients, lesions or cases; p after DeLong. The sets"
        " are small, and the labels of histology are stand-ins: no number here says anything"
        " about a clinic.",
        bench.table((*header, "p", "could tell"), rows),
        "*Could tell*: the smallest difference that so few test cases would show with p below 0.05."
        " Where the forest is ahead by less than that, there are too few to say who is better.",
    )


def prepare(work: Path, settings: dict[str, Any], data: Path) -> None:
    """A copy of the workflow in ``work``, pointed at the real data; what it made is kept."""
    work.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source, target = bench.ROOT / part, work / part
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    for study in settings["studies"].values():
        study["raw"] = str((data / study["raw"]).resolve())
    (work / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


def measure(work: Path, name: str) -> dict[str, Any]:
    """Run a set to its table, and compare its chosen arm with a forest on the test part."""
    started = time.monotonic()
    command = ["snakemake", "--cores", "all", f"results/{name}/table.csv"]
    subprocess.run([Path(sys.executable).with_name(command[0]), *command[1:]], cwd=work, check=True)
    seconds = time.monotonic() - started
    split = rows_of(work / f"data/{name}/split/fold0.csv")
    arm = json.loads((work / f"results/{name}/winner.json").read_text())["arm"]
    test = [each for each in split if each["partition"] == "test"]
    train = [each for each in split if each["partition"] in ("train", "val")]
    positive = settings_of(work, name)["classes"][-1]
    truth = np.array([float(each["label"] == positive) for each in test])
    groups = np.array([each["group"] for each in test])
    predicted = predictions(work, name, arm)
    ours = np.array([predicted[each["case"]] for each in test])
    theirs = forest(work, name, train, test, positive)
    aucs, covariance = delong(truth, np.stack([ours, theirs]), groups)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return {
        "arm": arm,
        "train": len(train),
        "test": len(test),
        "groups": len(set(groups)),
        "seconds": seconds,
        "auc": aucs[0],
        "interval": interval(truth, ours, groups),
        "forest": aucs[1],
        "forest_interval": interval(truth, theirs, groups),
        "error": float(np.sqrt(max(variance, 0.0))),
    }


def row(name: str, found: dict[str, Any]) -> tuple[object, ...]:
    """A set's line of the table."""
    of = f"{found['test']} of {found['groups']} groups"
    ahead = found["auc"] - found["forest"]
    error = found["error"]
    p = 2 * norm.sf(abs(ahead) / error) if error else float("nan")
    return (
        name,
        f"{found['train']:,}",
        of,
        f"{found['auc']:.3f}",
        span(found["interval"]),
        f"{found['forest']:.3f}",
        span(found["forest_interval"]),
        f"{ahead:+.3f}",
        f"{p:.2g}",
        f"{norm.isf(0.025) * error:.3f}",
    )


def span(bounds: list[float]) -> str:
    return f"{bounds[0]:.2f} to {bounds[1]:.2f}"


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def settings_of(work: Path, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((work / "params.yaml").read_text())["studies"][name])


def predictions(work: Path, name: str, arm: str) -> dict[str, float]:
    """Of each test case the mean probability over the arm's runs."""
    found: dict[str, list[float]] = {}
    for path in sorted((work / f"results/{name}/predictions/{arm}").glob("*/test.csv")):
        for each in rows_of(path):
            found.setdefault(each["case"], []).append(float(each["probability"]))
    return {case: float(np.mean(values)) for case, values in found.items()}


def forest(
    work: Path,
    name: str,
    train: list[dict[str, str]],
    test: list[dict[str, str]],
    positive: str,
) -> np.ndarray:
    """The test probabilities of a forest that learned from the training and validation cases."""
    folder = work / f"data/{name}/images"
    images = Images.open(sorted(folder.glob("*.npy")), sorted(folder.glob("*.csv")))
    features = {case: small(images.stack(case)[0]) for case in {e["case"] for e in (*train, *test)}}
    model = RandomForestClassifier(TREES, class_weight="balanced", random_state=1, n_jobs=1)
    inputs = np.stack([features[each["case"]] for each in train])
    model.fit(inputs, [each["label"] == positive for each in train])
    return model.predict_proba(np.stack([features[each["case"]] for each in test]))[:, 1]


def small(image: np.ndarray) -> np.ndarray:
    """Pixels of a picture [channels, height, width] after scaling, and a histogram a channel."""
    from triage.data.pictures import scale

    pixels = scale(image[None], PIXELS).ravel() / 255
    histograms = [np.histogram(each, BINS, (0, 256), density=True)[0] * 16 for each in image]
    return np.concatenate([pixels, *histograms])


def interval(truth: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> list[float]:
    """95 % by bootstrap over groups."""
    of_group = codes(groups)
    number = int(of_group.max()) + 1
    ranking = Ranking(truth.astype(float), scores)
    values = np.concatenate(
        [
            ranking.measure(counts[:, of_group])["roc_auc"]
            for counts in group_counts(number, 2000, seed=1)
        ]
    )
    return [float(each) for each in np.nanpercentile(values, [2.5, 97.5])]


if __name__ == "__main__":
    main()
