"""Two hospitals, each with a folder and a table of its own: one trains, the other one tests."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("nevus", "melanoma", "keratosis")


def picture(seed: int, label: int, brightness: int = 0) -> np.ndarray:
    """Noise, with a square whose place tells the class."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 120, (6, 6), np.uint8)
    found = np.asarray(Image.fromarray(small).resize((32, 32))).copy()
    found[4 + 8 * label : 12 + 8 * label, 8:16] += 80
    return np.clip(found.astype(int) + brightness, 0, 255).astype(np.uint8)


def write(folder: Path, name: str, image: np.ndarray) -> None:
    path = folder / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write_table(path: Path, rows: list[dict[str, object]], separator: str = ",") -> None:
    with open(path, "w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]), delimiter=separator)
        table.writeheader()
        table.writerows(rows)


def hospital_a(folder: Path, each: int = 16, classes: int = 2) -> None:
    """``each`` cases of every class at three sites, with a table labels.csv."""
    rows: list[dict[str, object]] = []
    for label in range(classes):
        for i in range(each):
            name = f"a{label}_{i}.png"
            write(folder, name, picture(1000 * label + i, label))
            site = ("north", "south", "west")[i % 3]
            part = "test" if i % 4 == 3 else "train"
            row = {"file": name, "dx": CLASSES[label], "patient": f"p{label}_{i}"}
            rows.append(row | {"site": site, "part": part})
    write_table(folder / "labels.csv", rows)


def hospital_b(folder: Path, each: int = 8, classes: int = 2) -> None:
    """Brighter pictures, with other columns and words in a table of semicolons.

    The first is a copy of one that hospital A trains on, the second nearly one.
    """
    rows: list[dict[str, object]] = []
    for label in range(classes):
        for i in range(each):
            name = f"b{label}_{i}.png"
            write(folder, name, picture(7000 + 1000 * label + i, label, 40))
            rows.append({"bild": name, "diagnose": CLASSES[label][:3], "person": f"q{label}_{i}"})
    for number, name in enumerate(("copy.png", "near.png")):
        image = picture(number, 0)
        write(folder, name, image if name == "copy.png" else np.minimum(image + 1, 255))
        rows.append({"bild": name, "diagnose": "nev", "person": f"q{name}"})
    write_table(folder / "befunde.csv", rows, ";")


def index(classes: int = 2) -> dict[str, Any]:
    """How hospital A's files are read."""
    columns = {"file": "file", "label": "dx", "group": "patient", "partition": "part"}
    return {"reader": "table", "table": "labels.csv", "columns": columns, "attributes": ["site"]}


def other_index(classes: int = 2) -> dict[str, Any]:
    """What differs at hospital B."""
    words = {name[:3]: name for name in CLASSES[:classes]}
    columns = {"file": "bild", "label": "diagnose", "group": "person"}
    return {"table": "befunde.csv", "columns": columns, "values": words, "attributes": []}


def settings(folder: Path, classes: int = 2) -> dict[str, Any]:
    """params.yaml of a study that trains at hospital A and tests at B as well."""
    network = {"architecture": "lesion_cnn", "options": {"size": 32}}
    study = {
        "raw": str(folder / "a"),
        "task": "binary" if classes == 2 else "multiclass",
        "classes": list(CLASSES[:classes]),
        "index": index(),
        "images": {"mode": "grey", "size": 32},
        "split": {"k": 3},
        "training": {
            "recipe": {
                "epochs": 2,
                "batch_size": 8,
                "optimizer": {"lr": 1.0e-2},
                "model": network,
            },
            "arms": {"small": {}, "normed": {"model": {"options": {"norm": "batch"}}}},
        },
        "ensembles": {"both": ["small", "normed"]},
        "evaluation": {"replicates": 100},
        "external": {"hospital_b": {"raw": str(folder / "b"), "index": other_index(classes)}},
    }
    return {"phantoms": {}, "pretrained": {}, "studies": {"lesions": study}}
