"""What validation chose, and what it did not: in words, by what metrics.json says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from triage.report.words import few, folds_of, listed

INSTEAD = ": 0.5 instead"  # ends the reason for a threshold that could not be chosen

ARGMAX = "argmax"
OF_MEAN = (
    " Of an ensemble over folds, scores of single networks chose the threshold, and the mean of"
    " all, which is less extreme, is held against it: compare sensitivity on validation and test."
)
LIKELIEST = "A case is decided to be of the likeliest class, without a threshold."

Json = Mapping[str, Any]


def of_run(metrics: Json) -> str:
    """At which thresholds a run decides, and whether validation chose them."""
    thresholds = _thresholds(metrics)
    if metrics["operating_point"] == ARGMAX:
        return LIKELIEST
    if not thresholds:
        return "No case was decided."
    values = ", ".join(f"{name} above {each['threshold']:.3f}" for name, each in thresholds.items())
    point, fallen = metrics["operating_point"], _fallen(thresholds)
    if _fixed(thresholds):
        return f"Decisions are at fixed thresholds, not chosen on validation: {values}."
    mean = OF_MEAN * bool(folds_of(metrics))
    if not fallen:
        chosen = f"Decisions are at the operating point {point!r}, chosen on validation: {values}."
        return chosen + mean
    why = listed(_reasons(fallen.values()))
    if len(fallen) == len(thresholds):
        return f"No threshold was chosen on validation ({why}); decisions are at: {values}."
    return (
        f"Decisions are at the operating point {point!r}, chosen on validation but for "
        f"{few(list(fallen), len(thresholds))} ({why}): {values}.{mean}"
    )


def of_study(runs: Iterable[Json]) -> str:
    """The same for all runs of a study, whose arms have notes where thresholds were not chosen."""
    decided = [run for run in runs if run["choices"]]
    if not decided:
        return ""
    if decided[0]["operating_point"] == ARGMAX:
        return LIKELIEST
    found = [_thresholds(run) for run in decided]
    if all(map(_fixed, found)):
        return "Decisions are at a fixed threshold of 0.5, which was not chosen on validation."
    fallen = sum(len(_fallen(each)) for each in found)
    if fallen == sum(map(len, found)):
        return "No threshold was chosen on validation: decisions are at 0.5, for the reasons below."
    but = ", but where a note below an arm says otherwise" if fallen else ""
    point = decided[0]["operating_point"]
    mean = OF_MEAN * any(map(folds_of, decided))
    return f"Decisions are at the operating point {point!r}, chosen on validation{but}.{mean}"


def of_arm(runs: Sequence[Json]) -> str:
    """A note on the thresholds of an arm that could not be chosen; empty where all were."""
    each = [_fallen(_thresholds(run)) for run in runs]
    reasons = _reasons(why for fallen in each for why in fallen.values())
    if not reasons:
        return ""
    total = len(runs[0]["choices"])
    names = list(dict.fromkeys(name for fallen in each for name in fallen))
    which = f" for {few(names, total)}" if total > 1 and len(names) < total else ""
    some = sum(map(bool, each))
    when = f" in {some} of {len(runs)} runs" if some < len(runs) else ""
    return f"threshold 0.5{which}{when}, not chosen: {listed(reasons)}"


def by_validation(recipes: Iterable[Json], runs: Iterable[Json], winner: bool) -> str:
    """What the validation cases chose, in words; empty where they chose nothing."""
    chosen = {
        "the epochs": any(map(_watches, recipes)),
        "the thresholds": any(
            each["chosen_on"] == "val" for run in runs for each in _thresholds(run).values()
        ),
        "the arm": winner,
    }
    return listed([name for name, happened in chosen.items() if happened])


def _watches(recipe: Json) -> bool:
    """Whether validation decides which epoch is kept, or when training ends."""
    decides = recipe["select"]["by"] != "last" or recipe["stopping"]["patience"] is not None
    return decides and "val" not in recipe["train_on"]


def _thresholds(metrics: Json) -> dict[str, Json]:
    """The threshold of each class at the operating point; none where classes exclude each other."""
    point = metrics["operating_point"]
    if point == ARGMAX:
        return {}
    return {name: choice["operating_points"][point] for name, choice in metrics["choices"].items()}


def _fallen(thresholds: Mapping[str, Json]) -> dict[str, str]:
    """Why thresholds were not chosen, by class, of those that should have been."""
    return {
        name: each["reason"].removesuffix(INSTEAD)
        for name, each in thresholds.items()
        if each["chosen_on"] != "val" and each["reason"]
    }


def _fixed(thresholds: Mapping[str, Json]) -> bool:
    """Whether the operating point is one that is never chosen."""
    return all(each["chosen_on"] != "val" and not each["reason"] for each in thresholds.values())


def _reasons(reasons: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(reasons))
