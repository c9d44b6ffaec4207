"""Arms without a network: fitted to the training part, kept without pickles, used as others."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from training_runs import arguments, part_list, run_here, run_settings, write_study
from triage.data.image_store import Images
from triage.files import read_rows
from triage.models import FLOORS
from triage.training.cases import read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.prediction import Predictor


def fit(study: Path, out: Path, name: str, **changes: object) -> Path:
    """The checkpoint that ``fit.py`` writes."""
    options = {"trees": 20, "depth": 3} if name == "random_forest" else {}
    model = {"architecture": name, "options": options}
    settings = run_settings(model=model, select={"by": "last"}, epochs=1, **changes)
    words = arguments("train.py", study, out, settings)[2:]
    run_here("fit.py", words)
    return out / "checkpoint.pt"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"), cases=60, slices=3)


@pytest.mark.parametrize("name", FLOORS)
def test_what_is_fitted_predicts_as_a_network_does(study: Path, tmp_path: Path, name: str) -> None:
    path = fit(study, tmp_path / "a", name)
    assert path.read_bytes() == fit(study, tmp_path / "b", name).read_bytes()
    checkpoint = Checkpoint.load(path)
    assert len(checkpoint.cases["train"]) == 30
    assert checkpoint.record["versions"].keys() >= {"scikit-learn", "torch"}
    with zipfile.ZipFile(path) as archive:
        pickled = b"".join(archive.read(each) for each in archive.namelist() if ".pkl" in each)
    assert b"sklearn" not in pickled
    shards = [study / f"shard-{k}.npy" for k in (0, 1)]
    images = Images.open(shards, [each.with_suffix(".csv") for each in shards])
    cases = read_cases([part_list(study, "test")])
    found = Predictor(checkpoint, torch.device("cpu"))(images, cases)
    assert found.logits.shape == (len(cases), 3, 1)
    probability = checkpoint.task.probabilities(checkpoint.task.pooled(found.logits))[:, 0]
    abnormal = np.array([label == "abnormal" for label in cases.labels])
    assert probability[abnormal].min() > probability[~abnormal].max()
    (row,) = read_rows(tmp_path / "a" / "history.csv")
    assert (row["epoch"], row["lr"]) == ("1", "")
    assert float(row["val_auc"]) > 0.95


def test_validation_cases_teach_it_nothing(study: Path, tmp_path: Path) -> None:
    first = Checkpoint.load(fit(study, tmp_path / "a", "logistic_regression"))
    both = {"train_on": ["train", "val"]}
    more = Checkpoint.load(fit(study, tmp_path / "b", "logistic_regression", **both))
    assert len(more.cases["train"]) == 45
    assert not torch.equal(first.weights["weight"], more.weights["weight"])
    alone = write_study(tmp_path / "c", cases=60, slices=3)
    array = np.load(alone / "shard-1.npy")
    part_list(alone, "val").write_text(part_list(alone, "val").read_text().splitlines()[0] + "\n")
    assert len(array)
    without = Checkpoint.load(fit(alone, tmp_path / "d", "logistic_regression"))
    assert torch.equal(first.weights["weight"], without.weights["weight"])


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOORS)
def test_what_is_fitted_is_exported_as_a_network_is(study: Path, tmp_path: Path, name: str) -> None:
    pytest.importorskip("onnxruntime")
    from triage.training.export import Deployed, run_onnx, stored_images, write_onnx

    checkpoint = Checkpoint.load(fit(study, tmp_path, name))
    model = Deployed([checkpoint], {})
    write_onnx(model, {}, tmp_path / "model.onnx")
    shards = [study / f"shard-{k}.npy" for k in (0, 1)]
    images = Images.open(shards, [each.with_suffix(".csv") for each in shards])
    cases = read_cases([part_list(study, "test")])
    found = run_onnx(tmp_path / "model.onnx", stored_images(model, images, cases.names))
    task = checkpoint.task
    logits = Predictor(checkpoint, torch.device("cpu"))(images, cases).logits
    assert found == pytest.approx(task.probabilities(task.pooled(logits)), abs=1e-4)
