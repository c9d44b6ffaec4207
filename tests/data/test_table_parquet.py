"""Tables of Parquet, with their library and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from lesion_tables import BASIC, VALUES, find, labels, lesions
from triage.data.readers.table_files import open_table
from triage.errors import UserError
from triage.task import Task

PYARROW = Path(__file__).parents[2] / ".parquet"


@pytest.mark.slow
def test_parquet_with_its_library_from_a_folder_of_its_own() -> None:
    """Where it is installed, pandas uses it for all texts: not in the environment of the tests."""
    if not PYARROW.exists():
        pytest.skip("needs pyarrow (pip install --no-deps --target .parquet pyarrow)")
    command = [sys.executable, "-m", "pytest", "-q", f"{__file__}::test_parquet"]
    environment = os.environ | {"PYTHONPATH": str(PYARROW)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    frame = pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "dx": pd.Categorical(["nv", "mel", "bkl"]),
            "patient": [1, 1, 2],
            "age": [63.0, None, 12.5],
            "site": ["back", None, "arm"],
            "votes": pd.array([3, None, 0], "Int64"),
            "seen": pd.to_datetime(["2024-01-02", None, "2024-01-03 10:00"], format="mixed"),
        }
    )
    lesions(tmp_path)
    (tmp_path / "labels.csv").unlink()
    frame.to_parquet(tmp_path / "labels.parquet")
    columns = {"file": "image_id", "label": "dx", "group": "patient"}
    known = ["age", "site", "votes", "seen"]
    cases, problems = find(
        tmp_path, table="labels.parquet", columns=columns, values=VALUES, attributes=known
    )
    assert not problems
    assert labels(cases) == ["naevus", "melanoma", "keratosis"]
    assert [case.group for case in cases.values()] == ["1", "1", "2"]
    assert [dict(case.attributes) for case in cases.values()] == [
        {"age": "63", "site": "back", "votes": "3", "seen": "2024-01-02"},
        {},
        {"age": "12.5", "site": "arm", "votes": "0", "seen": "2024-01-03 10:00:00"},
    ]
    frame["several"] = [["nv"], ["nv", "mel"], []]
    frame.to_parquet(tmp_path / "labels.parquet")
    columns = {"file": "image_id", "label": "several", "separator": "|"}
    cases, _ = find(
        tmp_path, table="labels.parquet", columns=columns, values=VALUES, task=Task.MULTILABEL
    )
    assert labels(cases) == ["naevus", "naevus|melanoma", ""]
    frame.set_index("image_id").to_parquet(tmp_path / "labels.parquet")
    assert open_table(tmp_path / "labels.parquet").header == list(frame.columns)
    whole = (tmp_path / "labels.parquet").read_bytes()
    (tmp_path / "labels.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is no Parquet"):
        find(tmp_path, table="labels.parquet", columns=columns, values=VALUES)


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesions(tmp_path)
    (tmp_path / "labels.parquet").write_bytes(b"PAR1")

    def lacking(*_: object) -> None:
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", lacking)
    with pytest.raises(UserError, match="pip install pyarrow, or save it as CSV"):
        find(tmp_path, table="labels.parquet", **BASIC)
