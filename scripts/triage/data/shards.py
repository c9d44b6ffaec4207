"""Making of image shards: the decoded images of some cases in one array, and their table.

The array is [rows, channels, height, width], a slice a row, in the narrowest dtype that loses
nothing. Smaller images are filled up with zeros at the bottom and the right.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from triage.data import pictures, readers, voxels, workers
from triage.data.fingerprints import fingerprint
from triage.data.readers import BadFile
from triage.data.spool import Place, Spool
from triage.errors import UserError
from triage.files import atomic, read_rows, write_rows

COLUMNS = ["row", "case", "index", "height", "width", "fingerprint", "crc32"]


@dataclass(frozen=True)
class Decoding:
    """How the files of a case become its image.

    size: pictures are scaled to size x size; None keeps their own. mode: ``volume`` as decoded, or
    pictures in ``grey`` or ``rgb``.
    """

    reader: str
    size: int | None
    mode: Literal["volume", "grey", "rgb"]


@dataclass(frozen=True)
class ImagesSettings(Decoding):
    """What the images step reads of ``params.yaml``: ``shards`` is how many files it writes."""

    shards: int


@dataclass(frozen=True)
class _Image:
    """Where a case's slices [n, channels, height, width] lie.

    Checksums are those of the slices, fingerprint is that of the middle one.
    """

    case: str
    slices: Place
    checksums: list[int]
    fingerprint: str


class Task(NamedTuple):
    """A case that is to be decoded: its ``files`` by role, below the folder ``raw``."""

    raw: Path
    case: str
    files: Mapping[str, str]
    settings: Decoding


def make(
    raw: Path,
    manifest: Path,
    shard: int,
    settings: ImagesSettings,
    array: Path,
    table: Path,
    processes: int,
) -> None:
    """Write shard number ``shard``: its ``array`` and its ``table``.

    Memory holds a few decoded images; those of the shard lie on its disk meanwhile, beside it.
    Raises UserError when a file can't be decoded, which means that it changed since it was indexed.
    """
    if settings.mode == "volume" and settings.size is not None:
        raise UserError("is for pictures only", where="size", remedy="volumes need size: null")
    rows = _block(read_rows(manifest), shard, settings.shards)
    tasks = [Task(raw, row["case"], json.loads(row["files"]), settings) for row in rows]
    with Spool.open(array.parent) as spool:
        images: list[_Image] = []
        for result in workers.imap(partial(_load, spool), tasks, processes, crashed):
            if isinstance(result, BadFile):
                raise UserError(
                    f"{result.reason}, though it could be used when it was indexed",
                    where=raw / result.file,
                    remedy="wait until no one writes to the raw folder, then start again",
                )
            images.append(result)
        checksums = _write_array(images, spool.get([image.slices for image in images]), array)
    _write_table(images, checksums, table)


def _block(rows: list[dict[str, str]], shard: int, shards: int) -> list[dict[str, str]]:
    """The ``shard``-th of ``shards`` runs of rows, of equal length but for one."""
    if not 0 <= shard < shards:
        raise UserError(f"shard {shard} is not one of {shards}", where="--shard")
    return rows[len(rows) * shard // shards : len(rows) * (shard + 1) // shards]


def _load(spool: Spool, task: Task) -> _Image | BadFile:
    image = decode(task)
    if isinstance(image, BadFile):
        return image
    middle = fingerprint(image[len(image) // 2])
    return _Image(task.case, spool.put(image), _checksums(image), middle)


def _checksums(slices: np.ndarray) -> list[int]:
    return [zlib.crc32(row) for row in np.ascontiguousarray(slices)]


def decode(task: Task) -> np.ndarray | BadFile:
    """A case's image [slices, channels, height, width], or why it has none."""
    try:
        image = readers.reader(task.settings.reader).load(task.raw, task.files)
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


def crashed(task: Task) -> BadFile:
    """What stands for a case that made the decoder crash."""
    return _bad(task, "can't be decoded: the decoder crashed on it")


def _bad(task: Task, reason: str) -> BadFile:
    return BadFile(next(iter(task.files.values())), reason)


def _write_array(
    images: Sequence[_Image], arrays: Sequence[np.ndarray], target: Path
) -> list[list[int]]:
    """Write the images' arrays, one after another; returns the checksums of each one's rows."""
    kind = voxels.common_dtype(arrays)
    shapes = np.array([array.shape for array in arrays]).reshape(-1, 4)
    channels, height, width = shapes[:, 1:].max(axis=0, initial=0)
    if len(odd := np.flatnonzero(shapes[:, 1] != channels)):
        raise UserError(
            f"has {shapes[odd[0], 1]} channels, others have {channels}",
            where=f"case {images[odd[0]].case}",
        )
    shape = (int(shapes[:, 0].sum()), int(channels), int(height), int(width))
    checksums = []
    with atomic(target) as unfinished, open(unfinished, "wb") as stream:
        header = {"descr": kind.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for image, array in zip(images, arrays, strict=True):
            fitted = _fitted(array, shape[1:], kind)
            checksums.append(image.checksums if fitted is array else _checksums(fitted))
            stream.write(fitted.data)
    return checksums


def _fitted(array: np.ndarray, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    """``array``, its slices filled up to ``shape``, as ``kind``."""
    if array.shape[1:] == shape and array.dtype == kind:
        return array
    fitted = np.zeros((len(array), *shape), dtype=kind)
    fitted[:, :, : array.shape[2], : array.shape[3]] = array
    return fitted


def _write_table(
    images: Sequence[_Image], checksums: Sequence[Sequence[int]], target: Path
) -> None:
    rows: list[dict[str, object]] = []
    for image, of_slices in zip(images, checksums, strict=True):
        count, _, height, width = image.slices.shape
        for index, checksum in enumerate(of_slices):
            rows.append(
                {
                    "row": len(rows),
                    "case": image.case,
                    "index": index,
                    "height": height,
                    "width": width,
                    "fingerprint": image.fingerprint if index == count // 2 else "",
                    "crc32": checksum,
                }
            )
    write_rows(rows, COLUMNS, target, sealed=True)
