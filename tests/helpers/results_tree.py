"""A small tree of data and results in the project's file formats, without any model behind it."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triage_workflow.params.declared import defaults

from evaluated import evaluate_run
from results_studies import BRAIN, Study, image_of, label_of
from triage.data import attributes
from triage.evaluation.settings import EvaluationSettings
from triage.files import read_rows, read_table, write_array, write_json, write_rows
from triage.training.settings import Recipe

PROJECT = Path(__file__).parents[2]
ARMS = {"resnet18": 0.7, "lstm": 1.1, "finetuned": 1.3}  # how well each tells the classes apart
SEEDS = (1, 2)
# Of volumes: the stage of each arm, the arm it goes on from, and its weights, all and trained.
STAGES = {
    "resnet18": ("training", None, 11_176_512, 11_176_512),
    "lstm": ("sequence", "resnet18", 198_785, 198_785),
    "finetuned": ("finetuning", "lstm", 11_375_297, 11_375_168),
}
ORIGINS = {arm: origin for arm, (_, origin, *_) in STAGES.items() if origin}
COMPARED = {
    "chain": list(ARMS),
    "searches": {"wide": {"lstm": {"model.options.hidden": 8}, "finetuned": {"optimizer.lr": 0.1}}},
    "balancing": {"lstm": {"method": "oversample", "exclude_votes": [3, 4], "seed": 1}},
}
EVALUATION = EvaluationSettings(replicates=100)


@dataclass(frozen=True)
class Tree:
    """The files of a study below ``root``."""

    root: Path
    study: Study
    pseudonyms: bool = False

    @property
    def data(self) -> Path:
        return self.root / "data" / self.study.name

    @property
    def results(self) -> Path:
        return self.root / "results" / self.study.name

    @property
    def split(self) -> Path:
        return self.data / "split" / "fold0.csv"

    @property
    def parts(self) -> list[Path]:
        """The lists of the training, validation and test cases."""
        return [self.data / "parts" / part / "fold0.csv" for part in ("train", "val", "test")]

    @property
    def evaluation(self) -> EvaluationSettings:
        study = self.study
        return replace(EVALUATION, task=study.task, classes=study.classes)

    def images(self) -> dict[str, list[Path]]:
        folder = self.data / "images"
        return {"arrays": sorted(folder.glob("*.npy")), "tables": sorted(folder.glob("*.csv"))}

    def runs(self, pattern: str) -> list[Path]:
        return sorted(self.results.glob(pattern))

    def predictions(self) -> list[Path]:
        """Of each run those of its validation and test part."""
        folders = self.runs("predictions/*/*")
        return [folder / name for folder in folders for name in ("val.csv", "test.csv")]


def write_all(root: Path, *studies: Study, pseudonyms: bool = False) -> Path:
    """Data, runs, pictures and the report; the path of the report."""
    trees = [Tree(root, study, pseudonyms) for study in studies or (BRAIN,)]
    for tree in trees:
        write_data(tree)
        write_runs(tree)
        write_pictures(tree)
    return write_report(trees)


def write_data(tree: Tree, cases: int = 48, unlabelled: int = 4, shards: int = 2) -> None:
    """Manifest, quarantine, withdrawn, split and images."""
    study, rng = tree.study, np.random.default_rng(1)
    manifest, split, stacks = [], [], {}
    for i in range(cases + unlabelled):
        case = f"P{i:03d}"
        part = ("val", "test", "train", "train")[(i // 2 + i // 8) % 4]
        known = i < cases and (study.tested or part != "test")
        label = label_of(study, i) if known else ""
        stacks[case] = image_of(study, rng, label)
        part = part if label else "unlabelled"
        same = {"case": case, "group": case, "label": label}
        files = {role: f"{case}/{role}.mha" for role in study.roles}
        source = {
            "votes": "" if study.slices > 1 else i % 8,
            "partition": "",
            "files": json.dumps(files),
            "size": 1000 + i,
        }
        person = {"age": f"{rng.uniform(20, 80):.1f}", "sex": "MF"[i % 2]}
        person = {"sha256": f"{i:064x}", "attributes": attributes.text(person)}
        manifest.append(same | source | person)
        split.append(same | {"fold": i // 2 % 4 if label else -1, "partition": part})
    _write(manifest, tree.data / "manifest.csv")
    _write(split, tree.split)
    grouped = [_grouped(row) for row in split]
    _write(grouped, tree.data / "groups.csv")
    votes = {row["case"]: row["votes"] for row in manifest}
    for place, path in zip(("train", "val", "test"), tree.parts, strict=True):
        rows = [each for each, row in zip(grouped, split, strict=True) if row["partition"] == place]
        listed = [row | {"votes": votes[row["case"]]} for row in rows]
        _write(listed, path, [*grouped[0]])
    bad = {"file": "train/normal/X1/T1.mha", "case": "X1", "reason": "truncated <b>file</b>"}
    _write([bad], tree.data / "quarantine.csv")
    used = {"use": "used", "kind": ".mha", "files": str(3 * len(manifest)), "example": "a/T1.mha"}
    unused = {"use": "unused", "kind": ".nii", "files": "1", "example": "a/T1c.nii"}
    _write([used, unused], tree.data / "counts.csv")
    gone = {"case": "P900", "date": "2024-05-01", "reason": "withdrew consent"}
    _write([gone], tree.data / "withdrawn.csv")
    seen = {"case": gone["case"], "partition": "train", "checkpoint": "weak/fold0/checkpoint.pt"}
    _write([seen | {"md5": "0" * 32, "commit": "abc"}], tree.data / "consent.csv")
    for shard in range(shards):
        chosen = {case: stacks[case] for case in list(stacks)[shard::shards]}
        write_shard(tree.data / "images" / f"shard-{shard}", chosen)


def _grouped(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the split as it stands in the table of groups."""
    part = "unlabelled" if row["partition"] == "unlabelled" else "train"
    more = {"votes": "", "part": part, "images": f"of {row['case']}", "reason": "", "twin": ""}
    return {key: row[key] for key in ("case", "group", "label", "fold")} | more


