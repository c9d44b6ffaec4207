"""External sets: they inherit a study's index, and what is wrong with one is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triage_workflow.params import Params
from triage_workflow.steps import Steps

from triage.errors import UserError
from two_hospitals import other_index, settings

SET = "lesions/external/hospital_b"


def params(**changes: Any) -> Params:
    """Two hospitals, with these keys of the external set changed."""
    content = settings(Path("/data"))
    content["studies"]["lesions"]["external"]["hospital_b"] |= changes
    return Params(content)


def test_a_set_has_its_studys_settings_with_its_own_data() -> None:
    found = params()
    assert found.external("lesions") == [SET]
    assert found.sources == ["lesions", SET]
    assert (found.owner(SET), found.raw(SET)) == ("lesions", "/data/b")
    own, study = found.study(SET), found.study("lesions")
    assert own["images"] == study["images"]
    assert own["index"]["columns"]["label"] == "diagnose"
    assert own["index"]["columns"]["partition"] is None  # those of the study mean nothing here
    assert study["index"]["columns"]["partition"] == "part"
    assert own["index"]["values"] == {"nev": "nevus", "mel": "melanoma"}


def test_another_reader_inherits_no_table() -> None:
    index = params(index={"reader": "folders"}).study(SET)["index"]
    assert (index["reader"], index["table"], index["attributes"]) == ("folders", None, [])


def test_a_pattern_goes_in_place_of_the_studys_column() -> None:
    columns = {"pattern": "{person}/{bild}.png"}
    found = params(index={"columns": columns}).study(SET)["index"]["columns"]
    assert (found["file"], found["pattern"], found["label"]) == (None, *columns.values(), "dx")


def test_no_set_changes_what_training_reads() -> None:
    with_set, without = params(), settings(Path("/data"))
    without["studies"]["lesions"]["external"] = {}
    alone = Params(without)
    for run in alone.trained_runs("lesions"):
        for step in ("train", "evaluate"):
            assert Steps(with_set).of(step, run) == Steps(alone).of(step, run)
    for step in ("index", "decode_images", "assign_folds", "write_submission"):
        assert Steps(with_set).of(step, "lesions") == Steps(alone).of(step, "lesions")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"raws": "x"}, "external.hospital_b: unknown key raws"),
        ({"index": {"tabel": "x"}}, "external.hospital_b.index: unknown key tabel"),
        ({"index": {"reader": "nih"} | other_index()}, "external.hospital_b.index.table: is for"),
        ({"raw": "data/mhist/phantom"}, "external.hospital_b.raw"),
    ],
)
def test_a_mistake_is_named_by_its_key(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as error:
        params(**changes)
    assert f"params.yaml: studies.lesions.{expected}" in str(error.value)


def test_a_set_is_not_called_as_a_part_is() -> None:
    content = settings(Path("/data"))
    study = content["studies"]["lesions"]
    study["external"] = {"test": study["external"]["hospital_b"]}
    with pytest.raises(UserError, match="test is a part of the study itself"):
        Params(content)


def test_no_raw_folder_is_told() -> None:
    content = settings(Path("/data"))
    content["studies"]["lesions"]["external"] = {"b": {}}
    with pytest.raises(UserError, match="missing key raw"):
        Params(content)
