"""The first study whole, through Snakemake: from phantoms to submission and report."""

import csv
import json

import pytest
import torch

from workflow_copy import Workflow


def rows(workflow: Workflow, path: str) -> list[dict[str, str]]:
    with open(workflow.folder / path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_everything_is_there_and_nothing_is_left_to_do(done):
    assert (done.folder / "results/report.html").stat().st_size > 10_000
    assert done.planned() == set()


def test_the_submission_is_valid(done):
    printed = done.run(
        "python",
        "scripts/check_submission.py",
        "results/braintriage/submission.csv",
        "--split",
        "data/braintriage/split/fold0.csv",
    )
    assert "is valid: 3 cases" in printed


def test_every_labelled_patient_is_in_one_partition_and_unlabelled_ones_in_none(done):
    split = rows(done, "data/braintriage/split/fold0.csv")
    parts = {
        part: {r["case"] for r in split if r["partition"] == part}
        for part in ("train", "val", "test", "unlabelled")
    }
    assert {part: len(cases) for part, cases in parts.items()} == {
        "train": 4,
        "val": 4,
        "test": 4,
        "unlabelled": 3,
    }
    assert len(set.union(*parts.values())) == 15


@pytest.mark.parametrize("arm", ["resnet18", "lstm", "finetuned"])
def test_each_arm_predicts_exactly_its_partitions(done, arm):
    split = rows(done, "data/braintriage/split/fold0.csv")
    for part in ("val", "test", "unlabelled"):
        path = f"results/braintriage/predictions/{arm}/fold0-seed1/{part}.csv"
        found = rows(done, path)
        assert {r["case"] for r in found} == {r["case"] for r in split if r["partition"] == part}
        assert all(0 <= float(r["probability"]) <= 1 for r in found)


def test_frozen_means_bit_identical(done):
    folder = done.folder / "results/braintriage/training"
    states = [
        torch.load(folder / arm / "fold0-seed1/checkpoint.pt", weights_only=True)["weights"]
        for arm in ("resnet18", "lstm", "finetuned")
    ]
    cnn, sequence, finetuned = states
    assert all(torch.equal(cnn[name], sequence[f"cnn.{name}"]) for name in cnn)
    assert not all(torch.equal(cnn[name], finetuned[f"cnn.{name}"]) for name in cnn)


def test_metrics_come_with_intervals_and_the_table_with_the_zero_rate(done):
    table = rows(done, "results/braintriage/table.csv")
    assert [r["arm"] for r in table][:4] == ["zero_rate", "resnet18", "lstm", "finetuned"]
    metrics = json.loads(
        (done.folder / "results/braintriage/metrics/lstm/fold0-seed1.json").read_text()
    )
    brier = metrics["partitions"]["test"]["metrics"]["brier"]
    assert 0 <= brier["low"] <= brier["value"] <= brier["high"] <= 1


def test_a_changed_rate_of_the_sequence_model_remakes_it_and_what_follows(done):
    before = (done.folder / "params.yaml").read_text()

    def change(content):
        sequence = content["studies"]["braintriage"]["training"]["sequence"]
        sequence["recipe"]["optimizer"]["lr"] = 0.002

    done.change(change)
    try:
        assert done.planned() == {
            "train_sequence",
            "finetune",
            "predict",
            "evaluate",
            "table",
            "submission",
            "card",
            "checksums",
            "figures_volumes",
            "explain",
            "report",
            "all",
        }
    finally:
        (done.folder / "params.yaml").write_text(before)
    assert done.planned() == set()


def test_snakemakes_own_report_has_every_picture_with_its_caption(done):
    done.snakemake("--report", "snakemake-report.html")
    page = (done.folder / "snakemake-report.html").read_text()
    folders = ("explore", "figures", "explain")
    study = done.folder / "results" / "braintriage"
    pictures = [path for folder in folders for path in (study / folder).iterdir()]
    assert len(pictures) > 10
    for path in pictures:
        assert path.relative_to(done.folder).as_posix() in page
        caption = (done.folder / "workflow" / "report" / f"{path.stem}.rst").read_text()
        assert caption.split("**")[1] in page


def test_a_misspelt_setting_stops_before_any_job(done):
    before = (done.folder / "params.yaml").read_text()
    done.change(lambda content: content["recipe"].update(epoks=3))
    try:
        printed = done.snakemake(fails=True)
    finally:
        (done.folder / "params.yaml").write_text(before)
    assert "params.yaml: recipe: unknown key epoks" in printed
    assert "did you mean epochs?" in printed
    assert "Traceback" not in printed
    assert "Execute" not in printed


def test_slices_in_the_sources_layout(done):
    done.snakemake("data/braintriage/slices/labels_slices.csv")
    labels = rows(done, "data/braintriage/slices/labels_slices.csv")
    assert len(labels) == (12 + 3) * 6
    first = labels[0]
    path = done.folder / f"data/braintriage/slices/{first['patient_nr']}_{first['slice_nr']}.pt"
    tensor = torch.load(path, weights_only=True)
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.float32, (3, 48, 48))
