"""A study's table from the files of its runs, through the scripts that write it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluated import evaluate_run
from test_evaluation_run import predictions
from triage.data.split import part as cut_part
from triage.errors import UserError
from triage.evaluation.arms import Run, measure_arms, read_runs, zero_rate
from triage.evaluation.ensemble import average
from triage.evaluation.metrics import METRICS
from triage.evaluation.published import beside_ours, read_published
from triage.evaluation.settings import EvaluationSettings
from triage.evaluation.table import build_table, columns_of, winner, winner_record
from triage.files import read_table, write_json, write_table
from triage.runs import ALL, places
from triage.task import Task

ROOT = Path(__file__).parents[2]
SETTINGS = EvaluationSettings(replicates=300, seed=0)
ARMS = {"weak": 0.4, "strong": 1.0}
CASES = [f"c{i:03d}" for i in range(160)]
PUBLISHED = pd.DataFrame(
    [
        ["toy", "weak", "accuracy", "test", 0.7, np.nan, "theirs", "a report", ""],
        ["toy", "weak", "f1", "val", 0.6, np.nan, "theirs", "a report", ""],
        ["toy", "elsewhere", "roc_auc", "test", 0.9, 0.01, "theirs", "a paper", "ten seeds"],
        ["other", "strong", "roc_auc", "test", 0.8, np.nan, "theirs", "a report", ""],
    ],
    columns=["study", "arm", "metric", "split", "value", "sd", "data", "source", "note"],
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two arms on two folds, whose test parts differ, with two seeds each."""
    root = tmp_path_factory.mktemp("toy")
    for fold in (0, 1):
        split = split_of(fold)
        write_table(split, root / f"split/fold{fold}.csv")
        for number, (arm, strength) in enumerate(ARMS.items()):
            for seed in (1, 2):
                key = 100 * fold + 10 * seed + number
                parts = {
                    part: labelled(split[split["partition"] == part], key, strength)
                    for part in ("val", "test")
                }
                run = f"{arm}/fold{fold}-seed{seed}"
                for part, table in parts.items():
                    write_table(table, root / "predictions" / run / f"{part}.csv")
                content = evaluate_run(parts["val"], parts["test"], split, SETTINGS)
                write_json(content, root / "metrics" / f"{run}.json")
    return root


def split_of(fold: int) -> pd.DataFrame:
    parts = np.roll(["train"] * 60 + ["val"] * 50 + ["test"] * 50, 50 * fold)
    label = ["abnormal" if i % 5 < 2 else "normal" for i in range(len(CASES))]
    columns = {"case": CASES, "group": CASES, "label": label, "fold": 0, "partition": parts}
    return pd.DataFrame(columns)


def labelled(split: pd.DataFrame, seed: int, strength: float) -> pd.DataFrame:
    """Predictions whose labels are those of the split, whatever the seed."""
    drawn = predictions(split["case"].tolist(), seed)
    truth = (split["label"] == "abnormal").to_numpy(dtype=int)
    logit = np.random.default_rng(seed).normal(strength * (2 * truth - 1), 1)
    return drawn.assign(label=truth, logit=logit, probability=1 / (1 + np.exp(-logit)))


def files_of(tree: Path) -> tuple[list[Path], list[Path]]:
    metrics = sorted((tree / "metrics").glob("*/*.json"), reverse=True)
    return metrics, [tree / "predictions" / path.parent.name / path.stem for path in metrics]


def runs_of(tree: Path) -> tuple[str, list]:
    return read_runs(*files_of(tree), pd.concat([split_of(0), split_of(1)]).drop_duplicates("case"))


def test_table_has_a_row_an_arm_with_means_intervals_and_spread(tree: Path):
    partition, runs = runs_of(tree)
    origins = {"strong": {"initialisation": "pretext", "search": ""}}
    table, comparisons = build_table("toy", runs, PUBLISHED, SETTINGS, data="phantom", arms=origins)
    assert partition == "test"
    assert list(table.columns) == columns_of(METRICS)
    assert table["arm"].tolist() == ["zero_rate", "weak", "strong", "elsewhere"]
    strong = table.set_index("arm").loc["strong"]
    assert (strong["runs"], strong["folds"], strong["seeds"], strong["cases"]) == (4, 2, 2, 100)
    assert (strong["winner"], strong["data"]) == (1, "phantom")
    assert strong["initialisation"] == "pretext"
    aucs = {
        (run.fold, run.seed): run.value("test", "roc_auc") for run in runs if run.arm == "strong"
    }
    assert strong["roc_auc"] == pytest.approx(np.mean(list(aucs.values())))
    assert strong["roc_auc_low"] < strong["roc_auc"] < strong["roc_auc_high"]
    folds = [np.mean([aucs[fold, seed] for seed in (1, 2)]) for fold in (0, 1)]
    assert strong["roc_auc_sd_folds"] == pytest.approx(np.std(folds, ddof=1))
    assert strong["roc_auc_sd_seeds"] > 0
    weak = table.set_index("arm").loc["weak"]
    assert weak["roc_auc_difference"] == pytest.approx(weak["roc_auc"] - strong["roc_auc"])
    assert weak["roc_auc_p_holm"] < 0.05
    assert {each.reference for each in comparisons} == {"strong"}


