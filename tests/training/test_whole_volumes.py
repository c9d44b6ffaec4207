"""A network of MONAI over whole volumes, from training to predictions."""

from pathlib import Path

import numpy as np
import pytest

from training_runs import (
    arguments,
    part_list,
    predicted_files,
    run_here,
    run_settings,
    write_study,
)
from triage.files import read_rows
from triage.training.checkpoint import Checkpoint

KEYWORDS = {"init_features": 4, "growth_rate": 4, "block_config": [1]}


@pytest.mark.slow  # importing MONAI takes seconds
def test_whole_volumes_are_learnt_and_predicted(tmp_path: Path) -> None:
    pytest.importorskip("monai", reason="the extra monai is not installed")
    study = write_study(tmp_path / "study", cases=60, slices=8)
    model = {"architecture": "monai", "options": {"network": "DenseNet121", "keywords": KEYWORDS}}
    settings = run_settings(
        model=model,
        epochs=12,
        batch_size=8,
        optimizer={"lr": 0.01, "first_layer": 0.5},
        select={"by": "auc"},
    )
    run_here("train.py", arguments("train.py", study, tmp_path, settings)[2:])
    checkpoint = Checkpoint.load(tmp_path / "checkpoint.pt")
    assert checkpoint.over_volumes
    words = ["--checkpoint", str(tmp_path / "checkpoint.pt"), *predicted_files(tmp_path)]
    words += [
        each
        for name in ("val", "test", "unlabelled")
        for each in (f"--{name}", str(part_list(study, name)))
    ]
    words += ["--arrays", *(str(study / f"shard-{k}.npy") for k in (0, 1))]
    words += ["--tables", *(str(study / f"shard-{k}.csv") for k in (0, 1))]
    run_here("predict_cases.py", [*words, "--device", "cpu", "--threads", "1"])
    rows = read_rows(tmp_path / "test.csv")
    found = {
        label: [float(r["probability"]) for r in rows if r["label"] == label] for label in "01"
    }
    assert np.mean(found["1"]) > np.mean(found["0"]) + 0.2
    assert read_rows(tmp_path / "slices.csv") == []
