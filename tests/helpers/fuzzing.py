"""Random damage to tables and images, for a bounded time: `make fuzz`.

A whole file is damaged at random, and a reader has to read it, or refuse it with its own error, in
bounded time and memory. What breaks this is kept under `.fuzz/` and its path is printed. Random
whole files, in turn, have to be read as the field's own readers read them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import random
import resource
import shutil
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.uid import JPEG2000Lossless, RLELossless

import dicom_files
import differential
import picture_sets
import scans
from triage.data.readers import BadFile, IndexSettings, picture_files, reader, volume_files
from triage.errors import UserError

KEPT = Path(__file__).parents[2] / ".fuzz"
SECONDS = 20  # that reading one small file may take, on a busy machine
MEMORY = 2 << 30  # bytes that it may take beyond what is held before
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
CELLS = (
    "", " ", '"', '""', ",", ";", "\t", "\n", "\r", "\r\n", "\0", "\ufeff", "\u2028", "|", "nan",
    "-1", "1e999", "9" * 400, "inf", "../x", "/etc/passwd", "=1+1", "No Finding", "Mass|Mass",
    "HP", "SSA", "train", "060Y", "999Y", "MHIST_aaa.png", "00000001_000.png", "\ud7ff", "é",
    "x" * 140_000,
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """Whole files by the name that they have, and how one is read.

    ``read`` gets the folder and the damaged file in it; what it returns says how that came out. It
    raises AssertionError, or anything, where the reader did not keep its promise.
    """

    seeds: dict[str, bytes]
    damage: Callable[[random.Random, bytes], bytes]
    read: Callable[[Path, str], str]


def damage_bytes(rng: random.Random, content: bytes) -> bytes:
    """Some random damages to any file; the checksums of a PNG are often made to fit again."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        rng.choice((_flip, _set, _cut, _repeat, _insert, _blank))(rng, data)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        return _with_checksums(bytes(data))
    return bytes(data)


