"""The three stages and prediction, each as its own process, on tiny volumes."""

import csv
import json
import math
import shutil
import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch

from training_runs import (
    ROOT,
    arguments,
    finish,
    part_list,
    predicted_files,
    recipe_block,
    run_settings,
    write_study,
)
from triage.evaluation.ensemble import average
from triage.evaluation.settings import EvaluationSettings
from triage.training.checkpoint import Checkpoint

SLICES = 3
NETWORK = {"architecture": "resnet18", "options": {"hidden": [16]}}
SEQUENCE = {"hidden": 4, "layers": 2, "pooling": "final", "frozen": True}
QUICK = {"model": NETWORK, "epochs": 2, "batch_size": 4}


class Stages:
    """The folders of a run, made one from the other."""

    def __init__(self, root):
        self.root = root
        self.study = write_study(root / "study", cases=16, slices=SLICES, size=32)

    def command(self, script, name, settings, *more):
        command = arguments(script, self.study, self.root / name, settings, *more)
        if script in ("extract_features.py", "predict_cases.py"):
            unwanted = ["--settings", "--code", "--scratch"]
            unwanted += ["--checkpoint", "--history", "--record"]
            unwanted += ["--train"] * (script == "predict_cases.py")
            for option in unwanted:
                at = command.index(option)
                del command[at : at + 2]
        return command

    def checkpoint(self, name):
        return self.root / name / "checkpoint.pt"

    def weights(self, name, part=""):
        weights = Checkpoint.load(self.checkpoint(name)).weights
        return {
            key.removeprefix(part): each for key, each in weights.items() if key.startswith(part)
        }

    def rows(self, name, table):
        with open(self.root / name / table, encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def train(self):
        finish(self.command("train.py", "cnn", run_settings(**QUICK)))

    def features(self, copies=2):
        settings = {
            "augmented_copies": copies,
            "augment": recipe_block(augment={"flip": 0.5})["augment"],
        }
        files = {"--features": "features.npy", "--cases": "features.csv"}
        outputs = [
            each for name, path in files.items() for each in (name, self.root / "cnn" / path)
        ]
        settings = ["--settings", json.dumps(settings | {"seed": 1})]
        checkpoint = ["--checkpoint", self.checkpoint("cnn")]
        finish(self.command("extract_features.py", "cnn", {}, *settings, *checkpoint, *outputs))

    def sequence_command(self, name, *more, **sequence):
        settings = run_settings("sequence", SEQUENCE | sequence, **QUICK)
        start = ["--parent", self.checkpoint("cnn")]
        if settings["sequence"]["frozen"]:
            start += ["--features", self.root / "cnn" / "features.npy"]
            start += ["--cases", self.root / "cnn" / "features.csv"]
        return self.command("train_sequence.py", name, settings, *start, *more)

    def finetune_command(self, name, *more):
        settings = run_settings("finetuning", **QUICK | {"batch_size": 2})
        start = ["--parent", self.checkpoint("frozen")]
        return self.command("finetune.py", name, settings, *start, *more)

    def predict(self, name):
        outputs = predicted_files(self.root / name)
        lists = [f"--{part}={part_list(self.study, part)}" for part in ("test", "unlabelled")]
        checkpoint = ["--checkpoint", self.checkpoint(name)]
        finish(self.command("predict_cases.py", name, {}, *checkpoint, *lists, *outputs))


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    made = Stages(tmp_path_factory.mktemp("stages"))
    made.train()
    made.features()
    finish(made.sequence_command("frozen"))
    finish(made.sequence_command("drifting", frozen=False, pooling="last"))
    finish(made.finetune_command("finetuned"))
    for name in ("cnn", "frozen"):
        made.predict(name)
    return made


def changed(first, second):
    """The names of the tensors that differ: weights, and buffers of batch norm."""
    assert first.keys() == second.keys()
    names = {name for name, each in first.items() if not each.equal(second[name])}
    buffers = {name for name in names if "running_" in name or "num_batches" in name}
    return names - buffers, buffers


def test_the_frozen_network_is_the_same_bit_for_bit(stages):
    assert changed(stages.weights("cnn"), stages.weights("frozen", "cnn.")) == (set(), set())


def test_the_published_way_lets_batch_norm_drift_and_nothing_else(stages):
    weights, buffers = changed(stages.weights("cnn"), stages.weights("drifting", "cnn."))
    assert not weights
    assert len(buffers) == 3 * 20  # mean, variance and count of each batch norm


def test_fine_tuning_changes_both(stages):
    for part in ("cnn.", "sequence."):
        first, second = (stages.weights(name, part) for name in ("frozen", "finetuned"))
        assert changed(first, second)[0]


def test_features_are_those_of_the_frozen_network(stages):
    features = np.load(stages.root / "cnn" / "features.npy")
    assert features.dtype == np.float32
    assert features.shape == (3, 12, SLICES, 16)
    names = [row["case"] for row in stages.rows("cnn", "features.csv")]
    assert names == sorted(names)
    checkpoint = Checkpoint.load(stages.checkpoint("cnn"))
    mean, std = (
        torch.tensor(each)[:, None, None]
        for each in (checkpoint.normalisation.mean, checkpoint.normalisation.std)
    )
    images = np.load(stages.study / "shard-0.npy")[: 8 * SLICES]
    with torch.no_grad():
        network = checkpoint.network().eval()
        expected = network.features((torch.from_numpy(images).float() - mean) / std)
    assert np.allclose(features[0, :8].reshape(-1, 16), expected, atol=1e-3)
    assert not np.allclose(features[1], features[0], atol=1e-2)


def test_a_case_gets_the_mean_probability_of_its_slices(stages):
    slices = stages.rows("cnn", "slices.csv")
    for partition in ("val", "test", "unlabelled"):
        for row in stages.rows("cnn", f"{partition}.csv"):
            own = [float(each["probability"]) for each in slices if each["case"] == row["case"]]
            assert len(own) == SLICES
            assert math.isclose(np.mean(own), float(row["probability"]), rel_tol=1e-6)
            probability = np.exp(-np.logaddexp(0, -float(row["logit"])))
            assert math.isclose(probability, float(row["probability"]), rel_tol=1e-6)


def test_predictions_have_every_case_of_their_partition_once(stages):
    for name in ("cnn", "frozen"):
        for partition in ("val", "test", "unlabelled"):
            rows = stages.rows(name, f"{partition}.csv")
            expected = stages.rows("study", f"parts/{partition}/fold0.csv")
            assert [row["case"] for row in rows] == sorted(row["case"] for row in expected)
            labels = {row["case"]: row["label"] for row in expected}
            words = {"1": "abnormal", "0": "normal", "": ""}
            assert all(words[row["label"]] == labels[row["case"]] for row in rows)
            assert {row["class"] for row in rows} == {"abnormal"}
    assert stages.rows("frozen", "slices.csv") == []


def test_the_record_says_how_it_came_about(stages):
    record = json.loads((stages.root / "frozen" / "record.json").read_text())
    assert record["settings"]["sequence"] == SEQUENCE
    assert set(record["data"]) == {"train", "val", "checkpoint", "features"}
    checkpoint = Checkpoint.load(stages.checkpoint("frozen"))
    assert checkpoint.record["data"] == record["data"]
    assert checkpoint.cases["train"] == sorted(checkpoint.cases["train"])
    assert len(checkpoint.cases["train"]) == 8


def test_pooled_logits_of_sure_slices_stay_finite():
    from triage.task import Task

    sure = np.array([[[800.0], [900.0]], [[-800.0], [-900.0]], [[2.0], [2.0]]])
    found = Task.BINARY.pooled(sure)
    assert np.isfinite(found).all()
    assert found[0] > 700
    assert np.isclose(found[2, 0], 2.0)


@pytest.mark.parametrize(
    "winner", [*(pytest.param(one, marks=pytest.mark.slow) for one in ("cnn", "frozen")), "both"]
)
def test_an_exported_model_says_what_the_workflow_says(stages, tmp_path, winner):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    run = "fold0-seed1"
    runs = {name: tmp_path / name / run for name in ("cnn", "frozen", "both")}
    page = {"metrics": {"roc_auc": {"value": 0.7}}}
    metrics = {"partitions": {"val": page}, "operating_point": "half", "choices": {}}
    for name, folder in runs.items():
        folder.mkdir(parents=True)
        folder.with_suffix(".json").write_text(json.dumps(metrics))
        if name != "both":
            shutil.copy(stages.checkpoint(name), folder)
    (tmp_path / "winner.json").write_text(json.dumps({"arm": winner}))
    options = {
        "--settings": [json.dumps({"members": {f"both/{run}": [f"cnn/{run}", f"frozen/{run}"]}})],
        "--winner": [tmp_path / "winner.json"],
        "--metrics": [f"{folder}.json" for folder in runs.values()],
        "--checkpoints": [runs[name] / "checkpoint.pt" for name in ("cnn", "frozen")],
        "--parts": [part_list(stages.study, name) for name in ("test", "val", "unlabelled")],
        "--arrays": sorted(stages.study.glob("*.npy")),
        "--tables": sorted(stages.study.glob("shard*.csv")),
        "--model": [tmp_path / "model.onnx"],
        "--description": [tmp_path / "model.json"],
    }
    flat = [str(each) for name, values in options.items() for each in (name, *values)]
    finish([sys.executable, str(ROOT / "scripts" / "export.py"), *flat, "--threads", "1"])

    told = json.loads((tmp_path / "model.json").read_text())
    assert told["input"]["shape"] == ["cases", SLICES, 3, 32, 32]
    assert told["checked"]["cases"] == 8
    assert str(ROOT).encode() not in (tmp_path / "model.onnx").read_bytes()
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.get_modelmeta().custom_metadata_map["study"] == "demo"
    images = np.load(stages.study / "shard-1.npy").reshape(-1, SLICES, 3, 32, 32)
    (found,) = session.run(None, {"images": images.astype(np.float32)})
    members = ["cnn", "frozen"] if winner == "both" else [winner]
    expected = {}
    for name in members:
        for part in ("val", "test", "unlabelled"):
            for row in stages.rows(name, f"{part}.csv"):
                own = expected.setdefault(row["case"], [])
                own.append(float(row["probability"]))
    assert found[:, 0] == pytest.approx([np.mean(each) for each in expected.values()], abs=1e-5)


def test_validation_cases_that_were_trained_on_choose_nothing(stages):
    settings = run_settings(**QUICK, train_on=["train", "val"], select={"by": "last"})
    finish(stages.command("train.py", "all", settings))
    stages.predict("all")
    assert stages.rows("all", "val.csv") == []
    assert stages.rows("all", "test.csv") != []
    folder = stages.root / "all"
    parts = [f"--{part}={folder / part}.csv" for part in ("val", "test")]
    lists = [part_list(stages.study, name) for name in ("train", "val", "test")]
    script = [sys.executable, str(ROOT / "scripts" / "evaluate.py")]
    output = folder / "metrics.json"
    settings = json.dumps(asdict(EvaluationSettings(replicates=50)))
    own = ["--parts", *map(str, lists), f"--settings={settings}", f"--metrics={output}"]
    finish([*script, *parts, *own])
    content = json.loads(output.read_text())
    assert content["partitions"]["val"] is None
    for point in ("youden", "sensitivity"):
        chosen = content["choices"]["abnormal"]["operating_points"][point]
        assert (chosen["threshold"], chosen["chosen_on"]) == (0.5, "fixed")
        assert "not trained on" in chosen["reason"]


def test_an_ensemble_predicts_no_case_that_a_member_was_trained_on(stages):
    rows = stages.rows("cnn", "val.csv")
    tables = {"one": pd.DataFrame(rows), "other": pd.DataFrame(columns=list(rows[0]))}
    assert average(tables).empty
    assert len(average({"one": tables["one"], "other": tables["one"]})) == len(rows)
