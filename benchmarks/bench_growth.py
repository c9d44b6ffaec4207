"""What one more picture costs, and what the data layer costs beside that of another version.

python benchmarks/bench_growth.py --raw FOLDER [--pictures 100000] [--before CHECKOUT]

Of real pictures in folders of classes, copied under other names (with some bytes behind their end)
until there are so many. First index and images run from cold; then one picture is added, and they
run again; after each, `dvc push` sends to a folder what it has to. ``--before``: a checkout of
another version with its environment; then the pictures given, and generated volumes, are prepared
by it and by this one by turns.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import bench
from copies import Copy
from triage.data.phantoms import braintriage

PICTURES = {
    "classes": ["NORMAL", "PNEUMONIA"],
    "index": {"reader": "folders", "group": r"^(person\d+|(?:NORMAL2-)?IM-\d+)"},
    "images": {"mode": "grey", "size": 128},
}
VOLUMES = {
    "classes": ["normal", "abnormal"],
    "index": {"reader": "volumes", "min_slices": 16},
    "images": {"mode": "volume", "size": None},
    "split": {"k": 4, "test": "fold"},
}
TRAINING = {"recipe": {}, "arms": {"resnet18": {"model": {"architecture": "resnet18"}}}}
PATIENTS, SIDE, SLICES = 32, 256, 32  # three sequences each, as large as real ones
STATISTICS = "data/own/statistics/fold0.json"


def pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.jp*g") if path.is_file())


def multiply(given: Path, raw: Path, count: int) -> None:
    """``count`` pictures: those given, again and again, no two with the same bytes."""
    originals = [(path.relative_to(given), path.read_bytes()) for path in pictures_in(given)]
    for i in range(count):
        place, content = originals[i % len(originals)]
        again = i // len(originals)
        path = raw / place.with_name(f"{place.stem}_{again}{place.suffix}" if again else place.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + b"%d" % again if again else content)


def prepare(copies: Iterable[Copy]) -> None:
    """Run the steps of the data in the next of these copies."""
    next(iter(copies)).run("snakemake", "--cores", "2", STATISTICS)


def compared(before: Path, place: Path, raw: Path, study: dict[str, Any], rounds: int) -> list[Any]:
    """Seconds, and processor seconds, of this version and of another one, and their ratio."""
    study = study | {"raw": str(raw), "training": TRAINING}
    versions = {"this": bench.ROOT, "before": before}
    contestants: dict[str, Callable[[], None]] = {}
    for name, source in versions.items():
        copies = [Copy(place / f"{name}-{i}", study, source) for i in range(rounds)]
        contestants[name] = partial(prepare, iter(copies))
    times = bench.interleaved(contestants, rounds)
    shutil.rmtree(place)
    own, other = times["this"], times["before"]
    return [
        *(own.seconds, other.seconds, own.processor_seconds, other.processor_seconds),
        bench.ratio(own, other, "processor"),
    ]


def versus(before: Path, work: Path, given: Path, rounds: int) -> list[str]:
    raw = work / "volumes"
    braintriage.generate(braintriage.Settings(1, PATIENTS, 0, SIDE, SLICES, 0.5), raw, 2)
    rows = [
        [f"{len(pictures_in(given)):,} pictures",
         *compared(before, work / "pictures", given, PICTURES, rounds)],
        [f"{PATIENTS} patients, {SIDE} x {SIDE} x {SLICES} voxels",
         *compared(before, work / "of_volumes", raw, VOLUMES, rounds)],
    ]  # fmt: skip
    shutil.rmtree(raw)
    header = ["", "s", "s before", "processor s", "processor s before", "ratio"]
    return [
        "From raw files to statistics, from cold, beside the version before the index stopped"
        f" decoding; the versions by turns, {rounds} round(s):",
        bench.table(header, rows),
    ]


def growth(work: Path, given: Path, count: int) -> list[str]:
    raw = work / "raw"
    multiply(given, raw, count)
    copy = Copy(work / "copy", PICTURES | {"raw": str(raw), "training": TRAINING})
    copy.measure_steps()
    rows, steps = [], []
    for name in ("all from cold", "nothing new", "one more picture"):
        if name == "one more picture":
            extra = pictures_in(given)[0]
            content = extra.read_bytes() + b"more"
            (
                raw / extra.relative_to(given).with_name(f"person999999_more{extra.suffix}")
            ).write_bytes(content)
        run = partial(copy.run, "snakemake", "--cores", "2", "own_images")
        times = bench.interleaved({name: run}, 1)[name]
        found = copy.measured() if name != "nothing new" else {}
        spent = sum(found[step][0] for step in ("index", "decode_images") if step in found)
        steps.append(spent)
        rows.append([name, times.seconds, times.processor_seconds, spent, copy.pushed() / 1e6])
    shards = (copy.folder / "data/own/shards.txt").read_text().strip()
    header = ["", "s", "processor s", "of index and images", "MB that `dvc push` sends"]
    return [
        f"{count:,} pictures in {shards} shard(s), the number by default:",
        bench.table(header, rows),
        f"One more picture takes {steps[-1] / steps[0]:.3f} of the first run's processor time for"
        f" index and images, and sends {rows[-1][-1] / rows[0][-1]:.3f} of its bytes.",
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--raw", type=Path, required=True, help="real pictures")
    options.add_argument("--pictures", type=int, default=100_000)
    options.add_argument("--before", type=Path, help="a checkout of another version")
    options.add_argument("--rounds", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if given.before:
            told = versus(given.before, Path(folder), given.raw, given.rounds)
            bench.report("preparing", "From raw files to statistics", *told)
        else:
            told = growth(Path(folder), given.raw, given.pictures)
            bench.report("growth", "A study that grows", *told)


if __name__ == "__main__":
    main()
