"""The command that predicts new files: like the workflow, and honest about what it can't do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import scans
import triage
from trained import CLASSES, Trained, face, read, run, train
from training_runs import ROOT, finish, part_list, predicted_files
from triage.data.image_store import Images
from triage.data.reference import Reference
from triage.data.split import PARTITIONS
from triage.errors import UserError
from triage.evaluation.evaluate import evaluate_samples
from triage.evaluation.operating import POINTS
from triage.evaluation.samples import read_sample
from triage.evaluation.settings import EvaluationSettings
from triage.files import read_table, write_json
from triage.model import Model
from triage.task import Task
from triage.training.checkpoint import Checkpoint
from triage.training.export import Deployed, stored_images
from triage.training.settings import Flip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    raw = tmp_path_factory.mktemp("pictures") / "raw"
    for i in range(40):
        path = raw / CLASSES[i % 2] / f"case{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(i)).save(path)
    model = {"architecture": "lesion_cnn", "options": {"size": 24}}
    return train(raw, "folders", 32, "grey", {"input": {"crop": 24}, "model": model})


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    raw = tmp_path_factory.mktemp("volumes") / "raw"
    scans.write_cohort(raw, each=10, unlabelled=0)
    model = {"architecture": "lesion_cnn", "options": {"size": 16}}
    input_block = {"slices": [1, 5], "crop": 16, "normalise": "volume"}
    return train(raw, "volumes", None, "volume", {"input": input_block, "model": model})


@pytest.mark.parametrize("kind", ["pictures", "volumes"])
def test_new_files_are_predicted_as_by_the_workflow(
    kind: str, request: pytest.FixtureRequest
) -> None:
    trained: Trained = request.getfixturevalue(kind)
    expected = trained.predicted()
    rows, printed = trained.predict(*(Path(path) for path in expected))
    found = {row["case"]: float(row["probability_abnormal"]) for row in rows}
    assert found == pytest.approx(expected, rel=1e-5)
    assert len(found) >= 4
    for row in rows:
        assert float(row["probability_normal"]) == pytest.approx(1 - found[row["case"]])
        assert row["decision"] == CLASSES[found[row["case"]] > float(row["threshold_abnormal"])]
    assert f"{len(found)} case(s) predicted, 0 of them unlike" in printed


@pytest.fixture(scope="module")
def judged(pictures: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint where the workflow has it, with the run's metrics."""
    root = tmp_path_factory.mktemp("results") / "demo"
    run = Path("small", "fold0-seed1")
    checkpoint = root / "training" / run / "checkpoint.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(pictures.checkpoint.read_bytes())
    parts = [part_list(pictures.folder, name) for name in PARTITIONS]
    split = pd.concat(
        [read_table(path, ["case"]).assign(partition=path.parent.name) for path in parts]
    )
    samples = [read_sample(pictures.folder / f"{name}.csv", split) for name in ("val", "test")]
    settings = EvaluationSettings(replicates=100, task=Task.BINARY, classes=CLASSES)
    metrics_of(checkpoint).parent.mkdir(parents=True)
    write_json(evaluate_samples(*samples, split, settings), metrics_of(checkpoint))
    return checkpoint


def metrics_of(checkpoint: Path) -> Path:
    return checkpoint.parents[3] / "metrics" / "small" / "fold0-seed1.json"


def test_the_stored_threshold_decides(pictures: Trained, judged: Path) -> None:
    content = json.loads(metrics_of(judged).read_text())
    stored = content["choices"]["abnormal"]["operating_points"]["youden"]["threshold"]
    model = Model.load(judged)
    assert model.thresholds == {"abnormal": stored}
    expected = pictures.predicted()
    found = {each.case: each for each in model.predict(*expected)}
    assert found.keys() == expected.keys()
    for case, each in found.items():
        assert each.decision == CLASSES[expected[case] > stored]
    alone = Model.load(pictures.checkpoint)
    assert alone.thresholds == {"abnormal": 0.5}
    assert "0.5" in alone.decided
    given = Model.load(
        judged, pictures.checkpoint, metrics=judged.parents[3] / "metrics/small/fold0-seed1.json"
    )
    assert given.thresholds == model.thresholds
    assert [each.probabilities for each in given.predict(*expected)] == [
        pytest.approx(found[case].probabilities) for case in sorted(found)
    ]