def test_arms_are_tested_against_the_best_that_is_no_network(tree: Path):
    runs = runs_of(tree)[1]
    table, comparisons = build_table("toy", runs, PUBLISHED, SETTINGS, floors=("weak",))
    arms = table.set_index("arm")
    assert arms.loc[["weak", "strong"], "floor"].tolist() == [1, 0]
    assert arms.loc["strong", "ahead"] == 1
    assert arms.loc["strong", "floor_difference"] == -arms.loc["weak", "roc_auc_difference"]
    assert arms.loc["strong", "floor_difference_low"] > 0
    assert arms.loc[["zero_rate", "weak"], "ahead"].isna().all()
    assert {(each.reference, each.arm) for each in comparisons} == {
        ("strong", "weak"),
        ("weak", "strong"),
    }
    behind = build_table("toy", runs, PUBLISHED, SETTINGS, floors=("strong",))[0].set_index("arm")
    assert behind.loc["weak", "ahead"] == 0
    assert behind.loc["weak", "floor_difference"] == arms.loc["weak", "roc_auc_difference"]


def test_a_mean_over_runs_has_no_precision_where_a_run_calls_nothing(tree: Path):
    runs = runs_of(tree)[1]
    silent = next(run for run in runs if run.arm == "weak")
    assert silent.sample is not None
    low = np.full_like(silent.sample.probabilities, 1e-9)
    quiet = dataclasses.replace(silent.sample, probabilities=low)
    changed = [dataclasses.replace(run, sample=quiet) if run is silent else run for run in runs]
    table, comparisons = build_table("toy", changed, PUBLISHED, SETTINGS)
    weak = table.set_index("arm").loc["weak"]
    assert np.isnan(weak["precision"])
    assert weak["recall"] > 0
    (compared,) = [each for each in comparisons if each.metric == "precision"]
    assert np.isnan(compared.p)
    assert compared.reason == "undefined for one of the arms"


def test_zero_rate_row_comes_first_and_has_no_spread_of_seeds(tree: Path):
    zero = build_table("toy", runs_of(tree)[1], PUBLISHED, SETTINGS)[0].iloc[0]
    assert (zero["arm"], zero["roc_auc"], zero["accuracy"]) == (
        "zero_rate",
        0.5,
        pytest.approx(0.6),
    )
    assert np.isnan(zero["roc_auc_sd_seeds"])
    assert zero["roc_auc_low"] == zero["roc_auc_high"] == 0.5  # whatever the cases


def test_published_values_stand_beside_ours_of_the_same_metric_and_part(tree: Path):
    _, runs = runs_of(tree)
    table = build_table("toy", runs, PUBLISHED, SETTINGS, data="phantom")[0].set_index("arm")
    weak = table.loc["weak"]
    assert (weak["published_metric"], weak["published_value"]) == ("accuracy", 0.7)
    assert (weak["data"], weak["published_data"]) == ("phantom", "theirs")
    mine = [run.value("test", "accuracy", "half") for run in runs if run.arm == "weak"]
    assert weak["ours_value"] == pytest.approx(np.mean(mine))
    assert pd.isna(table.loc["strong", "published_value"])
    elsewhere = table.loc["elsewhere"]
    assert (elsewhere["runs"], elsewhere["published_value"]) == (0, 0.9)
    assert pd.isna(elsewhere["roc_auc"])
    beside = beside_ours(PUBLISHED, "toy", runs)
    assert beside["arm"].tolist() == ["weak", "weak", "elsewhere"]
    assert np.isnan(beside["ours"]).tolist() == [False, False, True]


def test_winner_is_chosen_on_validation_only(tree: Path):
    _, runs = runs_of(tree)
    assert winner(runs) == "strong"
    for run in runs:
        page = run.metrics["partitions"]["test"]["metrics"]["roc_auc"]
        page["value"] = 1.0 if run.arm == "weak" else 0.0
    assert winner(runs) == "strong"
    # A floor is there to compare with.
    assert winner(runs, ["strong"]) == winner_record(runs, ["strong"])["arm"] == "weak"
    table, _ = build_table("toy", runs, None, SETTINGS, floors=["strong"])
    assert table.loc[table["winner"] == 1, "arm"].tolist() == ["weak"]
    assert winner(runs, ["strong", "weak"]) == "strong"
    for run in runs:
        run.metrics["partitions"]["val"] = None
    assert winner_record(runs)["arm"] is None
    table, comparisons = build_table("toy", runs, PUBLISHED, SETTINGS)
    assert table["winner"].sum() == 0
    assert comparisons == []


