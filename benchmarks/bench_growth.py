"""What one more picture costs, and what decoding each file once saves.

python benchmarks/bench_growth.py [--pictures 4000] [--shards 16] [--raw FOLDER]

In a copy of the workflow with one study of generated pictures, in the layout of class folders, or
of real ones. First all steps of the data run from cold; then one picture is added, and they run
again; after each, `dvc push` sends to a folder what it has to. The alternative to decoding once is
what was done before: to decode each file for the index as well, which is timed alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

import bench
from triage.data import shards, workers
from triage.data.readers import IndexSettings
from triage.data.readers.folders import find

PARTS = ("scripts", "workflow", "dvc.yaml", ".dvcignore", ".gitignore")
CLASSES = ("NORMAL", "PNEUMONIA")
SIDE = 160


def write_picture(path: Path, seed: int) -> None:
    """A smooth picture with some noise, as pictures compress."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 200, (8, 8), np.uint8))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    picture = smooth + random.integers(0, 12, smooth.shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8)).save(path)


def generate(raw: Path, count: int) -> None:
    for i in range(count):
        part = "test" if i % 5 == 0 else "train"
        write_picture(raw / "chest_xray" / part / CLASSES[i % 2] / f"person{i}_a.png", i)


class Study:
    """A copy of the workflow with one study."""

    def __init__(self, folder: Path, raw: Path, count: int) -> None:
        self.folder = folder
        self.remote = folder.parent / "remote"
        folder.mkdir()
        for part in PARTS:
            source = bench.ROOT / part
            copy: Callable[..., object] = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)
        study = {
            "raw": str(raw),
            "classes": list(CLASSES),
            "index": {"reader": "folders", "group": r"^(person\d+|(?:NORMAL2-)?IM-\d+)"},
            "images": {"mode": "grey", "size": 128, "shards": count},
            "training": {"arms": {"resnet18": {"model": {"architecture": "resnet18"}}}},
        }
        params = {"phantoms": {}, "pretrained": {}, "studies": {"own": study}}
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        self.run("dvc", "remote", "add", "--default", "store", str(self.remote))

    def run(self, *command: str) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = bench.usual_environment() | {"PATH": path}
        subprocess.run(command, cwd=self.folder, env=environment, check=True, capture_output=True)

    def prepare(self) -> None:
        self.run("snakemake", "--cores", "2", "own_statistics")

    def pushed(self) -> int:
        """The bytes that `dvc push` sends."""
        before = self._stored()
        self.run("dvc", "push", "--quiet")
        return self._stored() - before

    def _stored(self) -> int:
        return sum(path.stat().st_size for path in self.remote.rglob("*") if path.is_file())


def decode_all(raw: Path) -> None:
    """Decode every file, as an index that looks into them would."""
    paths = sorted(str(path.relative_to(raw)) for path in raw.rglob("*.*") if path.is_file())
    cases, _ = find(raw, paths, IndexSettings("folders", CLASSES))
    how = shards.Decoding(reader="folders", size=128, mode="grey")
    tasks = [shards.Task(raw, case.case, case.files, how) for case in cases]
    for _ in workers.imap(_decode, tasks, 2, _nothing):
        pass


def _decode(task: shards.Task) -> None:
    shards.decode(task)


def _nothing(_: shards.Task) -> None:
    return None


def main(pictures: int, shard_count: int, given: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        if given:
            shutil.copytree(given, raw / "chest_xray")
        else:
            generate(raw, pictures)
        count = sum(path.is_file() for path in raw.rglob("*.*"))
        study = Study(Path(folder, "copy"), raw, shard_count)
        cold = bench.interleaved({"cold": study.prepare}, 1)["cold"]
        again = bench.interleaved({"again": study.prepare}, 1)["again"]
        whole = study.pushed()
        write_picture(raw / "chest_xray/train/NORMAL/person999999_new.png", 999_999)
        added = bench.interleaved({"added": study.prepare}, 1)["added"]
        sent = study.pushed()
        decoding = bench.interleaved({"decoding": lambda: decode_all(raw)}, 1)["decoding"]
    rows = [
        ["all from cold", cold.seconds, cold.processor_seconds, whole / 1e6],
        ["one more picture", added.seconds, added.processor_seconds, sent / 1e6],
        ["nothing new", again.seconds, again.processor_seconds, 0.0],
        ["a second decoding of all, as before", decoding.seconds, decoding.processor_seconds, ""],
    ]
    once = cold.processor_seconds / (cold.processor_seconds + decoding.processor_seconds)
    bench.report(
        "growth",
        "A study that grows",
        f"{count:,} pictures in {shard_count} shards, from raw files to statistics, one run each.",
        bench.table(["", "seconds", "processor seconds", "MB that `dvc push` sends"], rows),
        f"Decoding once takes {once:.2f} of the processor time of decoding twice. One more picture"
        f" takes {added.processor_seconds / cold.processor_seconds:.2f} of the processor time of"
        f" the first run, most of it to start, and sends {sent / whole:.3f} of its bytes.",
    )


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pictures", type=int, default=4000)
    options.add_argument("--shards", type=int, default=16)
    options.add_argument("--raw", type=Path, help="real pictures, in folders of classes")
    given = options.parse_args()
    main(given.pictures, given.shards, given.raw)
