"""One predictor of all folds, with flips: raw to report, in both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from triage.errors import UserError
from triage.files import read_json, read_rows
from triage.model import Model
from two_hospitals import hospital_a, hospital_b, settings
from workflow_copy import ROOT, Workflow

pytestmark = pytest.mark.slow

RESULTS = "results/lesions"
FOLDS = (0, 1, 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    folder = tmp_path_factory.mktemp("folds")
    hospital_a(folder / "a")
    hospital_b(folder / "b")
    content = settings(folder)
    study = content["studies"]["lesions"]
    study |= {"folds": list(FOLDS), "ensembles": {"whole": {"arms": ["small"], "over": "folds"}}}
    study["training"]["arms"] = {"small": {"predict": {"flips": ["vertical"]}}}
    study["submission"] = {"arm": "whole"}

    def change(old: dict[str, Any]) -> None:
        old.clear()
        old.update(content)

    workflow = Workflow(folder / "copy", change)
    workflow.snakemake("--quiet", "host")
    return workflow


def table(made: Workflow, run: str, part: str) -> pd.Series:
    """The probabilities of a run's cases."""
    path = made.folder / RESULTS / "predictions" / run / f"{part}.csv"
    return pd.read_csv(path).set_index("case")["probability"].sort_index()


def test_each_case_is_validated_by_the_network_that_did_not_learn_it(made: Workflow) -> None:
    folds = [table(made, f"small/fold{fold}-seed1", "val") for fold in FOLDS]
    pd.testing.assert_series_equal(
        table(made, "whole/foldall-seed1", "val"), pd.concat(folds).sort_index()
    )
    for part in ("test", "external/hospital_b"):
        tests = [table(made, f"small/fold{fold}-seed1", part) for fold in FOLDS]
        mean = pd.concat(tests, axis=1).mean(axis=1)
        pd.testing.assert_series_equal(
            table(made, "whole/foldall-seed1", part), mean, check_names=False
        )


def test_thresholds_come_from_all_folds_and_it_is_said_everywhere(made: Workflow) -> None:
    folder = made.folder / RESULTS
    page = read_json(folder / "metrics/whole/foldall-seed1.json")
    assert page["members"] == [f"small/fold{fold}-seed1" for fold in FOLDS]
    assert page["flips"] == {"small": ["vertical"]}
    own = [read_json(folder / f"metrics/small/fold{fold}-seed1.json") for fold in FOLDS]
    assert page["partitions"]["val"]["cases"] == sum(
        each["partitions"]["val"]["cases"] for each in own
    )
    assert page["choices"]["melanoma"]["operating_points"]["youden"]["chosen_on"] == "val"
    rows = {row["arm"]: row for row in read_rows(folder / "table.csv")}
    assert [rows["whole"][name] for name in ("runs", "folds", "seeds")] == ["1", "3", "1"]
    assert rows["zero_rate"]["runs"] == "3"
    assert "out-of-fold" in read_json(folder / "winner.json")["by"]
    report = (made.folder / "results/report.html").read_text()
    for words in ("one predictor of 3 networks", "out-of-fold", "small also sees images flipped"):
        assert words in report
    submitted = pd.read_csv(folder / "submission.csv")
    assert len(submitted) == len(table(made, "whole/foldall-seed1", "test"))
    assert read_json(folder / "metrics/whole/foldall-seed1/hospital_b.json")["cases"] == 16


def test_whoever_uses_it_gets_its_networks_flips_and_thresholds(made: Workflow) -> None:
    metrics = made.folder / RESULTS / "metrics/whole/foldall-seed1.json"
    model = Model.load(metrics=metrics, device="cpu")
    assert len(model.predictors) == 3
    raw = made.folder.parent / "a/images"
    expected = table(made, "whole/foldall-seed1", "test")
    found = model.predict(*(raw / f"{name}.png" for name in expected.index), threads=1)
    probabilities = [each.probabilities["melanoma"] for each in found]
    assert probabilities == pytest.approx(expected.to_list(), rel=1e-5)
    (threshold,) = model.thresholds.values()
    called = [each.decision == "melanoma" for each in found]
    assert called == list(np.array(probabilities) > threshold)
    single = made.folder / RESULTS / "training/small/fold1-seed1/checkpoint.pt"
    alone = Model.load(metrics=made.folder / RESULTS / "metrics/small/fold1-seed1.json")
    assert alone.thresholds == Model.load(single).thresholds
    with pytest.raises(UserError, match="not of small/fold1-seed1"):
        Model.load(single, metrics=metrics)
    with pytest.raises(UserError, match="neither checkpoint nor metrics"):
        Model.load()


def test_both_engines_have_nothing_left_to_do_and_flips_train_nothing(made: Workflow) -> None:
    assert made.run("python", str(ROOT / "tests/helpers/stage_targets.py")) == ""
    assert made.planned() == set()
    assert "up to date" in made.run("dvc", "status")

    def unflip(content: dict[str, Any]) -> None:
        content["studies"]["lesions"]["training"]["arms"]["small"] = {}

    made.change(unflip)
    assert "train" not in made.planned()
    made.snakemake("--quiet", "host")
    assert "flips" not in read_json(made.folder / RESULTS / "metrics/whole/foldall-seed1.json")
    assert "up to date" in made.run("dvc", "status")
    assert made.planned() == set()
