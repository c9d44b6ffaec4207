"""Small trainings for tests: the declared recipe with a few keys changed."""

from __future__ import annotations

import copy
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from triage_workflow import forkserver
from triage_workflow.params.declared import defaults

from triage.arguments import call, parser
from triage.data.image_store import Images
from triage.data.reference import Reference
from triage.data.split import PART_COLUMNS, PARTITIONS
from triage.files import write_rows
from triage.settings import convert
from triage.training.loop import Trained, Trainer
from triage.training.samples import FeatureSamples
from triage.training.settings import Recipe
from triage.training.state import Keeper

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
TORCHVISION = SCRIPTS / "triage" / "models" / "vision.py"  # repairs its import
Json = dict[str, Any]


def merged(base: Json, changes: Mapping[str, Any]) -> Json:
    result = copy.deepcopy(base)
    for key, value in changes.items():
        inner = result.get(key)
        is_block = isinstance(value, dict) and isinstance(inner, dict) and key != "options"
        result[key] = merged(inner, value) if is_block else value
    return result


def recipe_block(**changes: Any) -> Json:
    small = {"epochs": 3, "batch_size": 4, "optimizer": {"lr": 0.01}}
    return merged(merged(defaults(Recipe), small), changes)


def recipe(**changes: Any) -> Recipe:
    return convert(Recipe, recipe_block(**changes), "recipe")


