"""Making of image shards: the decoded images of some cases in one array, and their table.

The array is [rows, channels, height, width], a slice a row, in the narrowest dtype that loses
nothing. Smaller images are filled up with zeros at the bottom and the right. Each file is decoded
here and nowhere else, so what is wrong with it is written down here too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Le

from triage.command import log
from triage.data import pictures, readers, voxels, workers
from triage.data.fingerprints import fingerprint
from triage.data.kept import Kept, Note, checksums
from triage.data.manifest import PROBLEM_COLUMNS, SHARD_COLUMNS
from triage.data.readers import BadFile, Loading, Problem
from triage.data.spool import Place, Spool
from triage.errors import UserError
from triage.files import atomic, each_row, parse_cell, write_rows
from triage.paths import inside

COLUMNS = ["row", "case", "index", "height", "width", "fingerprint", "crc32"]
_FLUSH = 32 << 20  # bytes
_BATCH = 16  # pictures
_HEADER = 128  # bytes before the values: numpy leaves room for the number of rows to grow


@dataclass(frozen=True)
class Decoding(Loading):
    """How the files of a case become its image."""

    reader: str
    size: Annotated[int, Ge(8), Le(4096)] | None = None
    """Pixels a side that pictures are scaled to; null keeps their size."""
    mode: Literal["volume", "grey", "rgb"] = "volume"
    """Pictures in grey or rgb, or volumes as they are."""


@dataclass(frozen=True)
class ImagesSettings(Decoding):
    """What the images step reads of ``params.yaml``: cases of fewer slices than that are bad."""

    min_slices: int = 1


@dataclass(frozen=True, slots=True)
class _Image:
    """Where a case's slices [n, channels, height, width] lie.

    Range and checksums are those of the slices, fingerprint is that of the middle one.
    """

    case: str
    slices: Place
    range: voxels.Range
    checksums: list[int]
    fingerprint: str


class Task(NamedTuple):
    """A case that is to be decoded: its ``files`` by role, below the folder ``raw``."""

    raw: Path
    case: str
    files: Mapping[str, str]
    settings: Decoding
    kept: Kept | None = None
    """Of these very files, as they were decoded the last time."""


def make(
    raw: Path,
    cases: Path,
    settings: ImagesSettings,
    array: Path,
    table: Path,
    problems: Path,
    processes: int,
    note: Note | None = None,
) -> None:
    """Write the shard of ``cases``: its ``array``, its ``table``, and the ``problems`` of the rest.

    Memory holds a few decoded images at a time. ``note``: of what it held the last time.
    """
    if settings.mode == "volume" and settings.size is not None:
        raise UserError("is for pictures only", where="size", remedy="volumes need size: null")
    kept = note.unchanged(array, cases) if note else {}
    if kept:
        log.info("%d case(s) have not changed, and are taken over", len(kept))
    tasks = (
        Task(raw, row["case"], _files(row), settings, kept.get(row["case"]))
        for row in each_row(cases, "index", SHARD_COLUMNS)
    )
    bad: list[Problem] = []
    with atomic(array) as unfinished, Spool.create(unfinished, _HEADER) as spool:
        work = partial(_load, spool, settings.min_slices)
        # Several processes take turns at the spool: a batch of one would hold up the others.
        batch = _BATCH if processes == 1 and settings.mode != "volume" else 1
        found = workers.imap(work, enumerate(tasks), processes, _crashed, batch)
        images = _finish(list(_flushed(_usable(found, bad, raw), spool)), spool)
    _write_table(images, table)
    write_rows(map(Problem.row, bad), PROBLEM_COLUMNS, problems)
    if note:
        note.write(cases)


def _files(row: dict[str, str]) -> dict[str, str]:
    files = parse_cell(row, "files")
    if not isinstance(files, dict) or not files:
        raise UserError("names no files", where=f"case {row['case']}", remedy="index it again")
    return files


def _usable(found: Iterable[_Image | Problem], bad: list[Problem], raw: Path) -> Iterator[_Image]:
    """The images; what is none is put among the ``bad``."""
    for each in found:
        if isinstance(each, Problem):
            _check_there(raw / each.file)
            bad.append(each)
        else:
            yield each


def _check_there(file: Path) -> None:
    """Raise UserError for a file that was there when it was indexed and no longer is.

    A share that was unmounted meanwhile must not make its files bad for good.
    """
    if not file.exists():
        raise UserError(
            "is not there any more, though it was indexed",
            where=file,
            remedy="make it available again (is the disk mounted?), then start again",
        )


def _flushed(images: Iterable[_Image], spool: Spool) -> Iterator[_Image]:
    """The images; what was written goes to disk while others are decoded, not at the end."""
    flushed = 0
    for image in images:
        if image.slices.end - flushed > _FLUSH:
            spool.flush()
            flushed = image.slices.end
        yield image


def _load(spool: Spool, min_slices: int, numbered: tuple[int, Task]) -> _Image | Problem:
    number, task = numbered
    with spool.turn(number):
        taken = task.kept.image() if task.kept else None
        image = decode(task) if taken is None else taken
        if isinstance(image, BadFile):
            return Problem(image.file, task.case, image.reason)
        if len(image) < min_slices:
            reason = f"has {len(image)} slice(s), fewer than min_slices = {min_slices}"
            return Problem(next(iter(task.files.values())), task.case, reason)
        values = voxels.range_of(image)
        image = np.ascontiguousarray(image, voxels.narrowest(values))
        if taken is not None and task.kept:
            middle = task.kept.fingerprint
        else:
            middle = fingerprint(image[len(image) // 2])
        return _Image(task.case, spool.put(number, image), values, checksums(image), middle)


def _crashed(numbered: tuple[int, Task]) -> Problem:
    task = numbered[1]
    bad = crashed(task)
    return Problem(bad.file, task.case, bad.reason)


def decode(task: Task) -> np.ndarray | BadFile:
    """A case's image [slices, channels, height, width], or why it has none."""
    if outside := [file for file in task.files.values() if not inside(file)]:
        return BadFile(outside[0], "lies outside of the folder of raw files")
    try:
        image = readers.reader(task.settings.reader).load(task.raw, task.files, task.settings)
    except BadFile as error:
        return error
    except Exception as error:  # whatever a damaged file makes a decoder do
        return _bad(task, f"can't be decoded ({type(error).__name__})")
    if task.settings.mode == "grey":
        image = pictures.to_grey(image)
    elif task.settings.mode == "rgb":
        image = pictures.to_rgb(image)
    if task.settings.size is not None:
        image = pictures.scale(image, task.settings.size)
    return image


