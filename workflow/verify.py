"""Check that every file still holds what was written: results, checkpoints, images, raw data.

Every file that snakemake.lock knows is read and compared with its recorded SHA-256, every raw file
with its study's inventory, and every image with the checksum in its shard's table; records of
withdrawn consent and of folds must hold every row that they ever held. Results that are not here
are counted, not missed: `dvc pull` fetches them, or a run makes them. The exit status is 1 where a
file is damaged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

from tqdm import tqdm

from triage_workflow.engines import kept
from triage_workflow.engines.lock import LOCK, Lock
from triage_workflow.params import Params
from triage_workflow.shards import count

from triage import command
from triage.arguments import CORES
from triage.data import inventory
from triage.data.image_store import Images
from triage.errors import UserError
from triage.files import sha256

_SHOWN = 5
RAW_REMEDY = (
    "get it again from where it came from; if it was changed on purpose, touch it (so that it is"
    " read again) and run the workflow"
)


class Check(NamedTuple):
    """A file, what it has to hold, what to do if it does not, and whether it must be here."""

    path: str
    sha256: str
    remedy: str
    needed: bool = False


def main(
    paths: Annotated[tuple[str, ...], "only files whose paths begin so"] = (),
    /,
    threads: int = min(8, CORES),
) -> None:
    """Print what is damaged, and the count of all that was read."""
    lock, params = Lock.read(), Params.read(Path("params.yaml"))
    if not lock.origins:
        command.log.info("%s knows no file: only raw data and images are checked.", LOCK)
    checks = [*_results(lock), *_raw(params)]
    wanted = _chosen(checks, paths)
    found = _compare(wanted, threads)
    bad = [str(UserError(what, where=check.path, remedy=check.remedy)) for check, what in found]
    known = {check.path for check, _ in found}
    if not paths:
        bad += [message for message in _images(params) if message.partition(":")[0] not in known]
        bad += list(_shrunken())
    for message in bad:
        print(message)
    missing = [check.path for check in wanted if not Path(check.path).exists()]
    there = len(wanted) - len(missing)
    print(f"{there} files were read, {len(bad)} {'is' if len(bad) == 1 else 'are'} damaged.")
    if missing:
        print(f"{len(missing)} recorded files are not here, {missing[0]} for one.")
    sys.exit(1 if bad else 0)


def _chosen(checks: list[Check], paths: tuple[str, ...]) -> list[Check]:
    """The checks of files in ``paths``, or all. Raises UserError for a path without any."""
    if not paths:
        return checks
    beginnings = [str(Path(path).absolute()) for path in paths]
    absolute = {check: str(Path(check.path).absolute()) for check in checks}
    for path, beginning in zip(paths, beginnings, strict=True):
        if not any(each.startswith(beginning) for each in absolute.values()):
            raise UserError(
                "nothing is known of such a file",
                where=path,
                remedy="name results, or raw files of a study, from the top folder: results/mhist",
            )
    return [check for check in checks if absolute[check].startswith(tuple(beginnings))]


def _results(lock: Lock) -> Iterator[Check]:
    for origin in lock.origins.values():
        for path, digest in sorted(origin.outputs.items()):
            if digest:
                yield Check(path, digest, f"delete it and start again: rule {origin.rule} makes it")


def _raw(params: Params) -> Iterator[Check]:
    """The raw files of every study and external set, each folder once."""
    for folder, study in {params.raw(source): source for source in params.sources}.items():
        listing = Path(f"data/{study}/inventory.csv")
        if not Path(folder).is_dir():
            continue
        for entry in inventory.read(listing) if listing.exists() else []:
            if entry.sha256:  # else it could not be read in the first place
                path = f"{folder}/{entry.path}"
                yield Check(path, entry.sha256, _raw_remedy(params, study), needed=True)


def _raw_remedy(params: Params, study: str) -> str:
    if phantom := params.phantom(study):
        return f"delete data/{phantom}/phantom and start again: rule phantom makes it"
    return RAW_REMEDY


def _compare(checks: list[Check], threads: int) -> list[tuple[Check, str]]:
    """The checks that fail, and how. Reads every file anew, whatever is remembered of it."""
    with ThreadPoolExecutor(threads) as pool:
        troubles = tqdm(
            pool.map(_trouble, checks),
            total=len(checks),
            unit="file",
            disable=not sys.stderr.isatty(),
        )
        return [
            (check, trouble) for check, trouble in zip(checks, troubles, strict=True) if trouble
        ]


def _trouble(check: Check) -> str:
    try:
        found = sha256(Path(check.path))
    except FileNotFoundError:
        return "is not there any more" if check.needed else ""
    except OSError as error:
        return f"can't be read ({error.strerror})"
    return "" if found == check.sha256 else "is not what was written"


def _shrunken() -> Iterator[str]:
    """What is said of each table that only grows, and lacks a row it had."""
    for path, rows, whole in kept.lost():
        names = sorted({next(iter(row.items())) for row in rows})
        shown = ", ".join(f"{column} {cell}" for column, cell in names[:_SHOWN])
        what = f"lacks {len(rows)} row(s) that it had: {shown}"
        yield str(UserError(what, where=path, remedy=f"put all back: cp {whole} {path}"))


def _images(params: Params) -> list[str]:
    """What is said of the damaged images of each study and external set."""
    said = []
    for study in params.sources:
        names = range(count(params, study))
        paths = [Path(f"data/{study}/images/shard-{i}.npy") for i in names]
        arrays = [path for path in paths if path.exists() and path.with_suffix(".csv").exists()]
        try:
            if arrays:
                Images.open(arrays, [path.with_suffix(".csv") for path in arrays]).verify()
        except UserError as error:
            said.append(str(error))
    return said


if __name__ == "__main__":
    command.run(main)