def test_predictions_are_scored_as_by_the_workflow(
    pictures: Trained, judged: Path, tmp_path: Path
) -> None:
    cases = pictures.predicted()
    labels = tmp_path / "labels.csv"
    rows = [f"{Path(case).name};{Path(case).parent.name}" for case in cases]
    labels.write_text("\n".join(["file;label", *rows, "elsewhere.png;normal"]))
    output = tmp_path / "new.csv"
    words = ["--checkpoint", judged, *cases, "--output", output, "--labels", labels]
    printed = finish([sys.executable, str(ROOT / "scripts" / "predict.py"), *map(str, words)])
    assert "1 row(s) are of no predicted case, such as elsewhere.png" in printed
    found = json.loads((tmp_path / "new.metrics.json").read_text())
    content = json.loads(metrics_of(judged).read_text())
    expected = content["partitions"]["test"]["metrics"]
    for name, each in expected.items():
        if each["value"] is not None:
            assert found["metrics"][name]["value"] == pytest.approx(each["value"], abs=1e-6)
    assert found["metrics"]["roc_auc"]["low"] <= found["metrics"]["roc_auc"]["value"]
    model = Model.load(judged)
    for point in POINTS:
        own = replace(model, point=point)
        page = own.score(own.predict(*cases), {case: Path(case).parent.name for case in cases})
        assert page["metrics"]["recall"] == page["operating_points"][point]["metrics"]["recall"]
    first, twice = next(iter(cases)), [f"{case},{label}" for case in cases for label in CLASSES]
    labels.write_text("\n".join(["file,label", *twice]))
    output.unlink()
    printed = finish([sys.executable, str(ROOT / "scripts" / "predict.py"), *map(str, words)], 1)
    assert f"line 3: {first} has the label 'abnormal', and 'normal' above" in printed
    labels.write_text("file,label\n" + "\n".join(f"{case},ill" for case in cases))
    printed = finish([sys.executable, str(ROOT / "scripts" / "predict.py"), *map(str, words)], 1)
    assert "labels.csv, line 2: case" in printed
    assert "has the label 'ill'" in printed
    assert "must be of normal, abnormal" in printed
    labels.write_text("file,label\nelsewhere.png,normal\n")
    printed = finish([sys.executable, str(ROOT / "scripts" / "predict.py"), *map(str, words)], 1)
    assert "has no label of a case that is predicted" in printed
    assert not output.exists(), "labels are read before anything is predicted"


def test_options_stand_before_and_after_files(pictures: Trained, tmp_path: Path) -> None:
    first, second, *_ = pictures.predicted()
    output = tmp_path / "new.csv"
    words = [
        first,
        "--checkpoint",
        pictures.checkpoint,
        second,
        "--output",
        output,
        "--flip",
        "horizontal",
    ]
    finish([sys.executable, str(ROOT / "scripts" / "predict.py"), *map(str, words)])
    rows = {row["case"]: float(row["probability_abnormal"]) for row in read(output)}
    assert rows.keys() == {first, second}
    mirrored = []
    for i, case in enumerate((first, second)):
        Image.open(case).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / f"{i}.png")
        mirrored.append(tmp_path / f"{i}.png")
    plain = Model.load(pictures.checkpoint)
    for case, other in zip((first, second), mirrored, strict=True):
        both = [each.probabilities["abnormal"] for each in plain.predict(case, other)]
        assert rows[case] == pytest.approx(np.mean(both), rel=1e-5)
        assert both[0] != pytest.approx(both[1], rel=1e-6)