def test_folds_are_pooled_into_a_narrower_interval_than_each_has(tree: Path):
    _, runs = runs_of(tree)
    both = (
        measure_arms([run for run in runs if run.seed == 1], SETTINGS)[0]
        .means["roc_auc"]
        .replicates
    )
    for fold in (0, 1):
        one = [run for run in runs if run.seed == 1 and run.fold == fold]
        alone = measure_arms(one, SETTINGS)[0].means["roc_auc"].replicates
        assert np.std(both) < 0.9 * np.std(alone)
    assert len(zero_rate(runs, SETTINGS)[0].samples) == 2


def test_runs_on_the_same_cases_are_drawn_together(tree: Path):
    _, runs = runs_of(tree)
    weak = next(run for run in runs if run.arm == "weak")
    first, second = measure_arms([weak, replace(weak, arm="twin")], SETTINGS)
    drawn = [each.means["f1"].replicates for each in (first, second)]
    assert np.array_equal(*drawn, equal_nan=True)


def test_without_labelled_test_cases_validation_is_compared(tree: Path, tmp_path: Path):
    metrics, folders = files_of(tree)
    made = []
    for folder in folders:
        copy = tmp_path / folder.parent.name / folder.name
        write_table(pd.read_csv(folder / "val.csv"), copy / "val.csv")
        write_table(pd.read_csv(folder / "test.csv").assign(label=""), copy / "test.csv")
        made.append(copy)
    split = pd.concat([split_of(0), split_of(1)]).drop_duplicates("case")
    partition, runs = read_runs(metrics, made, split)
    assert partition == "val"
    table, _ = build_table("toy", runs, PUBLISHED, SETTINGS, partition=partition)
    assert set(table["partition"].dropna()) == {"val"}


def test_metrics_and_predictions_of_different_runs_are_refused(tree: Path):
    metrics, folders = files_of(tree)
    with pytest.raises(UserError, match="not of the same run"):
        read_runs(metrics, folders[::-1], split_of(0))


def test_scripts_write_what_the_library_makes(tree: Path, tmp_path: Path):
    metrics, folders = files_of(tree)
    write_table(PUBLISHED, tmp_path / "published.csv")
    settings = json.dumps(asdict(SETTINGS))
    splits = [tree / "split/fold0.csv", tree / "split/fold1.csv"]
    split = read_table(splits[int(folders[0].name[4])]).assign(votes="", images="")
    lists = [tmp_path / "parts" / part / "fold0.csv" for part in ("train", "val", "test")]
    for path in lists:
        write_table(cut_part(split, path.parent.name), path)
    run_script(
        "evaluate.py",
        *("--val", folders[0] / "val.csv", "--test", folders[0] / "test.csv", "--parts", *lists),
        *("--settings", settings, "--metrics", tmp_path / "run.json"),
    )
    assert (tmp_path / "run.json").read_bytes() == metrics[0].read_bytes()
    names = ("table", "comparison", "winner", "headline", "external")
    outputs = {name: tmp_path / name for name in names}
    of_table = {"study": "toy", "data": "phantom", "arms": {}, "evaluation": asdict(SETTINGS)}
    run_script(
        "compare.py",
        *("--metrics", *metrics, "--predictions", *(folder / "test.csv" for folder in folders)),
        *("--parts", *splits, "--published", tmp_path / "published.csv"),
        *("--settings", json.dumps(of_table)),
        *(part for name, path in outputs.items() for part in (f"--{name}", path)),
    )
    table = pd.read_csv(outputs["table"])
    expected = build_table("toy", runs_of(tree)[1], PUBLISHED, SETTINGS, data="phantom")[0]
    assert table["roc_auc_low"].to_numpy() == pytest.approx(expected["roc_auc_low"], nan_ok=True)
    assert json.loads(outputs["winner"].read_text())["arm"] == "strong"
    followed = json.loads(outputs["headline"].read_text())
    assert followed.pop("arm") == "strong"
    chosen = expected[expected["winner"] == 1].iloc[0]
    assert followed == {name: round(chosen[name], 4) for name in ("roc_auc", "balanced_accuracy")}
    assert len(pd.read_csv(outputs["comparison"])) == 11
    first, second = folders[0] / "val.csv", folders[1] / "val.csv"
    members = ("--settings", '{"task": "binary"}', "--members", first, second)
    run_script("average.py", *members, "--predictions", tmp_path / "val.csv")
    assert len(pd.read_csv(tmp_path / "val.csv")) == len(pd.read_csv(first))


