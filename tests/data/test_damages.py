"""Every damage of every layout: a message or a row of the quarantine, and the rest as before."""

from __future__ import annotations

import csv
import json
import logging
import os
import resource
import runpy
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from damage_layouts import LAYOUTS, Damage, Layout
from damages import all_damages
from damages_files import without_privileges
from triage.data import inventory

pytestmark = pytest.mark.slow
DAMAGES = list(all_damages())
SECONDS = 60  # for both steps, on a busy machine
MEMORY = 2 << 30  # bytes that a decoder may ask for beyond what the tests hold


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    """No damage makes a step ask for much memory."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@dataclass(frozen=True)
class Made:
    """What the steps made: exit status, messages, manifest and quarantine by case, and checksums
    of the images of each case."""

    status: int
    messages: str
    manifest: dict[str, dict[str, str]]
    quarantine: dict[str, str]
    images: dict[str, tuple[str, ...]]


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def step(script: str, *arguments: object) -> int:
    """Run a script as its command line would; its exit status."""
    before = sys.argv
    sys.argv = [script, *map(str, arguments)]
    try:
        runpy.run_path(f"scripts/{script}", run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def make(layout: Layout, folder: Path, caplog: pytest.LogCaptureFixture) -> Made:
    """Index and images of ``folder``/raw."""
    caplog.clear()
    caplog.set_level(logging.INFO)
    raw, listing = folder / "raw", folder / "inventory.csv"
    manifest, quarantine = folder / "manifest.csv", folder / "quarantine.csv"
    inventory.write(raw, listing)
    settings = {"reader": layout.reader, "classes": layout.classes, "group": None}
    settings |= {"max_quarantined": 0.9, "min_slices": 1, "task": "binary"}
    cases, bad, own = (folder / name for name in ("cases.csv", "bad.csv", "own.csv"))
    how = json.dumps(settings)
    size = None if layout.mode == "volume" else 16
    decoding = {"reader": layout.reader, "size": size, "mode": layout.mode, "min_slices": 1}
    table, undecoded, gone = (folder / f"{name}.csv" for name in ("shard", "undecoded", "gone"))
    for script, *options in (
        ("index.py", "--raw", raw, "--inventory", listing, "--settings", how,
         "--cases", cases, "--problems", bad, "--files-withdrawn", gone, "--shards", own),
        ("decode_images.py", "--raw", raw, "--cases", own, "--settings", json.dumps(decoding),
         "--array", folder / "shard.npy", "--table", table, "--problems", undecoded),
        ("write_manifest.py", "--raw", raw, "--cases", cases, "--problems", bad, undecoded,
         "--inventory", listing, "--withdrawn", gone, "--settings", how, "--manifest", manifest,
         "--quarantine", quarantine, "--counts", folder / "counts.csv"),
    ):  # fmt: skip
        if status := step(script, *options, "--threads", 1):
            return Made(status, caplog.text, {}, {}, {})
    images: dict[str, tuple[str, ...]] = {}
    for row in rows(table):
        images[row["case"]] = (*images.get(row["case"], ()), row["crc32"])
    by_case = {row["case"]: row for row in rows(manifest)}
    left_out = {row["case"]: row["reason"] for row in rows(quarantine)}
    return Made(0, caplog.text, by_case, left_out, images)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each layout, with its undamaged raw data."""
    folders = {}
    for study, layout in LAYOUTS.items():
        folders[study] = tmp_path_factory.mktemp(study)
        layout.write(folders[study] / "raw")
    return folders


_undamaged: dict[str, Made] = {}


def undamaged(layout: Layout, folder: Path, caplog: pytest.LogCaptureFixture) -> Made:
    if layout.study not in _undamaged:
        _undamaged[layout.study] = make(layout, folder, caplog)
    return _undamaged[layout.study]


@pytest.mark.parametrize("study", LAYOUTS)
def test_what_is_whole_is_used(
    study: str, whole: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    made = undamaged(LAYOUTS[study], whole[study], caplog)
    assert (made.status, made.quarantine) == (0, {})
    assert LAYOUTS[study].case in made.manifest
    assert made.images.keys() == made.manifest.keys()


def test_there_are_two_hundred_of_them() -> None:
    assert len({(layout.study, damage.name) for layout, damage, _ in DAMAGES}) >= 200


@pytest.mark.parametrize(
    ("layout", "damage", "to_file"),
    DAMAGES,
    ids=[f"{layout.study}-{damage.name}" for layout, damage, _ in DAMAGES],
)
def test_damage(
    layout: Layout,
    damage: Damage,
    to_file: bool,
    whole: dict[str, Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = undamaged(layout, whole[layout.study], caplog)
    raw = tmp_path / "raw"
    shutil.copytree(whole[layout.study] / "raw", raw)
    damage.do(raw / layout.victim if to_file else raw)
    started = time.monotonic()
    with without_privileges():
        made = make(layout, tmp_path, caplog)
    assert time.monotonic() - started < SECONDS
    for folder, _, _ in os.walk(raw):
        Path(folder).chmod(0o700)  # so that it can be removed by anyone
    assert "Traceback" not in made.messages
    assert "mistake of the program" not in made.messages
    if damage.outcome == "stopped":
        assert made.status == 1, made.quarantine
        assert str(raw) in made.messages
        assert "->" in made.messages, "no remedy is named"
        assert damage.says in made.messages
        return
    assert made.status == 0, made.messages
    assert made.images.keys() == made.manifest.keys()
    others = before.manifest.keys() - {layout.case}
    if damage.outcome == "quarantined":
        assert layout.case not in made.manifest
        assert made.quarantine, "it is missing, and no one is told"
        assert any(damage.says in reason for reason in made.quarantine.values()), made.quarantine
        others -= {*made.quarantine, *damage.also}
        assert len(others) >= len(before.manifest) - 2
    else:
        assert made.quarantine == {}
        assert len(made.manifest) == len(before.manifest)
    for case in others:
        assert made.manifest[case] == before.manifest[case]
        assert made.images[case] == before.images[case]