def test_flips_of_a_run_are_those_of_its_predictions_and_of_whoever_uses_it(
    pictures: Trained, judged: Path, tmp_path: Path
) -> None:
    flips: list[Flip] = ["horizontal", "vertical"]
    asked = ["--settings", json.dumps({"flips": flips}), *predicted_files(tmp_path)]
    asked += [f"--{name}={part_list(pictures.folder, name)}" for name in PARTITIONS[1:]]
    run("predict_cases.py", pictures.folder, "--checkpoint", pictures.checkpoint, *asked)
    expected = {
        pictures.cases[row["case"]]: float(row["probability"])
        for row in read(tmp_path / "test.csv")
    }
    assert read(tmp_path / "slices.csv") != read(pictures.folder / "slices.csv")
    assert len(read(tmp_path / "slices.csv")) == len(read(pictures.folder / "slices.csv"))
    content = json.loads(metrics_of(judged).read_text())
    told = tmp_path / "metrics.json"
    write_json(content | {"flips": {"small": flips}}, told)

    def found(model: Model) -> list[float]:
        return [each.probabilities["abnormal"] for each in model.predict(*expected)]

    same = [expected[case] for case in sorted(expected)]
    assert found(Model.load(judged, metrics=told)) == pytest.approx(same, rel=1e-6)
    assert found(Model.load(judged, flips=flips)) == pytest.approx(same, rel=1e-6)
    for plain in (Model.load(judged), Model.load(judged, metrics=told, flips=())):
        assert found(plain) != pytest.approx(same, rel=1e-6)
    write_json(content | {"flips": {"small": ["sideways"]}}, told)
    with pytest.raises(UserError, match="'sideways' is not allowed"):
        Model.load(judged, metrics=told)
    checkpoint = Checkpoint.load(pictures.checkpoint)
    deployed = Deployed([checkpoint], {"small": flips}).eval()
    images = Images.open([pictures.folder / "shard-0.npy"], [pictures.folder / "shard-0.csv"])
    files = {path: case for case, path in pictures.cases.items()}
    names = [files[path] for path in sorted(expected)]
    with torch.no_grad():
        exported = deployed(torch.from_numpy(stored_images(deployed, images, names)))
    assert exported[:, 0].tolist() == pytest.approx(same, abs=1e-5)


def test_the_lines_of_the_documentation_work(
    judged: Path,
    pictures: Trained,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (ROOT / "docs" / "using-a-model.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    case = next(iter(pictures.predicted()))
    code = code.replace("results/pneumonia/training/cnn5/fold0-seed1/checkpoint.pt", str(judged))
    exec(code.replace("scan1.png", case).replace("folder/", str(Path(case).parent)))
    assert case in capsys.readouterr().out


def test_the_package_imports_nothing_by_itself() -> None:
    code = (
        "import sys, triage; print([n for n in ('torch', 'numpy', 'pandas') if n in sys.modules])"
    )
    printed = finish([sys.executable, "-c", code])
    assert printed.strip() == "[]"
    assert "Model" in triage.__all__


def test_bad_files_have_a_row_with_the_reason_and_the_rest_goes_on(
    pictures: Trained, tmp_path: Path
) -> None:
    Image.fromarray(face(77)).save(tmp_path / "good.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:300])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.dat").write_text("not a picture")
    rows, printed = pictures.predict(tmp_path, status=3)
    by_name = {Path(row["case"]).name: row for row in rows}
    assert set(by_name) == {"good.png", "cut.png", "empty.jpg", "notes.dat"}
    assert 0 < float(by_name["good.png"]["probability_abnormal"]) < 1
    for name, reason in {
        "cut.png": "cut short",
        "empty.jpg": "empty",
        "notes.dat": "no pict",
    }.items():
        assert by_name[name]["probability_abnormal"] == ""
        assert reason in by_name[name]["remark"]
    assert "1 case(s) predicted" in printed
    assert "3 could not be used" in printed


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda image: 255 - image, "likeness to the mean image"),
        (lambda image: (image / 8).astype(np.uint8), "brightest"),
        (
            lambda image: np.random.default_rng(0).permuted(image.ravel()).reshape(image.shape),
            "rough",
        ),
    ],
)
def test_an_image_unlike_the_training_images_is_marked(
    pictures: Trained, tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], word: str
) -> None:
    Image.fromarray(face(78)).save(tmp_path / "usual.png")
    Image.fromarray(change(face(79))).save(tmp_path / "odd.png")
    rows, printed = pictures.predict(tmp_path)
    odd, usual = rows
    assert usual["remark"] == ""
    assert word in odd["remark"]
    assert "training images have" in odd["remark"]
    assert float(odd["probability_abnormal"]) <= 1, "it is predicted all the same"
    assert "odd.png is unlike the training images" in printed


