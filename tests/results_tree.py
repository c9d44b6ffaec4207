"""A small tree of data and results in the project's file formats, without any model behind it."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from triage.evaluation.evaluate import EvaluationSettings, evaluate_run
from triage.files import (
    read_rows,
    read_table,
    write_array,
    write_json,
    write_rows,
)

CLASSES = ["normal", "abnormal"]
CHANNELS = ["T1", "T2", "T2-FLAIR"]
ARMS = {"resnet18": 0.7, "lstm": 1.1, "finetuned": 1.3}  # how well each tells the classes apart
SIZE, SLICES = 64, 12
PROJECT = Path(__file__).parent.parent
EXPLORED = (
    *("counts.svg", "cases.png", "intensities.svg", "intensities_apart.png"),
    *("patients.png", "spots.png"),
)
DRAWN = (
    *("curves.svg", "roc.svg", "precision_recall.svg", "reliability.svg", "scores.svg"),
    *("confusion.svg", "seeds.svg", "mistakes.png", "slices.svg"),
)
PICTURES = (*EXPLORED, *DRAWN)


def volume(rng: np.random.Generator, abnormal: bool) -> np.ndarray:
    """Something like a head [slices, channels, height, width], with a bright spot if abnormal."""
    y, x = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    z = np.linspace(-0.8, 0.8, SLICES)[:, None, None]
    head = (x / 0.75) ** 2 + (y / 0.9) ** 2 + z**2 < 1
    brain = (x / 0.6) ** 2 + (y / 0.75) ** 2 + z**2 / 0.8 < 1
    tissue = 300 * head + 250 * brain + 60 * np.sin(9 * x + rng.uniform(0, 6)) * brain
    stack = np.stack([tissue, 0.8 * tissue, 0.6 * tissue], axis=1)
    if abnormal:
        cy, cx, cz = rng.uniform(-0.4, 0.4, 3)
        lesion = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < 0.02
        stack[:, 1:] += 400 * lesion[:, None]
    stack += np.abs(rng.normal(0, 20, stack.shape))
    return stack.astype(np.int16)


def write_data(root: Path, study: str = "braintriage", cases: int = 48, shards: int = 2) -> None:
    """Manifest, quarantine, withdrawn, split, images: ``cases`` labelled cases and 4 others."""
    rng = np.random.default_rng(1)
    folder = root / "data" / study
    manifest, split, stacks = [], [], {}
    for i in range(cases + 4):
        case = f"P{i:03d}"
        label = CLASSES[i % 2] if i < cases else ""
        stacks[case] = volume(rng, label == "abnormal")
        part = "unlabelled" if not label else ("val", "test", "train", "train")[i // 2 % 4]
        manifest.append(
            {
                "case": case,
                "group": case,
                "label": label,
                "votes": "",
                "partition": "",
                "files": json.dumps({name: f"{case}/{name}.mha" for name in CHANNELS}),
                "size": 1000 + i,
                "sha256": f"{i:064x}",
                "age": round(float(rng.uniform(20, 80)), 1),
                "sex": "MF"[i % 2],
            }
        )
        fold = i // 2 % 4 if label else -1
        split.append({"case": case, "group": case, "label": label, "fold": fold, "partition": part})
    write_rows(manifest, list(manifest[0]), folder / "manifest.csv")
    write_rows(split, list(split[0]), folder / "split" / "fold0.csv")
    quarantine = [
        {"file": "train/full/normal/X1/T1.mha", "case": "X1", "reason": "truncated <b>file</b>"}
    ]
    write_rows(quarantine, ["file", "case", "reason"], folder / "quarantine.csv")
    withdrawn = [{"case": "P900", "date": "2024-05-01", "reason": "withdrew consent"}]
    write_rows(withdrawn, ["case", "date", "reason"], folder / "withdrawn.csv")
    write_shards(folder / "images", stacks, shards)


def write_shards(folder: Path, stacks: dict[str, np.ndarray], shards: int) -> None:
    for shard in range(shards):
        rows: list[dict[str, object]] = []
        chosen = list(stacks)[shard::shards]
        array = np.concatenate([stacks[case] for case in chosen])
        for case in chosen:
            for index, (height, width) in enumerate(s.shape[1:] for s in stacks[case]):
                place = {"row": len(rows), "case": case, "index": index}
                checks = {"fingerprint": "", "crc32": zlib.crc32(array[len(rows)])}
                rows.append(place | {"height": height, "width": width} | checks)
        write_array(array, folder / f"shard-{shard}.npy")
        write_rows(rows, list(rows[0]), folder / f"shard-{shard}.csv")


def write_runs(root: Path, study: str = "braintriage", seeds: tuple[int, ...] = (1, 2)) -> None:
    """Histories, records and predictions of every arm and seed on fold 0."""
    split = read_rows(root / "data" / study / "split" / "fold0.csv")
    for number, (arm, strength) in enumerate(ARMS.items()):
        for seed in seeds:
            rng = np.random.default_rng([number, seed])
            run = root / "results" / study / "training" / arm / f"fold0-seed{seed}"
            _write_history(run, rng)
            _write_record(run, study, arm, seed)
            _write_predictions(root, study, arm, seed, split, strength, rng)
            _write_metrics(root, study, arm, seed)
    _write_table(root, study)


def _write_table(root: Path, study: str) -> None:
    results = root / "results" / study
    metrics = sorted((results / "metrics").glob("*/*.json"))
    published = root / "published.csv"
    row = {"study": study, "arm": "lstm", "metric": "accuracy", "split": "val", "value": 0.66}
    row |= {"sd": "", "data": "their own", "source": "a report <em>, page 3", "note": ""}
    write_rows([row], list(row), published)
    options = {
        "study": [study],
        "metrics": metrics,
        "predictions": [results / "predictions" / path.parent.name / path.stem for path in metrics],
        "splits": [root / "data" / study / "split" / "fold0.csv"],
        "published": [published],
        "settings": [json.dumps(asdict(EvaluationSettings(replicates=200)))],
        "data": ["phantoms"],
        "table": [results / "table.csv"],
        "comparison": [results / "comparison.csv"],
        "summary": [results / "metrics.json"],
        "winner": [results / "winner.json"],
    }
    run_script("table.py", options)


def run_script(name: str, options: dict[str, list[Any]]) -> None:
    """Run a script of the project. Fails with what it printed."""
    arguments = [
        text for key, values in options.items() for text in (f"--{key}", *map(str, values))
    ]
    command = [sys.executable, str(PROJECT / "scripts" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def write_all(root: Path, study: str = "braintriage") -> Path:
    """Data, runs, all pictures and the report; the path of the report."""
    write_data(root, study)
    write_runs(root, study)
    write_pictures(root, study)
    return write_report(root, [study])


def write_pictures(root: Path, study: str) -> None:
    data, results = root / "data" / study, root / "results" / study
    images = {
        "arrays": sorted((data / "images").glob("*.npy")),
        "tables": sorted((data / "images").glob("*.csv")),
    }
    settings = {"classes": CLASSES, "cases": 4, "seed": 1}
    explored = images | {
        "settings": [json.dumps(settings)],
        "manifest": [data / "manifest.csv"],
        "split": [data / "split" / "fold0.csv"],
        "figures": [results / "explore" / name for name in EXPLORED],
    }
    run_script("explore.py", explored)
    bootstrap = {"confidence": 0.95, "replicates": 100, "bins": 10, "multilabel": False}
    drawn = images | {
        "settings": [json.dumps(settings | bootstrap)],
        "histories": sorted((results / "training").glob("*/*/history.csv")),
        "metrics": sorted((results / "metrics").glob("*/*.json")),
        "predictions": sorted((results / "predictions").glob("*/*")),
        "slices": sorted((results / "predictions").glob("*/*/slices.csv")),
        "winner": [results / "winner.json"],
        "splits": [data / "split" / "fold0.csv"],
        "figures": [results / "figures" / name for name in DRAWN],
    }
    run_script("figures.py", drawn)


def write_report(root: Path, studies: list[str], phantom: bool = True) -> Path:
    data = [root / "data" / study for study in studies]
    results = [root / "results" / study for study in studies]
    words = PROJECT / "workflow" / "report"
    settings = [
        {"name": study, "classes": CLASSES, "phantom": phantom, "confidence": 0.95}
        for study in studies
    ]
    page = root / "results" / "report.html"
    pictures = [*(f"explore/{name}" for name in EXPLORED), *(f"figures/{name}" for name in DRAWN)]
    options = {
        "settings": [json.dumps({"studies": settings})],
        "manifests": [folder / "manifest.csv" for folder in data],
        "quarantines": [folder / "quarantine.csv" for folder in data],
        "withdrawn": [folder / "withdrawn.csv" for folder in data],
        "splits": [folder / "split" / "fold0.csv" for folder in data],
        "tables": [folder / "table.csv" for folder in results],
        "metrics": [path for each in results for path in sorted(each.glob("metrics/*/*.json"))],
        "records": [path for each in results for path in sorted(each.glob("training/*/*/rec*"))],
        "figures": [folder / name for folder in results for name in pictures],
        "captions": [words / f"{Path(name).stem}.rst" for name in PICTURES],
        "texts": [words / "studies.yaml"],
        "template": [words / "report.html.jinja"],
        "output": [page],
    }
    run_script("report.py", options)
    return page


def _write_metrics(root: Path, study: str, arm: str, seed: int) -> None:
    folder = root / "results" / study / "predictions" / arm / f"fold0-seed{seed}"
    val, test = (read_table(folder / f"{part}.csv") for part in ("val", "test"))
    split = read_table(root / "data" / study / "split" / "fold0.csv")
    content = evaluate_run(val, test, split, EvaluationSettings(replicates=200))
    write_json(content, root / "results" / study / "metrics" / arm / f"fold0-seed{seed}.json")


def _write_history(run: Path, rng: np.random.Generator) -> None:
    epochs = 8
    rows = []
    for epoch in range(1, epochs + 1):
        rows.append(
            {
                "epoch": epoch,
                "rate": 1e-4,
                "loss": 0.7 * np.exp(-0.2 * epoch) + rng.normal(0, 0.01),
                "accuracy": 1 - 0.5 * np.exp(-0.2 * epoch),
                "val_loss": 0.7 * np.exp(-0.1 * epoch) + rng.normal(0, 0.02),
                "val_accuracy": 1 - 0.5 * np.exp(-0.1 * epoch) + rng.normal(0, 0.01),
            }
        )
    write_rows(rows, list(rows[0]), run / "history.csv")


def _write_record(run: Path, study: str, arm: str, seed: int) -> None:
    record = {
        "study": study,
        "arm": arm,
        "fold": 0,
        "seed": seed,
        "settings": {"recipe": {"epochs": 8, "batch": 16, "optimizer": {"name": "adam"}}},
        "code": "0123456789abcdef",
        "commit": "0" * 40,
        "versions": {"python": "3.11", "torch": "2.12"},
        "data": {"manifest": "a" * 64, "split": "b" * 64},
        "seconds": 12.5,
        "hardware": {"device": "cpu", "processor": "x86_64", "threads": 2},
    }
    write_json(record, run / "record.json")


def _write_predictions(
    root: Path,
    study: str,
    arm: str,
    seed: int,
    split: list[dict[str, str]],
    strength: float,
    rng: np.random.Generator,
) -> None:
    folder = root / "results" / study / "predictions" / arm / f"fold0-seed{seed}"
    columns = ["case", "class", "label", "logit", "probability"]
    slices = []
    for part in ("val", "test", "unlabelled"):
        rows = []
        for row in split:
            if row["partition"] != part:
                continue
            truth = {"normal": 0, "abnormal": 1}.get(row["label"], 0)
            logit = float(rng.normal(strength * (2 * truth - 1), 1))
            label = "" if part == "unlabelled" else str(truth)
            probability = 1 / (1 + np.exp(-logit))
            rows.append(
                {
                    "case": row["case"],
                    "class": "abnormal",
                    "label": label,
                    "logit": logit,
                    "probability": probability,
                }
            )
            bump = np.exp(-((np.arange(SLICES) - rng.uniform(3, 9)) ** 2) / 4)
            for index in range(SLICES):
                value = probability * bump[index]
                slices.append(
                    {
                        "case": row["case"],
                        "index": index,
                        "class": "abnormal",
                        "logit": 0.0,
                        "probability": value,
                    }
                )
        write_rows(rows, columns, folder / f"{part}.csv")
    columns = ["case", "index", "class", "logit", "probability"]
    write_rows(slices if arm == "resnet18" else [], columns, folder / "slices.csv")