def fingerprints(raw: Path, cases: Iterable[Mapping[str, str]], settings: Decoding) -> list[str]:
    """Of the middle slice of each case whose files by role can be decoded."""
    tasks = (Task(raw, "", files, settings) for files in cases if files)
    return list(filter(None, workers.imap(_fingerprint, tasks, 1, lambda _: "")))


def _fingerprint(task: Task) -> str:
    image = decode(task)
    return "" if isinstance(image, BadFile) else fingerprint(image[len(image) // 2])


def crashed(task: Task) -> BadFile:
    """What stands for a case that made the decoder crash."""
    return _bad(task, "can't be decoded: the decoder crashed on it")


def _bad(task: Task, reason: str) -> BadFile:
    return BadFile(next(iter(task.files.values())), reason)


def _finish(images: Sequence[_Image], spool: Spool) -> list[_Image]:
    """Bring all images to one dtype and size in the file, and begin it with numpy's header."""
    kind = voxels.narrowest(*(image.range for image in images))
    shapes = np.array([image.slices.shape for image in images]).reshape(-1, 4)
    channels, height, width = map(int, shapes[:, 1:].max(axis=0, initial=0))
    if len(odd := np.flatnonzero(shapes[:, 1] != channels)):
        raise UserError(
            f"has {shapes[odd[0], 1]} channels, others have {channels}",
            where=f"case {images[odd[0]].case}",
        )
    row = (channels, height, width)
    finished = _fit(images, row, kind, spool)
    spool.write(0, _header((int(shapes[:, 0].sum()), *row), kind))
    return finished


def _fit(
    images: Sequence[_Image], row: tuple[int, int, int], kind: np.dtype, spool: Spool
) -> list[_Image]:
    """Fill up the slices of all images to the shape ``row``, as ``kind``.

    No image becomes shorter by that, so that the last is moved first.
    """
    sizes = [image.slices.shape[0] * math.prod(row) * kind.itemsize for image in images]
    offsets = accumulate(sizes, initial=_HEADER)
    fitted = []
    for image, offset in reversed(list(zip(images, offsets, strict=False))):
        place = image.slices
        if (place.offset, place.shape[1:], place.kind) != (offset, row, kind):
            slices = np.zeros((place.shape[0], *row), kind)
            slices[:, :, : place.shape[2], : place.shape[3]] = spool.get(place)
            spool.write(offset, slices.data.cast("B"))
            image = replace(image, checksums=checksums(slices))
        fitted.append(image)
    return fitted[::-1]


def _header(shape: tuple[int, ...], kind: np.dtype) -> bytes:
    """What a ``.npy`` file begins with."""
    stream = io.BytesIO()
    header = {"descr": kind.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    assert stream.tell() == _HEADER
    return stream.getvalue()


def _write_table(images: Sequence[_Image], target: Path) -> None:
    slices = ((image, index) for image in images for index in range(len(image.checksums)))
    rows = (
        {
            "row": row,
            "case": image.case,
            "index": index,
            "height": image.slices.shape[2],
            "width": image.slices.shape[3],
            "fingerprint": image.fingerprint if index == len(image.checksums) // 2 else "",
            "crc32": image.checksums[index],
        }
        for row, (image, index) in enumerate(slices)
    )
    write_rows(rows, COLUMNS, target, sealed=True)