def _place(rng: random.Random, data: bytearray) -> int:
    """Half of all places are in the beginning, where headers are."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 400)
    return rng.randrange(end) if end else 0


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _set(rng: random.Random, data: bytearray) -> None:
    place, kind = _place(rng, data), rng.choice(("B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(kind)
    data[place : place + size] = struct.pack(kind, rng.choice(INTERESTING) % (1 << 8 * size))


def _cut(rng: random.Random, data: bytearray) -> None:
    start = _place(rng, data)
    del data[start : start + rng.choice((1, 2, 8, 100, len(data)))]


def _repeat(rng: random.Random, data: bytearray) -> None:
    start = _place(rng, data)
    part = data[start : start + rng.choice((1, 4, 30, 300))]
    data[start:start] = part * rng.choice((1, 2, 50))


def _insert(rng: random.Random, data: bytearray) -> None:
    place = _place(rng, data)
    data[place:place] = rng.randbytes(rng.choice((1, 4, 30)))


def _blank(rng: random.Random, data: bytearray) -> None:
    start, size = _place(rng, data), rng.choice((1, 8, 64))
    data[start : start + size] = bytes(min(size, len(data) - start))


def _with_checksums(content: bytes) -> bytes:
    fitting, at = bytearray(content), 8
    while at + 12 <= len(fitting):
        (size,) = struct.unpack_from(">I", fitting, at)
        end = at + 8 + size
        if end + 4 > len(fitting):
            break
        struct.pack_into(">I", fitting, end, zlib.crc32(fitting[at + 4 : end]))
        at = end + 4
    return bytes(fitting)


def damage_text(rng: random.Random, content: bytes) -> bytes:
    """Some random damages to a table: to its cells, its rows and its bytes."""
    if rng.random() < 0.2:
        return damage_bytes(rng, content)
    rows = [line.split(",") for line in content.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 2, 5))):
        row = rng.choice(rows)
        kind, place = rng.randrange(7), rng.randrange(len(row) + 1)
        if kind == 0 and row:
            row[place % len(row)] = rng.choice(CELLS)
        elif kind == 1 and row:
            row[place % len(row)] += rng.choice(CELLS)
        elif kind == 2:
            row.insert(place, rng.choice(CELLS))
        elif kind == 3 and row:
            del row[place % len(row)]
        elif kind == 4:
            rows.insert(rng.randrange(len(rows)), list(row))
        elif kind == 5 and len(rows) > 1:
            rows.remove(row)
        else:
            other = rng.choice(rows)
            row[place:], other[place:] = other[place:], row[place:]
    text = rng.choice(("\n", "\n", "\r\n", "\r")).join(",".join(row) for row in rows)
    return text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")))


def _refused(is_clear: bool, refusal: Exception) -> str:
    assert is_clear, f"it does not say which file: {refusal}"
    return "refused"


def _pictures() -> dict[str, bytes]:
    """A whole picture of each format and mode."""
    kinds = {
        "grey.png": ("L", "PNG", {}), "colour.png": ("RGB", "PNG", {}),
        "alpha.png": ("RGBA", "PNG", {}), "palette.png": ("P", "PNG", {}),
        "grey.jpeg": ("L", "JPEG", {}), "colour.jpg": ("RGB", "JPEG", {"progressive": True}),
        "cmyk.jpg": ("CMYK", "JPEG", {}), "colour.tif": ("RGB", "TIFF", {}),
        "packed.tif": ("RGB", "TIFF", {"compression": "tiff_lzw"}),
        "deflated.tif": ("L", "TIFF", {"compression": "tiff_deflate"}),
        "colour.bmp": ("RGB", "BMP", {}), "palette.gif": ("P", "GIF", {}),
        "colour.webp": ("RGB", "WEBP", {}), "exact.webp": ("RGBA", "WEBP", {"lossless": True}),
    }  # fmt: skip
    found = {}
    for seed, (name, (mode, kind, options)) in enumerate(kinds.items()):
        stream = io.BytesIO()
        picture_sets.noise(seed, mode).save(stream, kind, **options)
        found[name] = stream.getvalue()
    stream = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 4000, (20, 24)).astype(np.uint16)
    Image.fromarray(values).save(stream, "PNG")
    colours = np.dstack([values, values // 2, values // 4])
    found |= {"deep.png": stream.getvalue(), "deep_colour.png": imagecodecs.png_encode(colours)}
    for name, array, compression in (
        ("deep_colour.tif", colours, None),
        ("deep_packed.tif", values, "lzw"),
        ("fractions.tif", values / 7, "zlib"),
    ):
        stream = io.BytesIO()
        tifffile.imwrite(stream, array, compression=compression)
        found[name] = stream.getvalue()
    return found | {f"{name}.dcm": content for name, content in _slices(values).items()}


def _slices(values: np.ndarray) -> dict[str, bytes]:
    """The same grey slice as DICOM, packed in several ways."""
    found = {}
    for name, syntax in {"plain": None, "rle": RLELossless, "jpeg2000": JPEG2000Lossless}.items():
        data = dicom_files.slice_(0, values, WindowCenter=2000, WindowWidth=1000, RescaleSlope=2)
        if syntax == RLELossless:
            data.compress(syntax, encoding_plugin="pydicom")
        elif syntax:
            packed = imagecodecs.jpeg2k_encode(values, level=0, reversible=True, codecformat="j2k")
            data.PixelData = pydicom.encaps.encapsulate([packed])
            data.file_meta.TransferSyntaxUID = syntax
        stream = io.BytesIO()
        data.save_as(stream, enforce_file_format=True)
        found[name] = stream.getvalue()
    return found


def _volumes() -> dict[str, bytes]:
    """A whole volume of each format, packed and not."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("packed.mha", "plain.mha", "scan.nii", "scan.nii.gz"):
            path = Path(folder, name)
            scans.write(scans.volume(scans.voxels(3)), path, compressed="plain" not in name)
            found[name] = path.read_bytes()
    return found


def _read_series(folder: Path, name: str) -> None:
    """The file as the only slice of a volume."""
    with tempfile.TemporaryDirectory(dir=folder) as series:
        shutil.copy(folder / name, series)
        with contextlib.suppress(BadFile):
            assert len(volume_files.read(folder, Path(series).name).voxels) == 1


def read_image(folder: Path, name: str) -> str:
    """As a step would: through the reader of pictures or of volumes, by the file's name."""
    try:
        if not picture_files.is_picture(name):
            image = volume_files.read(folder, name)
            assert image.voxels.ndim == 3
            assert 0 < image.voxels.size <= volume_files.MAX_VOXELS
            return "read"
        if name.endswith(".dcm"):
            _read_series(folder, name)
        pixels = picture_files.read(folder, name)
    except BadFile as refusal:
        return _refused(name in refusal.file and bool(refusal.reason.strip()), refusal)
    assert pixels.dtype == np.uint8
    assert (pixels.ndim, pixels.shape[0]) == (4, 1)
    assert pixels.shape[1] in (1, 3)
    assert min(pixels.shape[2:]) >= picture_files.MIN_SIDE
    assert pixels.shape[2] * pixels.shape[3] <= picture_files.MAX_PIXELS
    assert pixels.min() < pixels.max()
    return "read"


