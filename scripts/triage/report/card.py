"""A study's model card, and the facts that fill its checklist of what a publication reports.

The card follows Mitchell et al., Model Cards for Model Reporting (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from triage.data.split import SplitSettings
from triage.evaluation.choices import Choices
from triage.evaluation.samples import Sample
from triage.evaluation.settings import EvaluationSettings
from triage.evaluation.subgroups import Subgroup, by_subgroup
from triage.report import decisions, external
from triage.report.cases import Row, people
from triage.report.checklist import answer
from triage.report.data import counts
from triage.report.estimates import in_words
from triage.report.external import External
from triage.report.leakage import in_words as excluded_in_words
from triage.report.networks import Networks
from triage.report.results import METRICS, PARTS, UNMEASURED
from triage.report.sections import Section
from triage.report.training import description, sentences
from triage.report.words import Told, counted, flipped, folds_of, listed, over
from triage.task import Task

SHOWN = ("roc_auc", "accuracy", "kappa", "recall", "specificity")  # of subgroups
OF_CLASS = ("roc_auc", "average_precision", "recall", "specificity", "precision", "f1")
OF_FOLDS = " Cases are counted as in the first fold; each fold validates on others of them."
SPLITS = {
    "fold": "a fold of the groups, drawn by a seed",
    "source": "as the source gives it",
    "none": "none",
}

Json = Mapping[str, Any]


@dataclass(frozen=True)
class CardSettings:
    """What the card reads of a study's settings.

    ``members`` are those of each run of an ensemble, as ``<arm>/<run>``; ``origins`` the arm that
    another one starts from; ``answers`` are the author's, by topic.
    """

    told: Told
    classes: tuple[str, ...]
    task: Task
    phantom: bool
    split: SplitSettings
    evaluation: EvaluationSettings
    members: dict[str, tuple[str, ...]]
    origins: dict[str, str]
    answers: dict[str, str]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The classes that have a probability."""
        return self.task.outputs(self.classes)


@dataclass(frozen=True)
class Sources:
    """What the card is made from.

    ``run`` is the arm and run it describes, with its ``metrics``, and ``sample`` its predictions on
    ``partition``. ``winner`` says how the arm was chosen. ``rows`` are those of the manifest,
    each with its partition; ``excluded`` counts the excluded cases by reason. ``external_pages``
    are the run's metrics on each of the external sets.
    """

    settings: CardSettings
    words: Json
    arm: str
    run: str
    winner: Json
    metrics: Json
    partition: str
    sample: Sample | None
    networks: Networks
    rows: Sequence[Row]
    quarantined: int
    withdrawn: int
    excluded: Mapping[str, int]
    externals: Sequence[External] = ()
    external_pages: Mapping[str, Json] = field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        """The runs whose mean an ensemble's run is; of another one there are none."""
        return self.settings.members.get(f"{self.arm}/{self.run}", ())

    @property
    def arms(self) -> list[str]:
        """Those of the members."""
        return list(dict.fromkeys(each.partition("/")[0] for each in self.members))


def measured_part(metrics: Json) -> str:
    """The part whose metrics a run is judged by: validation where no test case is labelled."""
    for part in ("test", "val"):
        page = metrics["partitions"][part]
        if page and page["cases"] > page["unlabelled"]:
            return part
    return "test"