class Dense(nn.Module):
    """A network over features: quick, and with batch norm and dropout where asked for."""

    def __init__(self, inputs: int, outputs: int = 1, norm: bool = False, dropout: float = 0.0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(inputs, 8),
            nn.BatchNorm1d(8) if norm else nn.Identity(),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(8, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def dense(inputs: int = 6, seed: int = 0, **options: Any) -> Dense:
    torch.manual_seed(seed)
    return Dense(inputs, **options)


def cohort(count: int = 20, outputs: int = 1, seed: int = 0) -> tuple[Tensor, np.ndarray]:
    """Features [1, count, 2, 3] and targets [count, outputs] that they tell something about."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(1, count, 2, 3)).astype(np.float32)
    targets = (features[0, :, 0, :outputs] + 0.3 * random.normal(size=(count, outputs)) > 0) * 1.0
    targets[:2] = [[0.0] * outputs, [1.0] * outputs]
    return torch.from_numpy(features), targets.astype(np.float32)


def samples(features: Tensor, targets: np.ndarray, names: list[str] | None = None, seed: int = 1):
    names = names or [f"case{i:03d}" for i in range(features.shape[1])]
    return FeatureSamples(features, names, targets, seed)


def fit(
    network: nn.Module,
    folder: Path,
    train: FeatureSamples | None = None,
    val: FeatureSamples | None = None,
    seed: int = 1,
    every: float = 60.0,
    **changes: Any,
) -> Trained:
    """Train on the cohort, or on the samples given."""
    torch.set_num_threads(1)
    train = train or samples(*cohort())
    if val is None and changes.get("select") != {"by": "last"}:
        val = samples(*cohort(seed=1))
    outputs = tuple(f"class{i}" for i in range(train.targets.shape[1]))
    keeper = Keeper(folder / "run.state", every)
    return Trainer(network, train, val, recipe(**changes), seed, outputs, keeper).run()


def write_study(
    folder: Path, cases: int = 24, slices: int = 1, size: int = 16, each: int = 2
) -> Path:
    """Images in the store's format with all that the training scripts read.

    Every second case is abnormal, or every third and so on with another number for ``each``.
    """
    random = np.random.default_rng(0)
    names = [f"case{i:03d}" for i in range(cases)]
    labels = ["normal" if (i + 1) % each else "abnormal" for i in range(cases)]
    parts = ["train"] * (cases // 2) + ["val"] * (cases // 4)
    parts += ["test"] * (cases - len(parts) - 1) + ["unlabelled"]
    images = random.normal(100, 20, (cases, slices, 3, size, size))
    images[each - 1 :: each, :, :, 4:9, 4:9] += 60
    images = images.clip(0, 255).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    half = cases // 2
    for k, chosen in enumerate((slice(0, half), slice(half, cases))):
        _write_shard(folder / f"shard-{k}", names[chosen], images[chosen])
    rows: dict[str, list[Json]] = {}
    for i, (name, part) in enumerate(zip(names, parts, strict=True)):
        label = "" if part == "unlabelled" else labels[i]
        row = {"case": name, "group": name, "label": label, "votes": i % 8, "images": i}
        rows.setdefault(part, []).append(row)
    write_parts(folder, rows)
    train = images[: cases // 2].astype(float)
    statistics = {
        "mean": train.mean((0, 1, 3, 4)).tolist(),
        "std": train.std((0, 1, 3, 4)).tolist(),
    }
    shards = [folder / f"shard-{k}.npy" for k in (0, 1)]
    store = Images.open(shards, [path.with_suffix(".csv") for path in shards])
    statistics["reference"] = asdict(Reference.of(store, names[: cases // 2]))
    (folder / "statistics.json").write_text(json.dumps(statistics))
    return folder


def write_parts(folder: Path, rows: Mapping[str, list[Json]]) -> None:
    """The lists of the parts of a split, of rows that have PART_COLUMNS at least."""
    for part in PARTITIONS:
        own = [{name: row[name] for name in PART_COLUMNS} for row in rows.get(part, [])]
        write_rows(own, PART_COLUMNS, part_list(folder, part))


def part_list(folder: Path, part: str) -> Path:
    return folder / "parts" / part / "fold0.csv"


def _write_shard(stem: Path, names: list[str], images: np.ndarray) -> None:
    slices, _, height, width = images.shape[1:]
    flat = images.reshape(-1, *images.shape[2:])
    np.save(stem.with_suffix(".npy"), flat)
    lines = [
        f"{row},{names[row // slices]},{row % slices},{height},{width},,{zlib.crc32(image)}"
        for row, image in enumerate(flat)
    ]
    _write(stem.with_suffix(".csv"), "row,case,index,height,width,fingerprint,crc32", lines)


def _write(path: Path, header: str, lines: list[str]) -> None:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


SMALL_NETWORK = {
    "architecture": "lesion_cnn",
    "options": {"size": 16, "norm": "batch", "dropout": [0.2, 0.5]},
}


def run_settings(stage: str = "training", sequence: Json | None = None, **changes: Any) -> Json:
    return {
        "study": "demo",
        "stage": stage,
        "arm": "small",
        "fold": 0,
        "seed": 1,
        "classes": ["normal", "abnormal"],
        "task": "binary",
        "images": {"reader": "folders", "size": None, "mode": "rgb"},
        "recipe": recipe_block(**{"model": SMALL_NETWORK} | changes),
        "sequence": sequence,
    }


def arguments(script: str, study: Path, out: Path, settings: Json, *more: object) -> list[str]:
    """The command line of a training script."""
    shards = [f"shard-{k}" for k in (0, 1)]
    options: dict[str, list[object]] = {
        "--settings": [json.dumps(settings)],
        "--code": ["code"],
        "--train": [part_list(study, "train")],
        "--val": [part_list(study, "val")],
        "--arrays": [study / f"{shard}.npy" for shard in shards],
        "--tables": [study / f"{shard}.csv" for shard in shards],
        "--scratch": [out / "scratch"],
        "--checkpoint": [out / "checkpoint.pt"],
        "--history": [out / "history.csv"],
        "--record": [out / "record.json"],
        "--threads": [1],
        "--device": ["cpu"],
    }
    if script == "train.py":
        options["--statistics"] = [study / "statistics.json"]
    flat = [each for name, values in options.items() for each in (name, *values)]
    return [sys.executable, str(ROOT / "scripts" / script), *map(str, flat), *map(str, more)]


def run_here(script: str, words: list[str]) -> None:
    """Run a script in this process, which has imported torch already."""
    spec = importlib.util.spec_from_file_location(Path(script).stem, ROOT / "scripts" / script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where types are looked up by their names
    spec.loader.exec_module(module)
    call(module.main, vars(parser(module.main).parse_args(words)))


def predicted_files(folder: Path) -> list[str]:
    """The outputs of ``predict_cases.py`` as its options."""
    tables = [str(folder / f"{name}.csv") for name in ("val", "test", "unlabelled")]
    return ["--predictions", *tables, "--slices", str(folder / "slices.csv")]


def start(command: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=environment,
    )


@functools.cache
def warm_python() -> str:
    """A Python for scripts that has the large libraries in memory, as the workflow's jobs have."""
    path = os.environ["PATH"]
    forkserver.start(SCRIPTS, ["torch", "pandas", "scipy.optimize"], [TORCHVISION])
    found = shutil.which("python") if os.environ["PATH"] != path else None
    os.environ["PATH"] = path
    return found or sys.executable


def wait_for_state(folder: Path, process: subprocess.Popen[str]) -> None:
    """Until a run has saved its state in ``folder``."""
    end = time.monotonic() + 120
    while not any(folder.glob("[!.]*.state")) and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)


def finish(command: list[str], status: int = 0) -> str:
    """Run to the end, and give what was printed."""
    process = start([warm_python(), *command[1:]])
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == status, printed
    return printed
