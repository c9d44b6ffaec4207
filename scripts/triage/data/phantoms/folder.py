"""Writing a folder of phantoms: in parallel, each file marked, never among real data."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image, PngImagePlugin
from threadpoolctl import threadpool_limits

from triage.errors import UserError
from triage.files import atomic, write_text

MARK = "generated phantom, not a patient"

T = TypeVar("T")


def write(
    folder: Path,
    draw: Callable[[T], Image.Image],
    pictures: Mapping[str, T],
    tables: Mapping[str, Sequence[str]],
    workers: int,
) -> None:
    """Make ``folder`` hold ``pictures`` (path -> what ``draw`` draws it from), and ``tables`` (path
    -> lines): the same bytes for any number of ``workers``.

    Phantoms of an earlier run that are not among them are removed. Raises UserError where the
    folder holds anything else, so that patients' data is never lost.
    """
    clear(folder, {folder / path for path in pictures}, {folder / path for path in tables})
    tasks = [(folder / path, draw, item) for path, item in pictures.items()]
    each(_write_picture, tasks, workers)
    for path, lines in tables.items():
        write_text("\n".join([*lines, ""]), folder / path)


def clear(folder: Path, wanted: Set[Path], tables: Set[Path] = frozenset()) -> None:
    """Remove the marked files of ``folder`` that are not ``wanted``, and folders left empty.

    Raises UserError, and removes nothing, where the folder holds any other file but ``tables``.
    """
    present = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    present = [path for path in present if not path.name.startswith(".") or ".part" in path.name]
    marked = {path for path in present if _is_marked(path)}
    known = marked | (tables if marked else set())
    for path in present:
        if path not in known:
            raise UserError(
                "is not a phantom; phantoms are not written among real data",
                where=path,
                remedy="give the phantoms a folder of their own",
            )
    for path in marked - wanted:
        path.unlink()
        for parent in path.relative_to(folder).parents[:-1]:
            if not any((folder / parent).iterdir()):
                (folder / parent).rmdir()


def each(function: Callable[..., None], tasks: Sequence[tuple[Any, ...]], workers: int) -> None:
    """Call ``function`` with the arguments of each of ``tasks``, in that many processes."""
    if workers == 1:
        with threadpool_limits(1):
            for task in tasks:
                function(*task)
        return
    # Fresh interpreters: a fork would copy the locks of whatever threads the caller has.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _take_one_thread) as pool:
        list(pool.map(function, *zip(*tasks, strict=True), chunksize=4))


def _take_one_thread() -> None:
    """Pictures are too small for more, and the rounding of sums stays the same."""
    import numpy as np  # noqa: F401  only what is loaded is limited

    threadpool_limits(1)


def _write_picture(path: Path, draw: Callable[[T], Image.Image], item: T) -> None:
    image = draw(item)
    with atomic(path) as partial:
        if path.suffix == ".png":
            info = PngImagePlugin.PngInfo()
            info.add_text("Comment", MARK)
            image.save(partial, pnginfo=info)
        else:
            image.save(partial, quality=90, comment=MARK)


def _is_marked(path: Path) -> bool:
    if ".part" in path.name:  # of a run that was killed
        return True
    with open(path, "rb") as stream:
        return MARK.encode() in stream.read(2000)
