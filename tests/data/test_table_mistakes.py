"""Tables and settings of tables that can't be trusted, each with its message."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lesion_tables import BASIC, CLASSES, VALUES, find, lesions
from picture_sets import noise, save
from triage.data.readers import IndexSettings
from triage.errors import UserError
from triage.settings import parse
from triage.task import Task


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"table": "lables.csv"}, "there is no lables.csv\n  -> did you mean labels.csv?"),
        ({"columns": {"file": "image", "label": "dx"}},
         "lacks the column(s) image\n  -> did you mean image_id?"),
        ({"channels": ["CT"]}, "index.channels are CT, and the columns are those of one file"),
        ({"columns": {"file": {"CT": "image_id"}, "label": "dx"}},
         "index.channels are none, and the columns are those of CT"),
        ({"columns": {"label": "dx"}}, "one of file and pattern has to be set"),
        ({"columns": {"pattern": "a.jpg", "label": "dx"}}, "names no column"),
        ({"columns": {"pattern": "{image_id}_{channel}.nii", "label": "dx"}}, "don't fit together"),
        ({"columns": {"pattern": "photos/{image_id}.jpg", "label": "dx"}},
         "the first that was looked for is photos/a.jpg\n  -> the most alike is images/a.jpg"),
        ({"values": {"nv": "naevus", "mel": "melanoma"}},
         "line 4: unknown dx 'bkl'"),
        ({"values": {"nv": "nevus"}}, "'nevus' is no class"),
        ({"columns": {"file": "image_id", "label": "dx", "partition": "site"}},
         "line 2: unknown site 'back'"),
        ({"columns": {"file": "image_id", "label": ["dx"]}}, "no column for naevus"),
        ({"attributes": ["scanner"]}, "lacks the column(s) scanner"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(tmp_path: Path, changes: dict, message: str) -> None:
    lesions(tmp_path)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        find(tmp_path, **BASIC | changes)
    assert "->" in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,nv\na,mel\n", "line 3: a has dx 'mel', but 'nv' in line 2"),
        ("a,nv\n,mel\n", "line 3: has no image_id"),
        ("a\n", "line 2: has 1 cells, the header has 2"),
        ("a,mell\n", "did you mean mel? allowed are"),
        ("", "has no rows"),
    ],
)
def test_rows_that_can_not_be_trusted(tmp_path: Path, rows: str, message: str) -> None:
    lesions(tmp_path, f"image_id,dx\n{rows}")
    with pytest.raises(UserError, match=re.escape(message)):
        find(tmp_path, **BASIC)


def test_odd_attributes_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lesions(tmp_path, "image_id,dx,site,age,sex\na,nv,X,411Y,m\nb,nv,X,,f\nc,nv,X,,\n")
    cases, _ = find(tmp_path, **BASIC, attributes=["site", "age", "sex"])
    assert cases["b"].attributes == {"site": "X", "sex": "F"}
    assert "attribute site (column site) is always X" in caplog.text
    assert "attribute age (column age): only 0 of 3 rows have it: fill it in, or" in caplog.text
    assert caplog.text.count(f"{tmp_path}/labels.csv: attribute") == 2
    assert caplog.text.count("take it out of index.attributes") == 2
    assert "1 age(s) are left out, for example '411Y' in line 2" in caplog.text


def test_a_table_can_not_name_files_outside(tmp_path: Path) -> None:
    save(noise(1), tmp_path / "secret.png")
    raw = tmp_path / "raw"
    lesions(raw, f"image_id,dx\na,nv\n../secret.png,nv\n{tmp_path}/secret.png,nv\n")
    assert list(find(raw, **BASIC)[0]) == ["a"]
    columns = {"pattern": "{image_id}.png", "label": "dx"}
    with pytest.raises(UserError, match="names no file that is there"):
        find(raw, columns=columns, values=VALUES)


@given(st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".xlsx"]))
@hypothesis_settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_are_a_table_or_a_message(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"labels{suffix}"
    path.write_bytes(b"image_id,dx\n" + content if suffix != ".xlsx" else content)
    with contextlib.suppress(UserError):
        find(tmp_path, table=path.name, **BASIC)
    path.unlink()


def test_the_task_reaches_the_reader() -> None:
    block = {"reader": "table", "classes": CLASSES, "group": None, "task": "multiclass"}
    block |= {"max_quarantined": 0.1, "min_slices": 1}
    assert parse(IndexSettings, json.dumps(block)).task is Task.MULTICLASS
