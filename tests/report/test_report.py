"""What the report says: numbers from files, words from texts, nothing from data as markup."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from PIL import Image

from triage_workflow.params.declared import defaults

import results_studies
import results_tree
from triage.errors import UserError
from triage.evaluation.operating import Threshold
from triage.files import read_rows, write_json, write_rows
from triage.report import data, decisions, page, pictures, results, runs, tables
from triage.report.words import Told
from triage.training.settings import Recipe

HEADER = [
    "arm",
    "initialisation",
    "winner",
    "floor",
    "ahead",
    "runs",
    "cases",
    "roc_auc_difference",
    "roc_auc_difference_low",
    "roc_auc_difference_high",
    "roc_auc_p_holm",
    "data",
    "partition",
]
PUBLISHED = ["metric", "split", "value", "sd", "data", "source", "note"]


def measured(reason: str | None = None, fallen: dict[str, str] | None = None) -> dict[str, Any]:
    """The metrics.json of a run of four classes; ``fallen``: why thresholds were not chosen."""
    names = "abcd"
    estimate = {"value": 0.8, "low": None, "high": None, "reason": reason}
    metrics = dict.fromkeys(results.METRICS, estimate)
    page = {"metrics": metrics, "zero_rate": {"metrics": metrics}, "classes": dict.fromkeys(names)}
    points = {name: Threshold(0.3, "val") for name in names}
    points |= {name: Threshold(0.5, "fixed", why) for name, why in (fallen or {}).items()}
    choices = {
        name: {"operating_points": {"youden": asdict(each)}} for name, each in points.items()
    }
    parts = {"val": page, "test": page}
    return {"operating_point": "youden", "choices": choices, "partitions": parts}


def write_table(path: Path, *rows: dict[str, object]) -> Path:
    metrics = [
        m + part
        for m in results.METRICS
        for part in ("", "_low", "_high", "_sd_seeds", "_sd_folds")
    ]
    columns = [*HEADER, *metrics, *(f"published_{name}" for name in PUBLISHED), "ours_value"]
    rest = dict.fromkeys(columns, "") | {"partition": "test"}
    write_rows([rest | row for row in rows], columns, path)
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
    found = results.read_results(path, {})
    assert [row[0].text for row in found.arms.rows] == ["zero_rate", "a", "b_2"]
    assert found.arms.marked == {2}
    assert found.arms.rows[2][3] == tables.Cell(
        "0.900", 0.9, ("0.700 to 0.950", "± 0.010 over seeds")
    )
    assert (found.winner, found.reached.text) == ("b_2", "0.900")
    assert found.published is None


ARM = {"arm": "a", "winner": 1.0, "runs": 1.0, "cases": 10.0, "roc_auc": 0.8}


def test_a_part_that_chose_is_named_and_its_arms_are_not_tested(tmp_path: Path) -> None:
    paths = [
        write_table(tmp_path / f"{part}.csv", ARM | {"partition": part, "roc_auc_p_holm": 0.04})
        for part in ("test", "val")
    ]
    tested, validated = (results.read_results(path, {}) for path in paths)
    assert tested.arms.title == "Arms, on the test part"
    assert "p (Holm)" in tested.arms.columns
    assert "p-value" in tested.arms.note
    assert tested.reached.notes == ()
    assert validated.arms.title == "Arms, on the validation part"
    assert "p (Holm)" not in validated.arms.columns
    assert len(validated.arms.columns) == len(validated.arms.rows[0])
    assert "p-value" not in validated.arms.note
    assert validated.reached.notes == ("on validation",)


def test_where_nothing_is_measured_that_is_said(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"arm": "a", "runs": 1.0, "partition": "val"})
    found = results.read_results(path, {})
    assert (found.partition, found.reached.text) == (None, tables.NONE)
    assert found.arms.title == "Arms: no case outside the training part is labelled"


def test_a_dash_is_explained(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", ARM)
    found = results.read_results(path, {}).arms
    assert found.rows[0][-1].text == tables.NONE
    assert f"A dash ({tables.NONE}) stands where a metric is undefined" in found.note


def test_a_mean_over_some_classes_says_over_how_many(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", {"arm": "zero_rate", "cases": 10.0, "roc_auc": 0.5}, ARM)
    some = measured("undefined for b, c")
    for those, notes in (
        ([some], ("over 2 of 4 classes",)),
        ([some, some], ("over 2 of 4 classes",)),
        ([some, measured()], ("in some runs not over all classes",)),
        ([measured()], ()),
    ):
        rows = results.read_results(path, {"a": those}).arms.rows
        assert [row[3].notes for row in rows] == [notes, notes]


@pytest.mark.parametrize(
    ("runs", "note", "said"),
    [
        ([measured()], "", "'youden', chosen on validation."),
        (
            [measured(fallen=dict.fromkeys("abcd", "no validation case: 0.5 instead"))],
            "threshold 0.5, not chosen: no validation case",
            "No threshold was chosen on validation",
        ),
        (
            [measured(fallen={"b": "no positive case: 0.5 instead"}), measured()],
            "threshold 0.5 for b in 1 of 2 runs, not chosen: no positive case",
            "chosen on validation, but where a note below an arm says otherwise.",
        ),
    ],
)
def test_thresholds_that_were_not_chosen_are_told_of_each_arm(
    tmp_path: Path, runs: list[dict[str, Any]], note: str, said: str
) -> None:
    found = results.read_results(write_table(tmp_path / "t.csv", ARM), {"a": runs})
    assert said in found.decisions
    assert [each for each in found.arms.rows[0][0].notes if "threshold" in each] == [note] * bool(
        note
    )


def test_a_fixed_operating_point_is_not_said_to_be_chosen() -> None:
    half = measured(fallen=dict.fromkeys("abcd", ""))
    assert "not chosen on validation" in decisions.of_study([half])
    assert "not chosen on validation: a above 0.500" in decisions.of_run(half)
    assert decisions.of_arm([half]) == ""


def test_thresholds_of_single_networks_are_told_apart_from_those_of_their_mean() -> None:
    members = [f"small/fold{fold}-seed1" for fold in range(3)]
    over_folds, over_seeds = ({"members": each} for each in (members, ["a/fold0-seed1"]))
    less = "the mean of all, which is less extreme"
    assert less in decisions.of_run(measured() | over_folds)
    assert less in decisions.of_study([measured(), measured() | over_folds])
    assert less not in decisions.of_run(measured() | over_seeds)
    assert less not in decisions.of_study([measured(), measured() | over_seeds])


def test_what_validation_chose_is_only_what_it_did() -> None:
    demo = defaults(Recipe)
    last = demo | {"select": {"by": "last"}}
    everything = last | {"train_on": ["train", "val"], "stopping": {"patience": 3}}
    fallen = measured(fallen=dict.fromkeys("abcd", "no validation case: 0.5 instead"))
    told = decisions.by_validation([last, demo], [measured()], winner=True)
    assert told == "the epochs, the thresholds and the arm"
    assert (
        decisions.by_validation([last], [measured()], winner=True) == "the thresholds and the arm"
    )
    assert decisions.by_validation([everything], [fallen], winner=False) == ""


@pytest.mark.parametrize("tested", [True, False])
def test_a_study_without_a_labelled_test_part_says_so(tmp_path: Path, tested: bool) -> None:
    tree = results_tree.Tree(tmp_path, replace(results_studies.LESIONS, tested=tested))
    results_tree.write_data(tree)
    results_tree.write_runs(tree)
    text = " ".join(rendered(tree).split())
    warned = "The cases measured here chose the epochs, the thresholds and the arm, so all numbers"
    assert (warned in text) is not tested
    assert ("<small>on validation</small>" in text) is not tested
    assert ("p (Holm)" in text) is tested
    assert f"Arms, on the {'test' if tested else 'validation'} part" in text
    card = (tree.results / "card.md").read_text()
    assert ("These cases chose the epochs, the thresholds and the arm" in card) is not tested
    checklist = (tree.results / "checklist.md").read_text()
    assert ("corrected by Holm" in checklist) is tested


def rendered(one: results_tree.Tree, figures: tuple[Path, ...] = ()) -> str:
    """The page of a study, twice so that it has an overview, with some pictures or none."""
    study = page.StudySettings(
        one.study.name, one.study.classes, False, 0.95, False, Told("A study", "What is it?")
    )
    names = ("manifest", "groups", "quarantine", "counts", "withdrawn", "consent")
    data_files = [(one.data / f"{name}.csv",) for name in names]
    files = page.Files(
        *data_files,
        splits=(one.split,),
        tables=(one.results / "table.csv",),
        cards=(one.results / "card.json",),
        metrics=tuple(one.runs("metrics/*/*.json")),
        records=tuple(one.runs("training/*/*/record.json")),
        figures=figures,
        captions=(),
    )
    words = results_tree.PROJECT / "workflow" / "report"
    return page.render(
        page.ReportSettings((study, study)),
        files,
        words / "texts.yaml",
        words / "report.html.jinja",
    )


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
    found = results.read_results(path, {}, "generated data")
    both = (found.published, found.unrun)
    assert None not in both
    ours, unrun = ([[cell.text for cell in line] for line in table.rows] for table in both if table)
    (row_of_ours,), (row_of_none,) = ours, unrun
    assert row_of_ours[2:7] == ["validation", "0.6600", "theirs", "0.5000", "generated data"]
    assert row_of_none[5:7] == [tables.NONE, "not run"]


def test_cases_with_several_labels_count_for_each(tmp_path: Path) -> None:
    manifest = [{"case": c, "group": f"of {c}", "sha256": f"file {c}"} for c in "abc"]
    write_rows(manifest, list(manifest[0]), tmp_path / "manifest.csv")
    split = [
        {"case": "a", "group": "1", "label": "x|y", "partition": "train"},
        {"case": "b", "group": "1", "label": "x", "partition": "train"},
        {"case": "c", "group": "2", "label": "", "partition": "unlabelled"},
        {"case": "gone", "group": "3", "label": "x", "partition": "test"},
    ]
    write_rows(split, list(split[0]), tmp_path / "split.csv")
    grouped = [
        {**row, "part": "train", "images": row["case"], "reason": "", "twin": ""} for row in split
    ]
    write_rows(grouped, list(grouped[0]), tmp_path / "groups.csv")
    bad = [{"file": f"{i}.png", "case": str(i), "reason": "empty"} for i in range(data.SHOWN + 3)]
    write_rows(bad, list(bad[0]), tmp_path / "bad.csv")
    write_rows([], ["case", "date", "reason"], tmp_path / "gone.csv")
    write_rows([], ["case", "checkpoint", "partition", "md5", "commit"], tmp_path / "seen.csv")
    files = [{"use": "used", "kind": ".png", "files": "3", "example": "a.png"}]
    write_rows(files, list(files[0]), tmp_path / "counts.csv")
    names = ("manifest", "groups", "split", "bad", "counts", "gone", "seen")
    paths = [tmp_path / f"{name}.csv" for name in names]
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
    assert [[cell.text for cell in row] for row in found.leakage.joined.rows] == [
        ["a, b", "2", "2", "the same or nearly the same pictures", "all in train"]
    ]
    assert found.seen.title == "3 files seen: 3 used"
    assert len(found.quarantine.rows) == data.SHOWN
    assert found.quarantine.note.startswith("3 more in ")


def test_the_page_and_the_card_tell_of_excluded_cases(tmp_path: Path) -> None:
    tree = results_tree.Tree(tmp_path, results_studies.LESIONS)
    results_tree.write_data(tree)
    results_tree.write_runs(tree)
    assert "excluded, each with its reason" not in rendered(tree)
    rows = read_rows(tree.data / "groups.csv")
    rows[2] |= {"part": "excluded", "reason": "the same file", "twin": rows[0]["case"]}
    write_rows(rows, list(rows[0]), tree.data / "groups.csv")
    split = read_rows(tree.split)
    split[2] |= {"partition": "excluded", "fold": "-1"}
    write_rows(split, list(split[0]), tree.split)
    sheet = tree.results / "explore" / "twins.png"
    sheet.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (40, 30)).save(sheet)
    text = " ".join(rendered(tree, (sheet,)).split())
    before, leakage = text.split("Leakage and cases left out</h3>")[:2]
    assert "data:image/webp" in leakage
    assert "data:image/webp" not in before
    assert "1 case is excluded." in text
    assert "1 excluded, each with its reason and its twin" in text
    results_tree.write_card(tree)
    assert "twin in groups.csv: the same file (1)." in (tree.results / "card.md").read_text()


def test_a_run_without_a_record_was_not_trained(tmp_path: Path) -> None:
    metrics = [tmp_path / "metrics" / arm / "fold1-seed22.json" for arm in ("cnn", "ensemble")]
    for path in metrics:
        write_json({"partitions": {"val": None, "test": None}}, path)
    record = tmp_path / "training" / "cnn" / "fold1-seed22" / "record.json"
    write_json(
        {"seconds": 7300, "settings": {"recipe": {"batch_size": 4}}, "cases": [1, 2]}, record
    )
    trained, ensemble = runs.read_runs(metrics, [record])
    assert (trained.fold, trained.seed) == (1, 22)
    assert trained.blocks[1].rows == (("recipe.batch_size", "4"),)
    assert ensemble.blocks == ()
    texts = [[cell.text for cell in row] for row in runs.runs_table([trained, ensemble]).rows]
    assert texts[0][-2:] == ["2 h 2 min", tables.NONE]


def test_a_drawing_is_shorter_in_the_page_and_its_letters_keep_their_size(tmp_path: Path) -> None:
    target = tmp_path / "figures" / "roc.svg"
    target.parent.mkdir()
    target.write_text(
        '<svg><path id="d1" d="M 1.234567 -20.5"/><path transform="scale(0.015625)"/></svg>'
    )
    drawn = unquote(pictures.embed(target, {}, {}).source)
    assert "d='M 1.23 -20.5'" in drawn
    assert "scale(0.015625)" in drawn


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
    for name in ("data/brain/external/data/shift.json", "results/brain/training/results/x.json"):
        assert page._of("brain", [Path(name)]) == [Path(name)]


def test_every_picture_has_a_caption_for_both_reports() -> None:
    words = Path(__file__).parents[2] / "workflow" / "report"
    captions = pictures.read_captions(sorted(words.glob("*.rst")))
    assert all(caption.text.endswith(".") for caption in captions.values())
    assert all("`" not in caption.text and "{" not in caption.text for caption in captions.values())


def test_what_pseudonyms_leave_as_written_is_said(tmp_path):
    said = "stand as their authors wrote them"
    for hidden in (True, False):
        page = results_tree.write_all(tmp_path / str(hidden), pseudonyms=hidden)
        assert (said in page.read_text()) == hidden


def test_the_page_runs_its_own_script_and_sends_nothing(tmp_path):
    page = results_tree.write_all(tmp_path).read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["form-action"] == rules["base-uri"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'"
