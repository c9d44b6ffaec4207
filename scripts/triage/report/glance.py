"""What a reader wants to know first of a study: the chosen arm, how sure, and beside what."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from triage.report.data import Data
from triage.report.results import (
    LEAST_SHOWN,
    METRICS,
    PARTS,
    ZERO_RATE,
    Json,
    Measured,
    Row,
    cells,
    is_chosen,
    is_floor,
    to_number,
)
from triage.report.tables import Cell, Table
from triage.report.words import folds_of, listed

HEADLINE = ("roc_auc", "balanced_accuracy", "recall", "specificity", "f1", "kappa")
OF_CLASSES = ("roc_auc", "balanced_accuracy", "f1", "kappa", "accuracy")
OF_ALL_CLASSES = ("kappa", "accuracy")  # at once; the others are means over classes
NAMES = {
    "train": "for training",
    "val": "for validation",
    "test": "for testing",
    "unlabelled": "unlabelled",
}


@dataclass(frozen=True)
class Fact:
    """An answer to a question that a reader has; ``warning``: what of it must not be overlooked."""

    question: str
    answer: str
    warning: str = ""

    @property
    def warns(self) -> bool:
        """Whether it must not be overlooked."""
        return bool(self.warning)


@dataclass(frozen=True)
class Glance:
    """The first screen of a study: facts, and its main numbers beside what they are worth."""

    facts: tuple[Fact, ...]
    numbers: Table


def glance(rows: Sequence[Row], measured: Measured, data: Data, confidence: float) -> Glance:
    """The first screen, from the rows of the study's table.

    Arms are told apart by p-values below 1 - ``confidence``, as intervals of it tell them apart.
    """
    level = 1 - confidence
    arms = [row for row in rows if to_number(row["runs"])]
    chosen = next((row for row in arms if is_chosen(row)), None)
    others = [row for row in arms if row is not chosen and row["arm"] != ZERO_RATE]
    facts = [_data(data), _leakage(data)]
    if chosen is None or to_number(chosen["cases"]) is None:
        return Glance(
            (*facts, Fact("Best arm", "No arm could be chosen.", "none chosen")), _numbers([], [])
        )
    floors = [row for row in arms if is_floor(row)]
    rivals = [row for row in others if is_floor(row) == is_floor(chosen)]
    second = max(rivals, key=_validation, default=None)
    facts += [_choice(chosen, rivals, len(others) - len(rivals), measured)]
    facts += [_told_apart(second, measured, level)] if second else []
    facts += [_over_floor(chosen, floors, measured)] if floors else []
    facts += [_worth(chosen), *_better(others, measured, level), *_moved(chosen, measured)]
    facts += _fails(chosen, measured)
    zero = [row for row in arms if row["arm"] == ZERO_RATE]
    shown = [chosen, *([second] if second else []), *floors, *zero]
    unique = list({row["arm"]: row for row in shown}.values())
    return Glance(tuple(facts), _numbers(unique, [measured]))


def _data(data: Data) -> Fact:
    parts = ", ".join(f"{count} {NAMES[part]}" for part, count in data.parts.items())
    left = [
        f"{count} {words}"
        for count, words in (
            (data.quarantined, "quarantined"),
            (data.withdrawn, "withdrawn"),
            (data.excluded, "excluded"),
        )
        if count
    ]
    out = f" Left out: {listed(left)}." if left else " None was left out."
    return Fact("Data", f"{data.cases} cases of {data.groups} groups: {parts}.{out}")


def _validation(row: Row) -> float:
    return to_number(row["val_roc_auc"]) or -1.0


def _choice(chosen: Row, rivals: Sequence[Row], floors: int, measured: Measured) -> Fact:
    value = to_number(chosen["val_roc_auc"]) or math.nan
    kind = "arms with networks" if floors else "arms"
    over_folds = any(folds_of(run) for runs in measured.runs.values() for run in runs)
    how = "; of ensembles over folds, that of all out-of-fold scores together" * over_folds
    if not rivals:
        only = "network" if floors else "arm"
        words = f"{chosen['arm']}, the only {only} (ROC AUC on validation {value:.3f}). "
        return Fact("Best arm", f"{words}There was nothing to choose.")
    return Fact(
        "Best arm",
        f"{chosen['arm']}, of {len(rivals) + 1} {kind} the best on validation (mean ROC AUC "
        f"{value:.3f}{how}). Nothing was chosen on the test part.",
    )


def _told_apart(second: Row, measured: Measured, level: float) -> Fact:
    question = "Is it ahead of the second best?"
    if not measured.compared:
        words = "Not tested: the cases that are measured chose among the arms."
        return Fact(question, words, "measured on the cases that chose it")
    gain, low, high = _difference(second, -1)
    p = to_number(second["roc_auc_p_holm"])
    if gain is None or p is None:
        words = f"Unknown: {second['arm']} is not measured on the same cases."
        return Fact(question, words, "not compared with the second best")
    words = (
        f"{second['arm']} is second on validation. On the test part the chosen arm's ROC AUC is "
        f"{gain:+.3f} from it ({low:+.3f} to {high:+.3f}; {_written(p)}, corrected): "
    )
    if p < level:
        if gain > 0:
            return Fact(question, words + "it is ahead.")
        return Fact(question, words + "it is behind.", "behind the second best")
    return Fact(question, words + "they can't be told apart.")


def _written(p: float) -> str:
    return f"p = {p:.3f}" if p >= LEAST_SHOWN else f"p < {LEAST_SHOWN}"


def _over_floor(chosen: Row, floors: Sequence[Row], measured: Measured) -> Fact:
    question = "Is it ahead of what takes no network?"
    if is_floor(chosen):
        return Fact(question, "It takes none itself: there is no network.", "no network")
    floor = max(floors, key=_validation)
    best, said = floor["arm"], ""
    if _validation(floor) > _validation(chosen):
        said = f"On validation {best} is better than every network ({_validation(floor):.3f}). "
    gain, low, high = _difference(chosen, 1, "floor_difference")
    p = to_number(chosen["floor_p_holm"])
    if not measured.compared or gain is None or p is None:
        return Fact(question, f"{said}Not tested against {best}.", f"not compared with {best}")
    words = (
        f"{said}Its ROC AUC is {gain:+.3f} from that of {best} ({low:+.3f} to {high:+.3f}; "
        f"{_written(p)}, corrected): "
    )
    if to_number(chosen["ahead"]):
        return Fact(question, words + "yes.", f"behind {best} on validation" * bool(said))
    return Fact(question, words + "it is not shown to be.", f"not shown to be ahead of {best}")


def _difference(
    row: Row, sign: int, name: str = "roc_auc_difference"
) -> tuple[float | None, float, float]:
    names = (name, f"{name}_low", f"{name}_high")
    value, *limits = (to_number(row[name]) for name in names)
    low, high = sorted(sign * (math.nan if each is None else each) for each in limits)
    return None if value is None else sign * value, low, high


def _worth(chosen: Row) -> Fact:
    question = "Is it better than always saying one class?"
    names = ("accuracy_gain", "accuracy_gain_low", "accuracy_gain_high")
    gain, low, high = (to_number(chosen[name]) for name in names)
    if gain is None or low is None or high is None:
        words = "Unknown: its decisions or the zero rate could not be measured."
        return Fact(question, words, "decisions not compared with one class")
    words = f"Its accuracy is {gain:+.3f} from that of the zero rate ({low:+.3f} to {high:+.3f}): "
    if low > 0:
        return Fact(question, words + "yes.")
    told = "less often right" if high < 0 else "not shown to be any better"
    return Fact(question, f"{words}its decisions are {told}.", f"decisions {told} than one class")


def _better(others: Sequence[Row], measured: Measured, level: float) -> list[Fact]:
    """Arms that were not chosen, and are better on the test part by more than chance."""
    found = [
        row["arm"]
        for row in others
        if measured.compared
        and (to_number(row["roc_auc_difference"]) or 0) > 0
        and (p := to_number(row["roc_auc_p_holm"])) is not None
        and p < level
    ]
    if not found:
        return []
    words = f"Yes: {listed(found)}, on the test part, by more than chance."
    return [Fact("Is an arm better that was not chosen?", words, f"{listed(found)} better on test")]


def _moved(chosen: Row, measured: Measured) -> list[Fact]:
    """Validation against test, as far as both are measured."""
    pages = [run["partitions"].get("val") for run in measured.runs.get(chosen["arm"], ())]
    values = [page["metrics"]["roc_auc"] for page in pages if page]
    known = [each for each in values if each["value"] is not None]
    limits = [to_number(chosen[f"roc_auc{part}"]) for part in ("", "_low", "_high")]
    if not known or not measured.compared or None in limits:
        return []
    before, low, high = (sum(e[k] for e in known) / len(known) for k in ("value", "low", "high"))
    after, least, most = (each or 0.0 for each in limits)
    reach = (before - low, most - after) if before > after else (high - before, after - least)
    apart = abs(before - after) > math.hypot(*reach)
    words = f"ROC AUC {before:.3f} on validation, {after:.3f} on the test part: "
    if not apart:
        return [Fact("Validation against test", words + "no more apart than chance makes them.")]
    return [
        Fact(
            "Validation against test",
            words + "they differ by more than chance.",
            "validation is apart",
        )
    ]


def _fails(chosen: Row, measured: Measured) -> list[Fact]:
    """What the chosen arm gets wrong, by the run with the most mistakes if there are several."""
    question = "What fails?"
    runs = measured.runs.get(chosen["arm"], ())
    found = []
    for run, page in zip(runs, measured.pages(chosen["arm"]), strict=False):
        point = run["operating_point"]
        if "classes" in page:
            found.append(_weakest(page["classes"]))
        else:
            found.append(_mistakes(page["operating_points"][point]["confusion"], *run["choices"]))
    if not found:
        return []
    of_runs = f" (of {len(found)} runs the worst)" if len(found) > 1 else ""
    _, words = max(found)
    return [Fact(question, f"{words}{of_runs}. The surest mistakes are among the pictures.")]


def _mistakes(confusion: Json, name: str) -> tuple[float, str]:
    hits, missed = confusion["true_positive"], confusion["false_negative"]
    alarms, spared = confusion["false_positive"], confusion["true_negative"]
    return missed + alarms, (
        f"At its threshold {missed} of {hits + missed} cases of {name} are missed, and {alarms} of "
        f"{alarms + spared} others are called {name}"
    )


def _weakest(classes: Json) -> tuple[float, str]:
    aucs = {name: page["metrics"]["roc_auc"] for name, page in classes.items()}
    known = {name: each for name, each in aucs.items() if each["value"] is not None}
    if not known:
        return 0.0, "No class is labelled both ways"
    name = min(known, key=lambda each: float(known[each]["value"]))
    value, low, high = (known[name][key] for key in ("value", "low", "high"))
    return -value, (
        f"Of {len(classes)} classes {name} is told apart worst: ROC AUC {value:.3f} "
        f"({low:.3f} to {high:.3f})"
    )


def _leakage(data: Data) -> Fact:
    sets = data.leakage.sets
    joined = f" {sets} {'set' if sets == 1 else 'sets'} of groups that share pictures are joined."
    return Fact(
        "Is there leakage?",
        "None that can be found: no group, copy or near copy is in two parts, which is checked."
        + joined * bool(sets)
        + f" {data.excluded} {'case is' if data.excluded == 1 else 'cases are'} excluded."
        * bool(data.excluded),
    )


def _numbers(rows: Sequence[Row], measured: Sequence[Measured]) -> Table:
    wanted = OF_CLASSES if rows and "kappa" in rows[0] else HEADLINE
    metrics = [metric for metric in wanted if rows and metric in rows[0]]
    part = PARTS.get(measured[0].partition or "", "") if measured else ""
    body = tuple(
        (Cell(_named(row)), *cells(row, metrics, found)) for row in rows for found in measured
    )
    title = f"Main numbers, on the {part} part" if part else "Main numbers"
    pages = measured[0].pages(rows[0]["arm"]) if measured else []
    classes = len(pages[0]["classes"]) if pages and "classes" in pages[0] else 0
    means = listed([METRICS[metric] for metric in metrics if metric not in OF_ALL_CLASSES])
    note = f"{means} are means over {classes} classes." * bool(classes)
    marked = frozenset({0}) if rows else frozenset[int]()
    return Table(title, ("arm", *(METRICS[metric] for metric in metrics)), body, marked, note)


def _named(row: Row) -> str:
    if row["arm"] == ZERO_RATE:
        return "always the commoner class"
    return f"{row['arm']} (chosen)" if is_chosen(row) else row["arm"]
