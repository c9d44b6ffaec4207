"""Folders of raw data: looked at before the graph is built, and asked for where a job needs them.

A folder may be tracked by DVC, or imported with it: a file FOLDER.dvc beside it, or beside a folder
above it, says how many files there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from triage_workflow.engines.running import STATE

from triage import yaml_text
from triage.data import inventory
from triage.errors import UserError
from triage.files import plain


class Sources:
    """The tables of raw files of all studies, by their path, with the folder that each lists."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        self.folders = dict(folders)
        self._troubles: dict[str, UserError] = {}

    def refresh(self) -> Iterator[str]:
        """Notice what was added to, changed in or taken from the folders; gives what is wrong."""
        for table, folder in self.folders.items():
            self._troubles.pop(folder, None)
            try:
                _refuse_absent(Path(folder))
                inventory.refresh(Path(folder), Path(table), STATE / f"{_flat(table)}.json")
            except UserError as error:
                self._troubles[folder] = error
                yield str(error)

    def require(self, folder: str) -> None:
        """Raise UserError where something is wrong with a folder, for a job that reads it."""
        if folder in self._troubles:
            raise self._troubles[folder]


def _flat(path: str) -> str:
    return path.replace("/", "-")


def _refuse_absent(folder: Path) -> None:
    """Raise UserError where DVC tracks a folder, and its files are not here, or not all of them."""
    for above in (folder, *folder.parents):
        tracks = above.parent / f"{above.name}.dvc"
        if above.name and tracks.is_file():
            break
    else:
        return
    here = sum(len(names) for _, _, names in os.walk(folder))
    known = _count(tracks) if above == folder else 1
    if here < known:
        fewer = f": to leave the others out on purpose, `dvc add {folder}`" if here else ""
        raise UserError(
            f"holds {here} of the {known} file(s) that {tracks} knows" if here else "is not here",
            where=folder,
            remedy=f"dvc pull {tracks}{fewer}",
        )


def _count(tracks: Path) -> int:
    """How many files DVC knows in a folder."""
    try:
        content: Any = yaml_text.parse(plain(tracks).read_text(encoding="utf-8"))
        return int(content["outs"][0].get("nfiles", 1))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError) as error:
        raise UserError("can't be read", where=tracks, remedy=f"git restore {tracks}") from error