def run_script(name: str, *arguments: object) -> None:
    subprocess.run(
        [sys.executable, ROOT / "scripts" / name, *map(str, arguments)], check=True, timeout=300
    )


def test_ensemble_is_the_mean_of_probabilities_with_its_logit():
    first = predictions(CASES[:3], 1).assign(probability=[0.0, 0.2, 1.0], label=[0, 1, 1])
    second = first.assign(probability=[0.0, 0.6, 1.0]).iloc[::-1]
    mean = average({"a.csv": first, "b.csv": second})
    assert mean["probability"].tolist() == pytest.approx([0, 0.4, 1])
    assert mean["logit"][1] == pytest.approx(np.log(0.4 / 0.6))
    assert np.isfinite(mean["logit"]).all()
    exclusive = average({"a.csv": first, "b.csv": second}, Task.MULTICLASS)
    assert exclusive["logit"][1] == pytest.approx(np.log(0.4))
    nothing = average({"a.csv": first.head(0), "b.csv": first.head(0)})
    assert list(nothing.columns) == list(first.columns)
    assert nothing.empty


def test_out_of_fold_each_case_has_the_mean_of_those_that_did_not_learn_it():
    first = predictions(CASES[:3], 1).assign(probability=[0.1, 0.2, 0.3])
    second = predictions(CASES[2:5], 1).assign(probability=[0.5, 0.6, 0.7])
    second.loc[second["case"] == CASES[2], "label"] = first["label"].iloc[2]
    members = {"fold0.csv": first, "fold1.csv": second}
    mean = average(members, out_of_fold=True)
    assert mean["case"].tolist() == sorted(CASES[:5])
    assert mean.set_index("case").loc[CASES[:5], "probability"].tolist() == pytest.approx(
        [0.1, 0.2, 0.4, 0.6, 0.7]
    )
    odds = mean["probability"] / (1 - mean["probability"])
    assert mean["logit"].to_numpy() == pytest.approx(np.log(odds.to_numpy()))
    assert average({"fold0.csv": first}, out_of_fold=True)["label"].tolist() == list(first["label"])
    assert average(members | {"fold2.csv": first.head(0)}, out_of_fold=True).empty
    with pytest.raises(UserError, match=f"{CASES[2]} has other labels in one than in another"):
        average(members | {"b.csv": second.assign(label=1 - second["label"])}, out_of_fold=True)


def test_an_ensemble_over_folds_is_counted_by_its_networks():
    members = [f"small/fold{fold}-seed1" for fold in (0, 1)]
    page = {"partitions": {}, "choices": {}}
    single = Run("small", 0, 1, page, None)
    whole = Run("whole", ALL, 1, page | {"members": members}, None)
    assert single.places == [(0, 1)]
    assert whole.places == [(0, 1), (1, 1)]
    assert winner_record([single])["by"] == "mean validation roc_auc"
    assert "out-of-fold" in winner_record([single, whole])["by"]
    assert [places("foldall-seed2"), places("fold3-seedall")] == [(ALL, 2), (3, ALL)]
    assert [places(name) for name in ("fold-seed1", "foldall", "fold1-seed1x")] == [None] * 3


def test_members_of_an_ensemble_must_agree():
    first = predictions(CASES[:3], 1)
    with pytest.raises(UserError, match=r"b\.csv: its column case is not that of a\.csv"):
        average({"a.csv": first, "b.csv": predictions(CASES[1:4], 1)})
    with pytest.raises(UserError, match="column label"):
        average({"a.csv": first, "b.csv": first.assign(label=1 - first["label"])})


def test_published_values_that_ship_can_be_read():
    table = read_published(ROOT / "presets" / "published.csv")
    assert set(table["study"]) == {"braintriage", "xray_heads", "pneumonia", "mhist", "melanoma"}
    assert table["value"].between(0, 1).all()
    assert (table[["data", "source"]] != "").all().all()
    assert not table.duplicated(["study", "arm", "metric", "split"]).any()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("value", "high"),
        ("metric", "auroc"),
        ("split", "holdout"),
        ("link", "javascript:alert(1)"),
        ("link", "https://example.org/a b"),
    ],
)
def test_wrong_published_rows_are_refused(tmp_path: Path, column: str, value: str):
    table = PUBLISHED.astype(object).assign(link="")
    table.loc[1, column] = value
    write_table(table, tmp_path / "published.csv")
    with pytest.raises(UserError, match=r"published\.csv, line 3: " + column):
        read_published(tmp_path / "published.csv")
