"""Images that have not changed are taken over from a shard, which comes out as if made anew."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from triage.data import shards
from triage.data.kept import Note
from triage.data.shards import ImagesSettings
from triage.files import sha256, write_rows

SETTINGS = ImagesSettings(reader="folders", size=None, mode="grey")


class Shard:
    """Pictures of several sizes, and the shard of them in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.raw = folder, folder / "raw"
        self.raw.mkdir()
        for i in range(12):
            self.paint(i, i)

    def paint(self, number: int, seed: int) -> None:
        shape = (20 + seed % 5, 30 - seed % 3)
        values = np.random.default_rng(seed).integers(0, 255, shape, np.uint8)
        Image.fromarray(values).save(self.raw / f"{number}.png")

    def make(self, name: str, code: str | None = "a", settings: ImagesSettings = SETTINGS) -> bytes:
        """The bytes of array, table and problems; without ``code``, all is decoded."""
        rows = [
            {"case": path.stem, "files": json.dumps({"image": path.name}), "sha256": sha256(path)}
            for path in sorted(self.raw.glob("*.png"))
        ]
        cases = self.folder / "cases.csv"
        write_rows(rows, ["case", "files", "sha256"], cases)
        paths = [self.folder / name / kind for kind in ("s.npy", "s.csv", "p.csv")]
        note = Note(self.folder / "notes" / name, paths[1], settings, code) if code else None
        shards.make(self.raw, cases, settings, *paths, processes=1, note=note)
        return b"".join(path.read_bytes() for path in paths)


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    return Shard(tmp_path)


def taken(caplog: pytest.LogCaptureFixture) -> int:
    """How many were taken over since it was last asked."""
    found = [each.args for each in caplog.records if "taken over" in each.getMessage()]
    caplog.clear()
    assert len(found) < 2
    return int(str(found[0][0])) if found and isinstance(found[0], tuple) else 0


def test_only_what_changed_is_decoded(shard: Shard, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shard.make("own")
    assert taken(caplog) == 0
    shard.paint(3, 104)  # larger than all others, so that they are filled up
    shard.paint(99, 99)
    (shard.raw / "5.png").unlink()
    (shard.raw / "6.png").write_bytes(b"no picture")
    assert shard.make("own") == shard.make("fresh", code=None)
    assert taken(caplog) == 9
    assert shard.make("own") == shard.make("fresh", code=None)
    assert taken(caplog) == 11


def test_other_code_or_settings_decode_all(shard: Shard, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shard.make("own")
    shard.make("own", code="b")
    scaled = replace(SETTINGS, size=16)
    assert shard.make("own", "b", scaled) == shard.make("fresh", None, scaled)
    assert taken(caplog) == 0


@pytest.mark.parametrize("name", ["own/s.npy", "own/s.csv", "notes/own/s.csv", "notes/own/s.json"])
def test_damage_only_costs_time(shard: Shard, name: str) -> None:
    whole = shard.make("own")
    path = shard.folder / name
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert shard.make("own") == whole
    path.unlink()
    assert shard.make("own") == whole


def test_a_shard_of_another_version_is_not_mixed_in(shard: Shard) -> None:
    shard.make("own")
    old = {path: path.read_bytes() for path in (shard.folder / "own").iterdir()}
    shard.paint(3, 50)
    whole = shard.make("own")
    for path, content in old.items():  # as `dvc checkout` does
        path.write_bytes(content)
    assert shard.make("own") == whole