def write_shard(target: Path, stacks: dict[str, np.ndarray]) -> None:
    """An array of images and its table, beside each other."""
    array = np.concatenate(list(stacks.values()))
    rows: list[dict[str, object]] = []
    for case, stack in stacks.items():
        for index, image in enumerate(stack):
            place = {"row": len(rows), "case": case, "index": index}
            height, width = image.shape[1:]
            check = {"fingerprint": "", "crc32": zlib.crc32(array[len(rows)])}
            rows.append(place | {"height": height, "width": width} | check)
    write_array(array, target.with_suffix(".npy"))
    _write(rows, target.with_suffix(".csv"))


def write_runs(tree: Tree) -> None:
    """Histories, records, predictions and metrics of every arm and seed, and the table."""
    for number, arm in enumerate(ARMS):
        for seed in SEEDS:
            rng = np.random.default_rng([number, seed])
            _write_history(tree, f"{arm}/fold0-seed{seed}", rng)
            _write_record(tree, f"{arm}/fold0-seed{seed}")
            _write_predictions(tree, arm, f"{arm}/fold0-seed{seed}", rng)
            _write_metrics(tree, f"{arm}/fold0-seed{seed}")
    write_study_table(tree)
    write_card(tree)


def _write_history(tree: Tree, run: str, rng: np.random.Generator) -> None:
    rows = []
    for epoch in range(1, 9):
        learnt, held = np.exp(-0.2 * epoch), np.exp(-0.1 * epoch)
        training = {"loss": 0.7 * learnt + rng.normal(0, 0.01), "accuracy": 1 - 0.5 * learnt}
        noise = rng.normal(0, 0.02, 2)
        val = {"val_loss": 0.7 * held + noise[0], "val_accuracy": 1 - 0.5 * held + noise[1]}
        rows.append({"epoch": epoch, "lr": 1e-4} | training | val)
    _write(rows, tree.results / "training" / run / "history.csv")


