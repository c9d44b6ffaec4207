"""What each part of a recipe is worth, by validation cases alone.

python benchmarks/bench_recipes.py [--data FOLDER] [--work FOLDER]

Runs the arms of recipes.yaml, each of which changes one thing of ``base``, on several public sets
and folds, and compares their validation AUC fold by fold. No test case is looked at.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import fmean, stdev

import yaml

import bench
from bench_real_data import prepare, run

SETTINGS = Path(__file__).with_name("recipes.yaml")
BASE = "base"
Values = dict[str, dict[str, list[float]]]  # of each arm and set, one a fold


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("TRIAGE_REAL_DATA", bench.ROOT.parent / "shared" / "data")
    options.add_argument("--data", type=Path, default=Path(default))
    options.add_argument("--work", type=Path, default=bench.ROOT / "scratch" / "recipes")
    arguments = options.parse_args()
    settings = yaml.safe_load(SETTINGS.read_text(encoding="utf-8"))
    prepare(arguments.work, settings, arguments.data)
    sets = list(settings["studies"])
    run(arguments.work, *sets)
    tell(measured(arguments.work, sets), sets)


def measured(work: Path, sets: list[str]) -> Values:
    """The validation AUCs of all arms that ran."""
    found: Values = {}
    for name in sets:
        for path in sorted((work / "results" / name / "metrics").glob("*/*.json")):
            metrics = json.loads(path.read_text())["partitions"]["val"]["metrics"]
            of_arm = found.setdefault(path.parent.name, {})
            of_arm.setdefault(name, []).append(metrics["roc_auc"]["value"])
    return found


def tell(values: Values, sets: list[str]) -> None:
    """Write the section: the arm's gain over ``base`` in each set, and how sure the mean is."""
    base = values.pop(BASE)
    rows = []
    for arm, of_sets in values.items():
        gains = [
            [100 * (one - other) for one, other in zip(of_sets[name], base[name], strict=True)]
            for name in sets
        ]
        every = [gain for of_set in gains for gain in of_set]
        error = stdev(every) / len(every) ** 0.5
        means = [fmean(of_set) for of_set in gains]
        better = sum(mean > 0 for mean in means)
        rows.append(
            [
                arm,
                *(f"{mean:+.1f}" for mean in means),
                f"{fmean(every):+.1f} ± {error:.1f}",
                f"{better} of {len(sets)}",
            ]
        )
    rows.sort(key=lambda row: -float(row[-2].split()[0]))
    folds = len(base[sets[0]])
    first = ", ".join(f"{name} {fmean(base[name]):.3f}" for name in sets)
    bench.report(
        "recipes",
        "What the parts of a recipe are worth",
        f"Each arm changes one thing of `base` (benchmarks/recipes.yaml), on {len(sets)} small"
        f" public sets at 64 pixels, in {folds} folds each. Validation AUC of `base`: {first}. The"
        " table has the gain over it in hundredths, fold against fold: the mean of each set, then"
        " of all with its standard error, and in how many sets it is above 0. No test case was"
        " looked at; an arm named `no_...` shows what its part brings by being worse.",
        bench.table(("arm", *sets, "mean", "better in"), rows),
    )


if __name__ == "__main__":
    main()
