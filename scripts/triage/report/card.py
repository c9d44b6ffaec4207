"""A study's model card, and its checklist of what a publication reports.

The card follows Mitchell et al., Model Cards for Model Reporting (FAT* 2019). The checklist has the
items of CLAIM (2024 update) and TRIPOD+AI (2024) in our words; what a run knows is filled in.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triage.data.split import SplitSettings
from triage.errors import UserError
from triage.evaluation.choices import Choices
from triage.evaluation.evaluate import EvaluationSettings
from triage.evaluation.samples import Sample
from triage.evaluation.subgroups import Subgroup, by_subgroup
from triage.files import read_json, read_rows
from triage.report.data import PARTITIONS
from triage.report.results import METRICS
from triage.report.sections import Section

AUTHOR = "Author: to fill."
SHOWN = ("roc_auc", "recall", "specificity")  # of subgroups
NAMES = {"val": "validation", "test": "test"}
SPLITS = {
    "fold": "a fold of the groups, drawn by a seed",
    "source": "as the source gives it",
    "none": "none",
}
SCALES = {
    "training": "training statistics",
    "fixed": "fixed values",
    "volume": "each volume's own statistics",
}
FIELD = re.compile(r"\{(\w+)\}")

Json = Mapping[str, Any]
Row = Mapping[str, str]


@dataclass(frozen=True)
class CardSettings:
    """What the card reads of a study's settings; ``ensembles`` are their members by name."""

    study: str
    classes: tuple[str, ...]
    multilabel: bool
    phantom: bool
    split: SplitSettings
    evaluation: EvaluationSettings
    ensembles: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Sources:
    """What the card is made from.

    ``run`` is the arm and run it describes, with its ``metrics``, and ``sample`` its predictions on
    ``partition``. ``records`` are of the networks that it is made of. ``rows`` are those of the
    manifest, each with its partition.
    """

    settings: CardSettings
    words: Json
    arm: str
    run: str
    metrics: Json
    partition: str
    sample: Sample | None
    records: Mapping[str, Json]
    rows: Sequence[Row]
    quarantined: int
    withdrawn: int


def read_cases(manifest: Path, split: Path) -> list[Row]:
    """The rows of the manifest with the partition of each case."""
    partition = {row["case"]: row["partition"] for row in read_rows(split)}
    rows = [row for row in read_rows(manifest) if row["case"] in partition]
    return [{**row, "partition": partition[row["case"]]} for row in rows]


def read_records(paths: Sequence[Path], arms: Sequence[str], run: str) -> dict[str, Json]:
    """The records of some arms' networks, by arm."""
    found = {path.parent.parent.name: path for path in paths if path.parent.name == run}
    return {arm: read_json(found[arm]) for arm in arms}