class Card:
    """The sections of a card, and the facts that fill its checklist."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.told = sources.settings.told
        self.page: Json = sources.metrics["partitions"].get(sources.partition) or {}
        self.subgroups = self._subgroups()
        self.facts = self._facts()

    def sections(self) -> list[Section]:
        """The card."""
        facts, words = self.facts, self.sources.words["card"]
        answers = self.sources.settings.answers
        limits = [*self.told.limits, *self.sources.words["limits"]]
        generated = self.sources.words["generated"] if self.sources.settings.phantom else []
        model = (facts["model"], facts["training"], facts["selection"], facts["software"])
        return [
            Section("Model", model),
            Section(
                "Intended use", (facts["question"], answer("intended_use", answers), *words["use"])
            ),
            Section(
                "Data",
                (facts["data"], *self.told.statements, facts["people"], facts["split"]),
                *self._counts(),
            ),
            Section("Metrics", (facts["evaluation"],), *self._metrics()),
            *self._by_class(),
            Section("Metrics by subgroup", (facts["fairness"],), *self._by_subgroup()),
            *self._elsewhere(),
            Section(
                "Limits",
                ("What is not to be concluded:",),
                ("not to be concluded",),
                tuple((limit,) for limit in (*generated, *limits)),
            ),
            Section("Ethics", (facts["consent"], *words["ethics"], answer("ethics", answers))),
        ]

    def _elsewhere(self) -> list[Section]:
        sources, classes = self.sources, len(self.sources.settings.outputs)
        pages, part = sources.external_pages, sources.partition
        return external.sections(sources.externals, pages, part, self.page, classes)

    # --- what the run knows, in sentences

    def _facts(self) -> dict[str, str]:
        return {
            "title": self.told.title,
            **self._facts_of_data(),
            **self._facts_of_networks(),
            **self._facts_of_results(),
        }

    def _facts_of_data(self) -> dict[str, str]:
        sources, settings = self.sources, self.sources.settings
        groups = len({row["group"] for row in sources.rows})
        generated = " All images are generated (phantoms)." if settings.phantom else ""
        return {
            "question": self.told.question,
            "data": f"{counted(len(sources.rows), 'case')} of {counted(groups, 'group')} "
            f"(patients, lesions); {counted(sources.quarantined, 'file')} quarantined, "
            f"{counted(sources.withdrawn, 'case')} withdrawn." + generated,
            "counts": "; ".join(", ".join(row) for row in self._counts()[1]),
            "people": people(sources.rows),
            "split": f"Validation: {SPLITS[settings.split.validation]}; test: "
            f"{self._tested()}. {settings.split.k} folds, stratified by "
            f"{settings.split.stratify}, seed {settings.split.seed}. No group and no identical or "
            "near-identical image is in two parts; this is checked."
            + (f" {excluded_in_words(sources.excluded)}" if sources.excluded else "")
            + OF_FOLDS * bool(folds_of(sources.metrics)),
            "consent": f"Withdrawn and left out: {sources.withdrawn}. A case is withdrawn"
            " by a row in withdrawn.csv: all that used it is made again.",
        }

    def _facts_of_networks(self) -> dict[str, str]:
        told = sentences(self.sources.networks)
        if (all_of := len(self.sources.members)) > len(self.sources.arms):
            first = f" Of {all_of} networks this is the first of each arm"
            told["training"] += f"{first}; the others differ in fold or seed."
        return told | {
            "model": self._model(),
            "selection": f"{told['selection']} {self._choice()}",
            "ensembling": self._ensembling(),
            "availability": "All settings, code, versions and checksums of this run are in the "
            f"report and the locks. {told['code']}",
        }

    def _facts_of_results(self) -> dict[str, str]:
        evaluation = self.sources.settings.evaluation
        part = f"On the {PARTS[self.sources.partition]} part"
        values = "; ".join(f"{name} {value}" for name, value in self._metrics()[1])
        measured = (
            f"{part}, with {evaluation.confidence:.0%} intervals from {evaluation.replicates} "
            f"bootstrap resamples of groups.{self._warning()} "
            f"{decisions.of_run(self.sources.metrics)}"
        )
        return {
            "evaluation": measured if values else f"Nothing is measured: {UNMEASURED}.",
            "performance": f"{part}: {values}" if values else f"None: {UNMEASURED}",
            "comparison": self._comparison(),
            "fairness": self._fairness(),
            "external": external.fact(self.sources.externals),
        }

    def _tested(self) -> str:
        """Where the test part comes from."""
        name = self.sources.settings.split.leave_out
        if name is None:
            return SPLITS[self.sources.settings.split.test]
        return f"each {name} in turn, which is left out of training (here {self._left_out})"

    @property
    def _left_out(self) -> str:
        return str(self.sources.metrics.get("left_out", "none"))

    def _model(self) -> str:
        sources = self.sources
        mean = f": the mean of {listed(sources.arms)}" if sources.members else ""
        mean += f", {words}" if (words := over(sources.metrics)) else ""
        flips = flipped(sources.metrics)
        shown = f"{flips}, and its probability is the mean. " if flips else ""
        return (
            f"Arm {sources.arm}, {sources.run}{mean}. {description(sources.networks)} {shown}"
            f"Its output is the probability of {', '.join(sources.settings.outputs)}."
        )

    def _choice(self) -> str:
        winner = self.sources.winner
        if winner["arm"] is None:
            return f"No arm was chosen ({winner['reason']}): this is the first."
        by = winner["by"].partition("; ")[2]
        return (
            f"The arm is the one with the highest mean ROC AUC on validation{by and f' ({by})'}, "
            "and the run is the one of its runs that is best there."
        )

    def _ensembling(self) -> str:
        sources = self.sources
        if not sources.members:
            return "None."
        words = over(sources.metrics)
        return f"Mean of the probabilities of {', '.join(sources.arms)}{words and f': {words}'}."

    def _warning(self) -> str:
        """What validation chose, where it is what is measured."""
        sources = self.sources
        if sources.partition == "test":
            return ""
        recipes = [each.recipe for each in sources.networks.stages]
        chosen = decisions.by_validation(
            recipes, [sources.metrics], sources.winner["arm"] is not None
        )
        flattered = f" These cases chose {chosen}, so the numbers are too good." if chosen else ""
        return f" No test case is labelled.{flattered}"

    def _comparison(self) -> str:
        if self.sources.partition != "test":
            return "Arms are not tested against each other: these cases chose among them."
        binary = self.sources.settings.task is Task.BINARY
        auc = "DeLong for the ROC AUC, " if binary else ""
        rest = "a paired bootstrap for the rest" if auc else "a paired bootstrap"
        return (
            f"Arms are compared on the same cases ({auc}{rest}), corrected by Holm: see "
            "comparison.csv."
        )

    def _fairness(self) -> str:
        if not self.subgroups:
            return "Nothing is known of the cases by which subgroups could be compared."
        return (
            "By what is known of the cases, with the same thresholds, for "
            f"{len(self.subgroups)} subgroups. Small subgroups have wide intervals: a difference "
            "inside them is not shown."
        )

    # --- tables

    def _counts(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        table = counts(self.sources.rows, self.sources.settings.classes)
        return table.columns, tuple(tuple(cell.text for cell in row) for row in table.rows)

    def _metrics(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        found = self.page.get("metrics", {})
        body = tuple(
            (words, self._value(found[name])) for name, words in METRICS.items() if name in found
        )
        return ("metric", "value and interval"), body

    def _by_class(self) -> list[Section]:
        """A row a class, each against all others, where there are several."""
        pages: Json = self.page.get("classes", {})
        if not pages:
            return []
        body = tuple(
            (
                name,
                f"{page['positives']} of {page['labelled']}",
                *(self._value(page["metrics"][metric]) for metric in OF_CLASS),
            )
            for name, page in pages.items()
        )
        columns = ("class", "cases", *(METRICS[metric] for metric in OF_CLASS))
        return [Section("Metrics by class", ("Each class against all others.",), columns, body)]

    def _subgroups(self) -> list[Subgroup]:
        sources = self.sources
        if sources.sample is None:
            return []
        choices = Choices.from_json(sources.metrics["choices"])
        return by_subgroup(sources.sample, choices, sources.rows, sources.settings.evaluation)

    def _by_subgroup(self) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        shown = [name for name in SHOWN if name in self.page.get("metrics", {})]
        body = tuple(
            (
                each.name,
                str(each.cases),
                *(self._value(each.page["metrics"][name]) for name in shown),
            )
            for each in self.subgroups
        )
        return ("subgroup", "cases", *(METRICS[name] for name in shown)), body

    def _value(self, estimate: Json) -> str:
        return in_words(estimate, len(self.sources.settings.outputs))
