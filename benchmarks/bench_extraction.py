"""Volumes to shards, against one float32 ``torch.save`` a slice, as the original cut its data."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

import bench
from triage.data import shards
from triage.data.phantoms import braintriage
from triage.data.shards import ImagesSettings
from triage.files import write_rows

SLICES = 32
ROLES = ("T1", "T2", "T2-FLAIR")
COHORT, WIDE = 1000, 512  # patients, and pixels, that the measured sizes are extrapolated to


def make_raw(folder: Path, patients: int, size: int) -> Path:
    """Phantom scans and their manifest."""
    settings = braintriage.Settings(1, patients, 0, size, SLICES, 0.5)
    raw = folder / "raw"
    braintriage.generate(settings, raw, os.cpu_count() or 1)
    rows = []
    for case in _cases(raw):
        files = {role: f"{case.relative_to(raw)}/{role}.mha" for role in ROLES}
        rows.append({"case": case.name, "files": json.dumps(files)})
    manifest = folder / "manifest.csv"
    write_rows(rows, ["case", "files"], manifest)
    return manifest


def _cases(raw: Path) -> list[Path]:
    return sorted(raw.glob("train/full/*/*"), key=lambda path: path.name)


def ours(folder: Path, manifest: Path, shard: int, of: int, processes: int) -> None:
    settings = ImagesSettings("volumes", None, "volume", of)
    array, table = folder / f"shard-{shard}.npy", folder / f"shard-{shard}.csv"
    shards.make(folder / "raw", manifest, shard, settings, array, table, processes)


def original(folder: Path) -> None:
    target = folder / "slices"
    target.mkdir(exist_ok=True)
    for case in _cases(folder / "raw"):
        scans = [sitk.GetArrayFromImage(sitk.ReadImage(case / f"{role}.mha")) for role in ROLES]
        for number, image in enumerate(np.stack(scans, 1).astype(np.float32)):
            torch.save(torch.from_numpy(image.copy()), target / f"{case.name}_{number}.pt")


class Flushed:
    """Work, and then what it left to be written, which the next would pay for else.

    ``worked`` has the seconds of the work alone, which a user waits for; memory takes the rest.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.worked: list[float] = []

    def __call__(self) -> None:
        started = time.perf_counter()
        self.work()
        self.worked.append(time.perf_counter() - started)
        os.sync()


def cleared(folder: Path) -> None:
    """Nothing of an earlier round is left to be deleted, or to be written, within the next."""
    shutil.rmtree(folder / "slices", ignore_errors=True)
    for path in folder.glob("shard-*"):
        path.unlink()
    os.sync()


def uncompressed(folder: Path) -> None:
    """Write the scans again as they come from most scanners."""
    for path in (folder / "raw").glob("train/full/*/*/*.mha"):
        sitk.WriteImage(sitk.ReadImage(path), path, useCompression=False)


def peak(folder: Path, manifest: Path, of: int) -> float:
    """The most memory, in MB, that the process which makes the first of ``of`` shards takes."""
    process = multiprocessing.get_context("fork").Process(
        target=_report_peak, args=(folder, manifest, of)
    )
    process.start()
    process.join()
    return float((folder / "peak").read_text())


def _report_peak(folder: Path, manifest: Path, of: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours(folder, manifest, 0, of, 1)  # one process that decodes, a child of this one
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    (folder / "peak").write_text(str((after - before) / 1024))


def size_of(folder: Path, pattern: str) -> float:
    return sum(path.stat().st_size for path in folder.glob(pattern)) / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    options.add_argument("--patients", type=int, default=32)
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    rows, minutes, patients = [], {}, arguments.patients
    for size, kind in product(arguments.sizes, ("packed", "plain")):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            manifest = make_raw(folder, patients, size)
            if kind == "plain":
                uncompressed(folder)
            contestants = {
                "one process": Flushed(partial(ours, folder, manifest, 0, 1, 1)),
                "two processes": Flushed(partial(ours, folder, manifest, 0, 1, 2)),
                "original": Flushed(partial(original, folder)),
            }
            times = bench.interleaved(contestants, arguments.rounds, partial(cleared, folder))
            one, two, theirs = times.values()
            _, two_worked, theirs_worked = (
                bench.Times(wall=each.worked) for each in contestants.values()
            )
            ours(folder, manifest, 0, 1, 2)
            original(folder)
            mine, other = size_of(folder, "shard-0.*"), size_of(folder, "slices/*")
            memory = [peak(folder, manifest, of) for of in (1, patients // 2)]
        rows.append(
            (
                f"{size} x {size} x {SLICES}, {kind}",
                one.seconds / patients,
                bench.ratio(theirs, one),
                bench.ratio(theirs, two),
                bench.ratio(theirs_worked, two_worked),
                f"{mine / other:.1%}",
                f"{memory[0]:.0f} / {memory[1]:.0f}",
            )
        )
        scale = COHORT / patients * (WIDE / size) ** 2
        minutes[kind] = two.seconds * scale / 60
        gigabytes, others = mine * scale / 1000, other * scale / 1000
    bench.report(
        "extraction",
        "Extraction: volumes to shards",
        f"Scans of {patients} patients, three sequences each, read, put on one grid, checked and"
        " written with checksums. The original's way: read, and one float32 `torch.save` a slice of"
        " three channels, in one process. All is flushed to disk within the time, but where the"
        " table says otherwise: there the original's files are left to memory, while ours, which"
        " must survive a power cut, are on disk. Files of an earlier round are deleted before."
        " Packed scans are zlib streams, plain ones are not. The more bytes there are, the more"
        " it is the system's writing that both wait for, and it gets half as many from us.",
        bench.table(
            [
                "volume",
                "s/patient",
                "original / one process",
                "original / two processes",
                "the same, but the original's not flushed",
                "bytes of the original's",
                f"MB for a shard of {patients} / of 2",
            ],
            rows,
        ),
        f"By extrapolation from {size} x {size}, {COHORT} patients of {WIDE} x {WIDE} x {SLICES}"
        f" take {minutes['packed']:.1f} minutes with two processes, plain ones"
        f" {minutes['plain']:.1f}, and {gigabytes:.0f} GB; the original's files take"
        f" {others:.0f} GB.",
    )


if __name__ == "__main__":
    main()