class Card:
    """The sections of a card, and the facts that fill its checklist."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        settings = sources.settings
        self.text: Json = sources.words["studies"].get(settings.study, {})
        self.page: Json = sources.metrics["partitions"].get(sources.partition) or {}
        self.subgroups = self._subgroups()
        self.facts = self._facts()

    @property
    def title(self) -> str:
        """The study in words."""
        return str(self.text.get("title") or self.sources.settings.study.replace("_", " "))

    def sections(self) -> list[Section]:
        """The card."""
        facts, words = self.facts, self.sources.words["card"]
        limits = [*self.text.get("limits", []), *self.sources.words["limits"]]
        generated = self.sources.words["generated"] if self.sources.settings.phantom else []
        return [
            Section("Model", (facts["model"], facts["training"], facts["software"])),
            Section("Intended use", (facts["question"], *words["use"])),
            Section("Data", (facts["data"], facts["people"], facts["split"]), *self._counts()),
            Section("Metrics", (facts["evaluation"],), *self._metrics()),
            Section("Metrics by subgroup", (facts["fairness"],), *self._by_subgroup()),
            Section(
                "Limits",
                ("What is not to be concluded:",),
                ("not to be concluded",),
                tuple((limit,) for limit in (*generated, *limits)),
            ),
            Section("Ethics", (facts["consent"], *words["ethics"])),
        ]

    def checklist(self, guidelines: Json) -> list[Section]:
        """A section a guideline: each item, and what fills it. Raises UserError as ``_filled``."""
        return [
            Section(
                name,
                (guideline["note"], self._share(guideline["items"])),
                ("item", "what to report", "here"),
                tuple(
                    (str(item["number"]), item["item"], self._filled(item))
                    for item in guideline["items"]
                ),
            )
            for name, guideline in guidelines.items()
        ]

    def _share(self, items: Sequence[Json]) -> str:
        known = sum("here" in item for item in items)
        return f"{known} of {len(items)} items are filled from the run; the rest is the author's."

    def _filled(self, item: Json) -> str:
        """What an item says here. Raises UserError for a fact that there is not."""
        text = str(item.get("here", AUTHOR))
        if unknown := sorted(set(FIELD.findall(text)) - self.facts.keys()):
            raise UserError(
                f"there is no fact {unknown[0]!r}",
                where=f"checklist, item {item['number']}",
                remedy=f"known are {', '.join(self.facts)}",
            )
        return text.format(**self.facts)

    # --- what the run knows, in sentences

    def _facts(self) -> dict[str, str]:
        sources = self.sources
        settings = sources.settings
        evaluation = settings.evaluation
        first = next(iter(sources.records.values()))
        recipe = first["settings"]["recipe"]
        groups = len({row["group"] for row in sources.rows})
        return {
            "title": self.title,
            "question": str(self.text.get("question") or f"Classes: {_list(settings.classes)}."),
            "model": self._model(),
            "training": _training(recipe, first),
            "initialisation": _initialisation(sources.records),
            "selection": _selection(recipe),
            "ensembling": self._ensembling(),
            "software": _software(first),
            "data": f"{len(sources.rows)} cases of {groups} groups (patients, lesions); "
            f"{sources.quarantined} files quarantined, {sources.withdrawn} cases withdrawn. "
            + ("All images are generated (phantoms)." if settings.phantom else ""),
            "counts": "; ".join(", ".join(row) for row in self._counts()[1]),
            "people": _people(sources.rows),
            "split": f"Validation: {SPLITS[settings.split.validation]}; test: "
            f"{SPLITS[settings.split.test]}. {settings.split.k} folds, stratified by "
            f"{settings.split.stratify}, seed {settings.split.seed}. No group and no identical or "
            "near-identical image is in two parts; this is checked.",
            "preprocessing": _preprocessing(first),
            "augmentation": _augmentation(recipe),
            "balance": _balance(recipe),
            "evaluation": f"On the {NAMES[sources.partition]} part, with "
            f"{evaluation.confidence:.0%} intervals from {evaluation.replicates} bootstrap "
            "resamples of groups. Decisions are at the operating point "
            f"{sources.metrics['operating_point']!r}: {self._thresholds()}.",
            "performance": "; ".join(f"{name} {value}" for name, value in self._metrics()[1])
            or "no labelled case",
            "fairness": self._fairness(),
            "consent": f"{sources.withdrawn} cases were withdrawn and left out. A case is withdrawn"
            " by a row in withdrawn.csv: all that used it is made again.",
            "availability": "All settings, code, versions and checksums of this run are in the "
            f"report and the locks (code digest {first['code']}, commit "
            f"{first.get('git_commit') or 'unknown'}).",
        }

    def _model(self) -> str:
        settings = self.sources.settings
        parts = []
        for arm, record in self.sources.records.items():
            model = record["settings"]["recipe"]["model"]
            slices_alone = record["settings"]["stage"] == "training"
            over = "" if slices_alone else " with a sequence model over slices"
            parts.append(f"{arm}: {model['architecture']}{over}, {record['weights']:,} weights")
        outputs = settings.classes if settings.multilabel else settings.classes[-1:]
        return (
            f"Arm {self.sources.arm}, {self.sources.run}. {'; '.join(parts)}. Its output is the "
            f"probability of {_list(outputs)}."
        )

    def _ensembling(self) -> str:
        members = self.sources.settings.ensembles.get(self.sources.arm)
        return f"Mean of the probabilities of {_list(members)}." if members else "None."

    def _thresholds(self) -> str:
        point = self.sources.metrics["operating_point"]
        found = []
        for name, choice in self.sources.metrics["choices"].items():
            each = choice["operating_points"][point]
            found.append(f"{name} above {each['threshold']:.3f}")
        reasons = {
            choice["operating_points"][point]["reason"]
            for choice in self.sources.metrics["choices"].values()
        } - {None}
        why = f" ({'; '.join(sorted(reasons))})" if reasons else ", chosen on validation"
        return ", ".join(found) + why

    def _fairness(self) -> str:
        if not self.subgroups:
            return "Neither sex nor age of the cases is known, so no subgroup could be compared."
        return (
            f"By sex and age, with the same thresholds, for {len(self.subgroups)} subgroups. Small "
            "subgroups have wide intervals: a difference inside them is not shown."
        )

    # --- tables

    def _counts(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Cases by class and partition."""
        rows = self.sources.rows
        parts = [part for part in PARTITIONS if any(row["partition"] == part for row in rows)]
        counts = Counter(
            (label or "unlabelled", row["partition"])
            for row in rows
            for label in row["label"].split("|")
        )
        body = [
            (name, *(str(counts[name, part]) for part in parts))
            for name in (*self.sources.settings.classes, "unlabelled")
            if any(counts[name, part] for part in parts)
        ]
        sizes = Counter(row["partition"] for row in rows)
        body.append(("all cases", *(str(sizes[part]) for part in parts)))
        return ("class", *parts), tuple(body)

    def _metrics(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        found = self.page.get("metrics", {})
        body = tuple((words, _value(found[name])) for name, words in METRICS.items() if found)
        return ("metric", "value and interval"), body

    def _subgroups(self) -> list[Subgroup]:
        sources = self.sources
        if sources.sample is None:
            return []
        choices = Choices.from_json(sources.metrics["choices"])
        return by_subgroup(sources.sample, choices, sources.rows, sources.settings.evaluation)

    def _by_subgroup(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        body = tuple(
            (each.name, str(each.cases), *(_value(each.page["metrics"][name]) for name in SHOWN))
            for each in self.subgroups
        )
        return ("subgroup", "cases", *(METRICS[name] for name in SHOWN)), body


def _value(estimate: Json) -> str:
    if estimate["value"] is None:
        return f"undefined: {estimate['reason']}"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f} (no interval)"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _training(recipe: Json, record: Json) -> str:
    optimizer, schedule = recipe["optimizer"], recipe["schedule"]
    return (
        f"Trained on {record['cases']['train']} cases for at most {recipe['epochs']} epochs in "
        f"batches of {recipe['batch']}, by {optimizer['name']} at rate {optimizer['rate']:g} "
        f"(schedule: {schedule['name']}), weight decay {optimizer['weight_decay']:g}; "
        f"{record['seconds']:.0f} s on {record['device']}. {_selection(recipe)}"
    )


def _selection(recipe: Json) -> str:
    by = recipe["select"]["by"]
    if by == "last":
        return "The last epoch is kept."
    return (
        f"The epoch that is best on validation by {by} is kept; the winner is the arm with the "
        "highest ROC AUC on validation."
    )


def _initialisation(records: Mapping[str, Json]) -> str:
    weights = {
        arm: record["settings"]["recipe"]["model"]["pretrained"] for arm, record in records.items()
    }
    return "; ".join(
        f"{arm}: random, from the seed" if name == "none" else f"{arm}: pretrained ({name})"
        for arm, name in weights.items()
    )


def _software(record: Json) -> str:
    return ", ".join(f"{name} {version}" for name, version in record["versions"].items()) + "."


def _preprocessing(record: Json) -> str:
    images, settings = record["settings"]["images"], record["settings"]["recipe"]["input"]
    size = f", scaled to {images['size']} pixels" if images["size"] else ""
    steps = [f"Decoded as {images['mode']}{size}"]
    if settings["crop"]:
        steps.append(f"centre crop of {settings['crop']} pixels")
    if settings["resize"]:
        steps.append(f"resized to {settings['resize']} pixels")
    how = {
        "training": "training statistics",
        "fixed": "fixed values",
        "volume": "each volume's own",
    }
    return "; ".join([*steps, f"normalised by {how[settings['normalise']]}"]) + "."


def _augmentation(recipe: Json) -> str:
    active = [
        name.replace("_", " ")
        for name, value in recipe["augment"].items()
        if name not in ("per", "choose")
        and value
        and not (isinstance(value, dict) and value.get("probability") == 0)
    ]
    return f"Training images are augmented: {_list(active)}." if active else "No augmentation."


def _balance(recipe: Json) -> str:
    found = []
    if recipe["balance"]["method"] != "none":
        found.append(f"the rarer class is oversampled ({recipe['balance']['method']})")
    for name in ("class_weights", "positive_weights"):
        if recipe["loss"][name] != "none":
            found.append(f"the loss has {name.replace('_', ' ')} ({recipe['loss'][name]})")
    return f"Class imbalance: {_list(found)}." if found else "Class imbalance is not corrected for."


def _people(rows: Sequence[Row]) -> str:
    ages = [float(row["age"]) for row in rows if row["age"]]
    sexes = Counter(row["sex"] for row in rows if row["sex"])
    parts = []
    if ages:
        parts.append(
            f"Age of {len(ages)} cases: median {statistics.median(ages):g} years, "
            f"{min(ages):g} to {max(ages):g}."
        )
    if sexes:
        parts.append(
            "Sex: " + ", ".join(f"{name} {count}" for name, count in sorted(sexes.items()))
        )
        parts[-1] += f", unknown {len(rows) - sexes.total()}."
    return " ".join(parts) or "Age and sex of the cases are not known."


def _list(names: Sequence[str] | Iterator[str]) -> str:
    return ", ".join(names)
