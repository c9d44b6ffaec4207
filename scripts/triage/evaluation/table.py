"""A study's table: one row an arm, the zero rate and floors first, published values beside ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from triage.errors import UserError
from triage.evaluation.arms import Arm, Run, measure_arms, zero_rate
from triage.evaluation.comparison import Comparison, compare_arms
from triage.evaluation.intervals import NAN, combined, mean_of, spread
from triage.evaluation.published import beside_ours
from triage.evaluation.scoring import main_sections
from triage.evaluation.settings import EvaluationSettings
from triage.runs import ALL, Place

Row = dict[str, Any]
PARTS = ("", "_low", "_high", "_sd_seeds", "_sd_folds")
BY = "mean validation roc_auc"
OVER_FOLDS = "; of an ensemble over folds, that of all out-of-fold scores together"
FOLLOWED = ("roc_auc", "balanced_accuracy")
COUNTS = ("winner", "floor", "ahead", "runs", "folds", "seeds", "cases", "groups")


def columns_of(metrics: Iterable[str]) -> list[str]:
    """The columns of the table of a study with these metrics."""
    return [
        *("arm", "initialisation", "search", *COUNTS, "partition", "val_roc_auc"),
        *(metric + part for metric in metrics for part in PARTS),
        *("roc_auc_difference", "roc_auc_difference_low", "roc_auc_difference_high"),
        *("roc_auc_p", "roc_auc_p_holm"),
        *("floor_difference", "floor_difference_low", "floor_difference_high", "floor_p_holm"),
        *("accuracy_gain", "accuracy_gain_low", "accuracy_gain_high", "data"),
        *("published_metric", "published_split", "published_value", "published_sd", "ours_value"),
        *("published_data", "published_source", "published_link", "published_note"),
    ]


def build_table(
    study: str,
    runs: Sequence[Run],
    published: pd.DataFrame | None,
    settings: EvaluationSettings,
    *,
    partition: str = "test",
    data: str = "",
    arms: Mapping[str, Row] | None = None,
    floors: Collection[str] = (),
) -> tuple[pd.DataFrame, list[Comparison]]:
    """The table of a study (``columns_of``), and the comparisons of every arm with the winner and
    with the best of the ``floors``: arms that are no networks, but what these have to be ahead of.

    For each metric on ``partition`` a row has the mean over the arm's runs, its interval (what
    other cases would change) and the deviations over seeds and folds (what another training would
    change); how far its ROC AUC is from the winner's and from the best floor's, whether it is
    ``ahead`` of that one by more than chance, and how much more often it is right than the zero
    rate. Then the arm's first published value with the data it belongs to, and ours of the
    same metric and part, at a threshold of 0.5, on ``data``. Arms only published come last.
    ``arms`` has of every arm the columns ``initialisation`` (what it started from) and ``search``.
    """
    if len({tuple(run.metrics["choices"]) for run in runs if run.metrics["choices"]}) > 1:
        raise UserError("the runs predict different classes", where=study, remedy="remake them")
    best = winner(runs, floors)
    measured = {arm.name: arm for arm in measure_arms(runs, settings)}
    floor = winner([run for run in runs if run.arm in floors])
    comparisons, with_floor = (
        compare_arms(list(measured.values()), each, settings.confidence) if each in measured else []
        for each in (best, floor)
    )
    told = {}
    if published is not None:
        beside = beside_ours(published, study, runs).drop_duplicates("arm")
        told = {row["arm"]: row for _, row in beside.iterrows()}
    ours = {"partition": partition, "data": data}
    zero = zero_rate(runs, settings)
    rows = [_zero_rate(arm) | ours for arm in zero]
    for name in sorted(_names(runs), key=lambda name: name not in floors):
        row = _row(name, runs, measured.get(name)) | _difference(name, comparisons)
        row |= _gain(measured.get(name), zero) | {"floor": int(name in floors)}
        row |= {} if name in floors else _over_floor(name, with_floor, 1 - settings.confidence)
        rows.append(
            row
            | (arms or {}).get(name, {})
            | ours
            | {"winner": int(name == best)}
            | _published(told.pop(name, None))
        )
    rows += [{"arm": name, "winner": 0, "runs": 0} | _published(row) for name, row in told.items()]
    columns = columns_of(main_sections(settings.point, settings.ordinal))
    comparisons += with_floor if floor != best else []
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(COUNTS, "Int64")), comparisons


def winner(runs: Sequence[Run], floors: Collection[str] = ()) -> str | None:
    """The arm with the highest mean ROC AUC on validation, the first of equals, if any.

    ``floors`` are there to compare with: one is chosen only where there is no other arm.
    """
    names = [name for name in _names(runs) if name not in floors] or _names(runs)
    means = {name: mean_of(_validation(name, runs)) for name in names}
    defined = [name for name, mean in means.items() if not np.isnan(mean)]
    return max(defined, key=means.__getitem__, default=None)


def winner_record(runs: Sequence[Run], floors: Collection[str] = ()) -> dict[str, Any]:
    """The winner as plain data; ``arm`` is None, with the reason, where validation has no AUC."""
    best = winner(runs, floors)
    by = BY + OVER_FOLDS * any(run.fold == ALL for run in runs)
    if best is None:
        why = "no arm has a ROC AUC on validation"
        return {"arm": None, "by": by, "value": None, "reason": why}
    value = mean_of(_validation(best, runs))
    return {"arm": best, "by": by, "value": value, "reason": None}


def main_numbers(table: pd.DataFrame) -> Row:
    """The winner's name and the few numbers that are worth following from change to change.

    ``table`` is that of ``build_table``; what is undefined is left out.
    """
    chosen = table[table["winner"] == 1]
    if chosen.empty:
        return {}
    row = chosen.iloc[0]
    known = [name for name in FOLLOWED if name in row and pd.notna(row[name])]
    return {"arm": row["arm"], **{name: round(float(row[name]), 4) for name in known}}


def comparison_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """The comparisons, one a row."""
    return pd.DataFrame(
        [asdict(each) for each in comparisons], columns=list(Comparison.__dataclass_fields__)
    )


def _names(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(run.arm for run in runs))


def _validation(name: str, runs: Sequence[Run]) -> dict[tuple[Place, Place], float]:
    return {(run.fold, run.seed): run.value("val", "roc_auc") for run in runs if run.arm == name}


def _row(name: str, runs: Sequence[Run], arm: Arm | None) -> Row:
    own = [run for run in runs if run.arm == name]
    places = [place for run in own for place in run.places]
    row: Row = {
        "arm": name,
        "runs": len(own),
        "folds": len({fold for fold, _ in places}),
        "seeds": len({seed for _, seed in places}),
        "val_roc_auc": mean_of(_validation(name, runs)),
    }
    return row | (_measured(arm) if arm else {})


def _zero_rate(arm: Arm) -> Row:
    runs = {"runs": len(arm.samples), "folds": len(arm.samples)}
    return {"arm": arm.name, "winner": 0} | runs | _measured(arm)


def _measured(arm: Arm) -> Row:
    row: Row = {
        "cases": len(np.unique(np.concatenate([each.cases for each in arm.samples]))),
        "groups": len(np.unique(np.concatenate([each.groups for each in arm.samples]))),
    }
    for metric, values in arm.values.items():
        mean, found = arm.means[metric], spread(values)
        parts = (mean.value, *mean.limits, found.over_seeds, found.over_folds)
        row |= {metric + part: value for part, value in zip(PARTS, parts, strict=True)}
    return row


def _compared(name: str, comparisons: Sequence[Comparison]) -> Comparison | None:
    """An arm by its ROC AUC with what the comparisons are against."""
    found = (each for each in comparisons if each.arm == name and each.metric == "roc_auc")
    return next(found, None)


def _difference(name: str, comparisons: Sequence[Comparison]) -> Row:
    found = _compared(name, comparisons)
    return {} if found is None else _distance("roc_auc", found) | {"roc_auc_p": found.p}


def _over_floor(name: str, comparisons: Sequence[Comparison], least: float) -> Row:
    """How far an arm's ROC AUC is above the best floor's; ``ahead``: by more than chance."""
    found = _compared(name, comparisons)
    if found is None:
        return {}
    ahead = found.difference > 0 and found.p_holm < least
    return _distance("floor", found) | {"ahead": int(ahead)}


def _distance(of: str, found: Comparison) -> Row:
    return {
        f"{of}_difference": found.difference,
        f"{of}_difference_low": found.low,
        f"{of}_difference_high": found.high,
        f"{of}_p_holm": found.p_holm,
    }


def _gain(arm: Arm | None, zero: Sequence[Arm]) -> Row:
    """How much more often an arm is right than always saying the commoner class."""
    if arm is None or not zero:
        return {}
    both = (arm.means["accuracy"], zero[0].means["accuracy"])
    low, high = NAN, NAN
    if not any(np.isnan(each.value) for each in both):
        _, low, high = combined(both, (1, -1), 0)
    gain = both[0].value - both[1].value
    return {"accuracy_gain": gain, "accuracy_gain_low": low, "accuracy_gain_high": high}


def _published(row: Mapping[str, Any] | pd.Series[Any] | None) -> Row:
    if row is None:
        return {}
    parts = ("metric", "split", "value", "sd", "data", "source", "link", "note")
    return {f"published_{part}": row.get(part, "") for part in parts} | {"ours_value": row["ours"]}