def test_a_patient_who_lacks_a_sequence_or_slices_is_reported(
    volumes: Trained, tmp_path: Path
) -> None:
    scans.write_patient(tmp_path / "new" / "A", 50, ".nii.gz")
    scans.write_patient(tmp_path / "new" / "B", 51)
    (tmp_path / "new" / "B" / "T2.mha").unlink()
    for i, name in enumerate(scans.SEQUENCES):
        thin = scans.volume(scans.voxels(90 + i, (3, 20, 18)))
        scans.write(thin, tmp_path / "new" / "C" / f"{name}.mha")
    rows, _ = volumes.predict(tmp_path / "new", status=3)
    by_name = {Path(row["case"]).name: row for row in rows}
    assert float(by_name["A"]["probability_abnormal"]) > 0
    assert "lacks T2" in by_name["B"]["remark"]
    assert "3 slice(s), must have 5" in by_name["C"]["remark"]
    alone, _ = volumes.predict(tmp_path / "new" / "A")
    assert alone[0]["probability_abnormal"] == by_name["A"]["probability_abnormal"]


def test_strange_names_and_broken_links_have_a_row_and_the_rest_goes_on(
    pictures: Trained, tmp_path: Path
) -> None:
    new, elsewhere = tmp_path / "new", tmp_path / "elsewhere"
    for folder in (new, elsewhere):
        folder.mkdir()
        Image.fromarray(face(77)).save(folder / "good.png")
    for name in (b"caf\xe9.png", b"new\nline.png", b"good.png"):
        (new / "b").mkdir(exist_ok=True)
        Image.fromarray(face(80)).save(os.fsencode(new / "b") + b"/" + name)
    (new / "linked").symlink_to(elsewhere, target_is_directory=True)
    (new / "nowhere.png").symlink_to("missing.png")
    (new / "loop").symlink_to(new, target_is_directory=True)
    os.mkfifo(new / "pipe.png")
    for name in ("Thumbs.db", ".hidden.png"):
        (new / name).write_bytes(b"x")
    rows, printed = pictures.predict(new, status=3)
    assert "Traceback" not in printed
    found = {Path(row["case"]).relative_to(new).as_posix(): row for row in rows}
    good = {"good.png", "b/good.png", "linked/good.png"}
    bad = {r"b/caf\xe9.png", r"b/new\x0aline.png", "nowhere.png", "pipe.png"}
    assert found.keys() == good | bad
    assert all(0 < float(found[name]["probability_abnormal"]) < 1 for name in good)
    assert all("can't be used: can't be read" in found[name]["remark"] for name in bad)


def test_strange_names_may_be_given_one_by_one(pictures: Trained, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9"))
    folder.mkdir()
    Image.fromarray(face(77)).save(folder / "good.png")
    (folder / "good.png").rename(given := folder / os.fsdecode(b"caf\xe9.png"))
    Image.fromarray(face(77)).save(folder / "good.png")
    rows, _ = pictures.predict(given, folder / "good.png", status=3)
    by_name = {row["case"].removeprefix(f"{tmp_path}/"): row for row in rows}
    assert "can't be read" in by_name[r"\xe9/caf\xe9.png"]["remark"]
    assert 0 < float(by_name[r"\xe9/good.png"]["probability_abnormal"]) < 1


def test_an_output_that_can_not_be_written_is_found_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    command = [sys.executable, str(ROOT / "scripts" / "predict.py"), str(tmp_path)]
    command += ["--checkpoint", str(tmp_path / "none.pt")]
    printed = finish([*command, "--output", str(tmp_path / "file" / "new.csv")], 1)
    assert "new.csv: can't be written" in printed
    assert "none.pt" not in printed


def test_what_is_not_there_is_a_plain_error(pictures: Trained, tmp_path: Path) -> None:
    _, printed = pictures.predict(tmp_path / "nowhere", status=1)
    assert "nowhere: is not there" in printed
    assert "Traceback" not in printed


def test_training_images_are_like_themselves(pictures: Trained) -> None:
    folder = pictures.folder
    images = Images.open([folder / "shard-0.npy"], [folder / "shard-0.csv"])
    names = [row["case"] for row in read(part_list(folder, "train"))]
    reference = Reference.of(images, names)
    assert not any(reference.unlike(images.stack(name)) for name in names)
    assert reference.unlike(np.repeat(images.stack(names[0]), 3, axis=1)) != []