def _write_record(tree: Tree, run: str) -> None:
    arm, volumes = run.split("/")[0], tree.study.slices > 1
    stage, _, weights, trained = STAGES[arm if volumes else "resnet18"]
    recipe = defaults(Recipe)
    record = {
        "settings": {
            "arm": arm,
            "images": {
                "reader": "volumes" if volumes else "folders",
                "mode": "volume" if volumes else "rgb",
                "size": None,
            },
            "recipe": recipe,
            "sequence": {"frozen": True} if stage == "sequence" else None,
            "stage": stage,
        },
        "code": "0123456789abcdef",
        "git_commit": "0" * 40,
        "versions": {"python": "3.11", "torch": "2.12"},
        "data": {"manifest": "a" * 64, "tables": ["b" * 64]},
        "seconds": 12.5,
        "device": "x86_64 processor, 2 cores",
        "parameters": weights,
        "trained_parameters": trained,
        "cases": {"train": 24, "val": 12},
    }
    write_json(record, tree.results / "training" / run / "record.json")


def _write_predictions(tree: Tree, arm: str, run: str, rng: np.random.Generator) -> None:
    folder, study = tree.results / "predictions" / run, tree.study
    slices = []
    for part in ("val", "test", "unlabelled"):
        rows = []
        for case in read_rows(tree.split):
            if case["partition"] != part:
                continue
            truths = [int(name in case["label"].split("|")) for name in study.outputs]
            raw = np.array([rng.normal(ARMS[arm] * (2 * truth - 1), 1) for truth in truths])
            logits = study.task.logits(raw)
            for name, truth, logit in zip(study.outputs, truths, logits, strict=True):
                score = {"logit": logit, "probability": study.task.probabilities(logit)}
                same = {"case": case["case"], "class": name}
                rows.append(same | {"label": "" if part == "unlabelled" else truth} | score)
                for index in range(2, study.slices - 2):
                    slices.append({"case": case["case"], "index": index, "class": name} | score)
        _write(rows, folder / f"{part}.csv", ["case", "class", "label", "logit", "probability"])
    columns = ["case", "index", "class", "logit", "probability"]
    _write(slices if arm == "resnet18" else [], folder / "slices.csv", columns)


def _write_metrics(tree: Tree, run: str) -> None:
    folder = tree.results / "predictions" / run
    val, test = (read_table(folder / f"{part}.csv") for part in ("val", "test"))
    content = evaluate_run(val, test, read_table(tree.split), tree.evaluation)
    write_json(content, tree.results / "metrics" / f"{run}.json")


def write_study_table(tree: Tree) -> None:
    published = tree.root / "published.csv"
    row = {"study": tree.study.name, "arm": "lstm", "metric": "accuracy", "split": "val"}
    row |= {"value": "0.66", "sd": "", "data": "their own", "note": ""}
    _write([row | {"source": "a report <em>, page 3"}], published)
    settings = {"study": tree.study.name, "data": "phantoms", "arms": {}}
    settings |= {"evaluation": asdict(tree.evaluation)}
    run_script(
        "compare.py",
        metrics=tree.runs("metrics/*/*.json"),
        predictions=tree.predictions(),
        parts=tree.parts,
        published=[published],
        settings=[json.dumps(settings)],
        table=[tree.results / "table.csv"],
        comparison=[tree.results / "comparison.csv"],
        headline=[tree.results / "headline.json"],
        winner=[tree.results / "winner.json"],
        external=[tree.results / "external.csv"],
    )


def write_pictures(tree: Tree) -> None:
    settings = {"classes": tree.study.classes, "cases": 4, "seed": 1, "pseudonyms": tree.pseudonyms}
    explored = [name for name in tree.study.pictures if name.startswith("explore")]
    run_script(
        "explore.py",
        settings=[json.dumps(settings)],
        manifest=[tree.data / "manifest.csv"],
        split=[tree.split],
        groups=[tree.data / "groups.csv"],
        figures=[tree.results / name for name in explored],
        **tree.images(),
    )
    write_figures(tree, [name for name in tree.study.pictures if name not in explored])


