"""Small trained networks with their raw data, and the command that predicts by them."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training_runs import (
    ROOT,
    arguments,
    finish,
    part_list,
    predicted_files,
    recipe_block,
    write_parts,
)
from triage.data import index, inventory, shards
from triage.data.readers import IndexSettings
from triage.data.shards import ImagesSettings
from triage.data.split import PARTITIONS

CLASSES = ("normal", "abnormal")


@dataclass(frozen=True)
class Trained:
    """A study made from raw files, a checkpoint, and what the workflow predicts with it."""

    raw: Path
    folder: Path
    cases: dict[str, str]  # of its test part, to the file or folder

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    def predicted(self) -> dict[str, float]:
        rows = read(self.folder / "test.csv")
        return {self.cases[row["case"]]: float(row["probability"]) for row in rows}

    def predict(self, *given: Path, status: int = 0) -> tuple[list[dict[str, str]], str]:
        """The rows that the command writes, and what it prints."""
        output = self.folder / "new.csv"
        command = [sys.executable, str(ROOT / "scripts" / "predict.py"), *map(str, given)]
        command += ["--checkpoint", str(self.checkpoint), "--output", str(output), "--threads", "1"]
        printed = finish(command, status)
        return read(output) if output.exists() else [], printed


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def train(raw: Path, reader: str, size: int | None, mode: str, recipe: dict) -> Trained:
    """The steps of the workflow, one after another, on the files in ``raw``."""
    folder = raw.parent
    listing = folder / "inventory.csv"
    inventory.write(raw, listing)
    wanted = IndexSettings(reader, CLASSES, None, 0.5, 1)
    made = index.make(raw, listing, None, wanted)
    own = folder / "shard.csv"
    made.write(*(folder / f"{name}.csv" for name in ("cases", "problems", "withdrawn")), [own])
    array, table = folder / "shard-0.npy", folder / "shard-0.csv"
    decoding = ImagesSettings(reader, size, mode, 1)  # type: ignore[arg-type]
    shards.make(raw, own, decoding, array, table, folder / "bad.csv", 1)
    cases: dict[str, list[dict[str, object]]] = {"train": [], "val": [], "test": []}
    for i, case in enumerate(made.rows()):
        cases[("test", "val", "train", "train", "train")[i // 2 % 5]].append(case | {"images": i})
    write_parts(folder, cases)
    part = {name: part_list(folder, name) for name in PARTITIONS}
    to = ["--statistics", folder / "statistics.json"]
    run("compute_statistics.py", folder, "--train", part["train"], *to)
    settings = {
        **{"study": "demo", "stage": "training", "arm": "small", "fold": 0, "seed": 1},
        **{"classes": CLASSES, "task": "binary", "sequence": None},
        "images": {"reader": reader, "size": size, "mode": mode},
        "recipe": recipe_block(epochs=1, **recipe),
    }
    command = arguments("train.py", folder, folder, settings)
    for option in ("--arrays", "--tables"):
        del command[command.index(option) + 2]
    finish(command)
    outputs: list[object] = [*predicted_files(folder)]
    outputs += [each for name in PARTITIONS[1:] for each in (f"--{name}", part[name])]
    run("predict_cases.py", folder, "--checkpoint", folder / "checkpoint.pt", *outputs)
    files = {str(each["case"]): json.loads(str(each["files"])) for each in made.rows()}
    where = {
        case: next(iter(roles.values())) if len(roles) == 1 else str(Path(roles["T1"]).parent)
        for case, roles in files.items()
    }
    return Trained(raw, folder, {case: str(raw / path) for case, path in where.items()})


def run(script: str, folder: Path, *more: object) -> None:
    paths = ["--arrays", folder / "shard-0.npy", "--tables", folder / "shard-0.csv"]
    command = [sys.executable, str(ROOT / "scripts" / script), *map(str, [*paths, *more])]
    finish([*command, "--threads", "1"])


def face(seed: int) -> np.ndarray:
    """Something round and grey, with a bright spot in every second case."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:40j, -1:1:48j]
    image = 120 * (x**2 + y**2 < random.uniform(0.5, 0.8)) + 30
    image = image + 80 * (seed % 2) * ((x - 0.2) ** 2 + y**2 < 0.05)
    return (image + random.normal(0, 6, image.shape)).clip(0, 255).astype(np.uint8)