NAMES = ("MHIST_aaa.png", "MHIST_aab.png", "00000001_000.png", "00000002_000.png")
MHIST = "\n".join(
    [
        picture_sets.MHIST_HEADER,
        "MHIST_aaa.png,HP,1,train",
        "MHIST_aab.png,SSA,6,test",
        "MHIST_aac.png,HP,0,train\n",
    ]
)
NIH = "\n".join(
    [
        picture_sets.NIH_HEADER,
        "00000001_000.png,No Finding,0,1,041Y,M,PA,2500,2048,0.1,0.1",
        "00000002_000.png,Mass|Nodule,0,2,42,F,PA,2500,2048,0.1,0.1",
        "00000003_000.png,Edema,0,3,013M,M,PA,2500,2048,0.1,0.1\n",
    ]
)
LAYOUTS = {
    "annotations.csv": ("annotations", ("HP", "SSA")),
    "Data_Entry_2017.csv": ("nih", ("No Finding", "Finding")),
    "sample_labels.csv": ("nih", ("Edema", "Mass", "Nodule", "No Finding")),
}


def read_table(folder: Path, name: str) -> str:
    """As the index would: the cases of a study whose pictures are there."""
    layout, classes = LAYOUTS[name]
    paths = [name, *(f"images/{each}" for each in NAMES)]
    settings = IndexSettings(layout, classes, None, max_quarantined=0.5, min_slices=1)
    try:
        cases, problems = reader(layout).find(folder, paths, settings)
    except UserError as refusal:
        return _refused(str(folder) in str(refusal), refusal)
    assert len({case.case for case in cases}) == len(cases)
    for case in cases:
        assert set(case.files.values()) <= set(paths[1:])
        assert case.label
        assert set(case.label.split("|")) <= set(classes)
        assert case.group
        assert case.votes in (None, *range(8))
        assert 0 <= float(case.attributes.get("age") or 0) <= 120
    named = {file for case in cases for file in case.files.values()}
    assert named | {problem.file for problem in problems} >= set(paths[1:])
    return "read"


def targets() -> dict[str, Target]:
    tables = {name: (MHIST if name == "annotations.csv" else NIH).encode() for name in LAYOUTS}
    return {
        "tables": Target(tables, damage_text, read_table),
        "images": Target(_pictures() | _volumes(), damage_bytes, read_image),
    }


class Found(Exception):
    """A damage that a reader does not bear, and where the file is kept."""


def fuzz(target: Target, seconds: float, seed: int, count: int = sys.maxsize) -> Counter[str]:
    """How many damaged files were read and how many refused. Raises Found.

    Ends after so many ``seconds`` or files. Each file depends on ``seed`` and its number alone.
    """
    outcomes: Counter[str] = Counter()
    names, end = sorted(target.seeds), time.monotonic() + seconds
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as place:
        while time.monotonic() < end and outcomes.total() < count:
            number = outcomes.total()
            rng = random.Random(f"{seed} {number}")
            name = names[number % len(names)]
            content = target.damage(rng, target.seeds[name])
            Path(place, name).write_bytes(content)
            started = time.monotonic()
            try:
                outcomes[target.read(Path(place), name)] += 1
                took = time.monotonic() - started
                assert took < SECONDS, f"it took {took:.0f} s"
            except Exception as error:
                kept = KEPT / f"{seed}-{number}-{name}"
                kept.write_bytes(content)
                raise Found(f"{kept}: {type(error).__name__}: {error}") from error
    return outcomes


def differ(seconds: float, seed: int) -> dict[str, Counter[str]]:
    """How many whole files of each kind were read as the field's own readers do, or refused.

    First those that packages ship, then random ones. Raises AssertionError with the kind and the
    seed of a file that was read otherwise.
    """
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for library, path, check in differential.shipped(Path(folder)):
            outcomes[f"shipped with {library}"][check(path)] += 1
    end = time.monotonic() + seconds
    for number in itertools.count():
        for kind in differential.MADE:
            if time.monotonic() > end:
                return outcomes
            try:
                outcome = differential.compare(kind, random.Random(f"{seed} {number}"))
            except Exception as error:
                raise AssertionError(f"{kind}, seed {seed} {number}: {error}") from error
            outcomes[f"random {kind}"][outcome] += 1
    return outcomes


def limit_memory() -> None:
    """No damaged file makes a reader ask for much memory: more is refused from now on."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("targets", nargs="*", default=["tables", "images", "formats"])
    options.add_argument("--seconds", type=float, default=60, help="of each target")
    options.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    arguments = options.parse_args()
    known = targets()
    limit_memory()
    for name in arguments.targets:
        if name == "formats":
            for kind, counts in differ(arguments.seconds, arguments.seed).items():
                print(
                    f"formats: {counts.total()} files {kind}: {counts['equal']} were read as by"
                    f" others, {counts['refused']} refused (seed {arguments.seed})"
                )
            continue
        outcomes = fuzz(known[name], arguments.seconds, arguments.seed)
        print(
            f"{name}: {outcomes.total()} damaged files, {outcomes['read']} were read,"
            f" {outcomes['refused']} refused (seed {arguments.seed})"
        )


if __name__ == "__main__":
    main()
