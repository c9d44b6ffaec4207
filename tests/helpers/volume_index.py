"""Volumes as the reader gives them, or its reason not to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scans import SEQUENCES, volume, voxels, write
from triage.data.readers import BadFile, volumes

FILES = {name: f"P/{name}.mha" for name in SEQUENCES}


def load(raw: Path, files: dict[str, str] = FILES) -> np.ndarray:
    return volumes.load(raw, files)


def reason(raw: Path, files: dict[str, str] = FILES) -> str:
    with pytest.raises(BadFile) as caught:
        load(raw, files)
    assert str(raw) not in caught.value.reason
    return caught.value.reason


def expected(arrays: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([arrays[name] for name in SEQUENCES], axis=1)


Damage = Callable[[Path], object]


def header(old: bytes, new: bytes) -> Damage:
    """An uncompressed T2 with a changed header."""

    def damage(path: Path) -> None:
        write(volume(voxels(3)), path, compressed=False)
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))

    return damage


LOCAL = "must be LOCAL or a file beside it"


def cut_file(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


BAD_PATIENT = Path("train/full/normal/P00")


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")