def write_figures(tree: Tree, names: Sequence[str]) -> None:
    settings = {
        **{"classes": tree.study.classes, "cases": 4, "seed": 1, "pseudonyms": tree.pseudonyms},
        **{"confidence": 0.95, "replicates": 100, "bins": 10, "task": tree.study.task},
        "compared": COMPARED,
        "selection": dict.fromkeys(ARMS, "loss"),
    }
    run_script(
        "draw_figures.py",
        settings=[json.dumps(settings)],
        histories=tree.runs("training/*/*/history.csv"),
        metrics=tree.runs("metrics/*/*.json"),
        predictions=tree.predictions(),
        slices=tree.runs("predictions/*/*/slices.csv"),
        winner=[tree.results / "winner.json"],
        parts=tree.parts,
        figures=[tree.results / name for name in names],
        **tree.images(),
    )


def write_card(
    tree: Tree,
    members: dict[str, list[str]] | None = None,
    answers: dict[str, str] | None = None,
) -> None:
    split = {"k": 4, "seed": 1, "validation": "fold", "test": "fold", "stratify": "label"}
    settings = {
        **{"told": tree.study.told, "classes": tree.study.classes, "phantom": True},
        **{"task": tree.study.task, "members": members or {}},
        "split": split | {"near_duplicate_bits": 16, "leaks": "drop"},
        "evaluation": asdict(tree.evaluation),
        "origins": ORIGINS if tree.study.slices > 1 else {},
        "answers": answers or {},
    }
    words = PROJECT / "workflow" / "report"
    run_script(
        "write_card.py",
        settings=[json.dumps(settings)],
        winner=[tree.results / "winner.json"],
        metrics=tree.runs("metrics/*/*.json"),
        predictions=tree.predictions(),
        records=tree.runs("training/*/*/record.json"),
        splits=[tree.split],
        manifest=[tree.data / "manifest.csv"],
        groups=[tree.data / "groups.csv"],
        quarantine=[tree.data / "quarantine.csv"],
        withdrawn=[tree.data / "withdrawn.csv"],
        texts=[words / "texts.yaml"],
        checklists=[words / "checklists.yaml"],
        card=[tree.results / "card.md"],
        checklist=[tree.results / "checklist.md"],
        page=[tree.results / "card.json"],
    )


def write_report(trees: Sequence[Tree], phantom: bool = True) -> Path:
    words = PROJECT / "workflow" / "report"
    studies = [
        {
            **{"name": tree.study.name, "classes": tree.study.classes, "phantom": phantom},
            **{"confidence": 0.95, "pseudonyms": tree.pseudonyms, "told": tree.study.told},
        }
        for tree in trees
    ]
    page = trees[0].root / "results" / "report.html"
    names = {Path(name).stem for tree in trees for name in tree.study.pictures}
    run_script(
        "report.py",
        settings=[json.dumps({"studies": studies})],
        manifests=[tree.data / "manifest.csv" for tree in trees],
        groups=[tree.data / "groups.csv" for tree in trees],
        quarantines=[tree.data / "quarantine.csv" for tree in trees],
        counts=[tree.data / "counts.csv" for tree in trees],
        withdrawn=[tree.data / "withdrawn.csv" for tree in trees],
        consents=[tree.data / "consent.csv" for tree in trees],
        splits=[tree.split for tree in trees],
        tables=[tree.results / "table.csv" for tree in trees],
        cards=[tree.results / "card.json" for tree in trees],
        metrics=[path for tree in trees for path in tree.runs("metrics/*/*.json")],
        records=[path for tree in trees for path in tree.runs("training/*/*/record.json")],
        figures=[tree.results / name for tree in trees for name in tree.study.pictures],
        captions=[words / f"{name}.rst" for name in sorted(names)],
        texts=[words / "texts.yaml"],
        template=[words / "report.html.jinja"],
        report=[page],
    )
    return page


def run_script(script: str, **options: Sequence[Any]) -> None:
    """Run a script of the project. Fails with what it printed."""
    arguments = [str(each) for key, values in options.items() for each in (f"--{key}", *values)]
    command = [sys.executable, str(PROJECT / "scripts" / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _write(rows: list[dict[str, Any]], target: Path, columns: list[str] | None = None) -> None:
    write_rows(rows, columns or list(rows[0]), target)
