"""What the report says: numbers from files, words from texts, nothing from data as markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.errors import UserError
from triage.files import write_json, write_rows
from triage.report import data, page, pictures, results, runs, tables

HEADER = [
    "arm",
    "weights",
    "winner",
    "runs",
    "cases",
    "roc_auc_difference",
    "roc_auc_p_holm",
    "data",
]
PUBLISHED = ["metric", "split", "value", "sd", "data", "source", "note"]


def write_table(path: Path, *rows: dict[str, object]) -> Path:
    metrics = [
        m + part
        for m in results.METRICS
        for part in ("", "_low", "_high", "_sd_seeds", "_sd_folds")
    ]
    columns = [*HEADER, *metrics, *(f"published_{name}" for name in PUBLISHED), "ours_value"]
    write_rows([dict.fromkeys(columns, "") | row for row in rows], columns, path)
    return path


def test_the_chosen_arm_is_marked_and_intervals_stand_below(tmp_path: Path) -> None:
    path = write_table(
        tmp_path / "table.csv",
        {"arm": "zero_rate", "cases": 10.0, "roc_auc": 0.5},
        {"arm": "a", "runs": 2.0, "cases": 10.0, "roc_auc": 0.8, "roc_auc_p_holm": 0.04},
        {
            **{"arm": "b_2", "winner": 1.0, "runs": 2.0, "cases": 10.0, "roc_auc": 0.9},
            **{"roc_auc_low": 0.7, "roc_auc_high": 0.95, "roc_auc_sd_seeds": 0.01},
        },
        {"arm": "never_run", "runs": 0.0},
    )
    found = results.read_results(path)
    assert [row[0].text for row in found.arms.rows] == ["zero rate", "a", "b 2"]
    assert found.arms.marked == {2}
    assert found.arms.rows[2][3] == tables.Cell(
        "0.900", 0.9, ("0.700 to 0.950", "± 0.010 over seeds")
    )
    assert (found.winner, found.reached.text) == ("b 2", "0.900")
    assert found.published is None


def test_published_values_stand_beside_ours_each_with_its_data(tmp_path: Path) -> None:
    told = {
        "metric": "accuracy",
        "split": "val",
        "value": 0.66,
        "data": "theirs",
        "source": "report",
    }
    row = {f"published_{key}": value for key, value in told.items()}
    path = write_table(
        tmp_path / "table.csv",
        row | {"arm": "a", "runs": 1, "cases": 5, "data": "raw/folder", "ours_value": 0.5},
        row | {"arm": "b"},
    )
    table = results.read_results(path, "generated data").published
    assert table is not None
    texts = [[cell.text for cell in line] for line in table.rows]
    assert texts[0][2:7] == ["validation", "0.6600", "theirs", "0.5000", "generated data"]
    assert texts[1][5:7] == [tables.NONE, "not run"]


def test_cases_with_several_labels_count_for_each(tmp_path: Path) -> None:
    write_rows([{"case": c} for c in "abc"], ["case"], tmp_path / "manifest.csv")
    split = [
        {"case": "a", "group": "1", "label": "x|y", "partition": "train"},
        {"case": "b", "group": "1", "label": "x", "partition": "train"},
        {"case": "c", "group": "2", "label": "", "partition": "unlabelled"},
        {"case": "gone", "group": "3", "label": "x", "partition": "test"},
    ]
    write_rows(split, list(split[0]), tmp_path / "split.csv")
    bad = [{"file": f"{i}.png", "case": str(i), "reason": "empty"} for i in range(data.SHOWN + 3)]
    write_rows(bad, list(bad[0]), tmp_path / "bad.csv")
    write_rows([], ["case", "date", "reason"], tmp_path / "gone.csv")
    write_rows([], ["case", "checkpoint", "partition", "md5", "commit"], tmp_path / "seen.csv")
    names = ("manifest.csv", "split.csv", "bad.csv", "gone.csv", "seen.csv")
    paths = [tmp_path / name for name in names]
    found = data.read_data(*paths, ["x", "y", "z"], pseudonyms=False)
    assert (found.cases, found.groups, found.tested) == (3, 2, 0)
    texts = [[cell.text for cell in row] for row in found.counts.rows]
    assert texts == [
        ["x", "2", "0", "2"],
        ["y", "1", "0", "1"],
        ["unlabelled", "0", "1", "1"],
        ["all cases", "2", "1", "3"],
        ["groups", "1", "1", "2"],
    ]
    assert len(found.quarantine.rows) == data.SHOWN
    assert found.quarantine.note.startswith("3 more in ")


def test_a_run_without_a_record_was_not_trained(tmp_path: Path) -> None:
    metrics = [tmp_path / "metrics" / arm / "fold1-seed22.json" for arm in ("cnn", "ensemble")]
    for path in metrics:
        write_json({"partitions": {"val": None, "test": None}}, path)
    record = tmp_path / "training" / "cnn" / "fold1-seed22" / "record.json"
    write_json({"seconds": 7300, "settings": {"recipe": {"batch": 4}}, "cases": [1, 2]}, record)
    trained, ensemble = runs.read_runs(metrics, [record])
    assert (trained.fold, trained.seed) == (1, 22)
    assert trained.blocks[1].rows == (("recipe.batch", "4"),)
    assert ensemble.blocks == ()
    texts = [[cell.text for cell in row] for row in runs.runs_table([trained, ensemble]).rows]
    assert texts[0][-2:] == ["2 h 2 min", tables.NONE]


def test_a_caption_needs_its_title(tmp_path: Path) -> None:
    path = tmp_path / "roc.rst"
    path.write_text("**ROC curves.** Higher is\nbetter.\n")
    assert pictures.read_captions([path]) == {
        "roc": pictures.Caption("ROC curves", "Higher is better.")
    }
    path.write_text("no title")
    with pytest.raises(UserError, match=r"roc\.rst: is no caption"):
        pictures.read_captions([path])


def test_a_file_of_no_study_is_refused() -> None:
    with pytest.raises(UserError, match="lies in no study's folder"):
        page._of("brain", [Path("elsewhere/table.csv")])


def test_every_picture_has_a_caption_for_both_reports() -> None:
    words = Path(__file__).parent.parent / "workflow" / "report"
    captions = pictures.read_captions(sorted(words.glob("*.rst")))
    assert all(caption.text.endswith(".") for caption in captions.values())
    assert all("`" not in caption.text and "{" not in caption.text for caption in captions.values())
