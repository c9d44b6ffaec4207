"""Raw data that several modules of tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from scans import write_cohort


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    write_cohort(folder)
    return folder
