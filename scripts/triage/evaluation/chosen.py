"""Which run stands for a study: what is exported, and described by its card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triage.files import read_json


def chosen_run(winner: Path, metrics: Sequence[Path]) -> Path:
    """Of the metrics of all runs, those of the winner's run that is best on validation.

    The first of equals; of the first arm where validation chose none.
    """
    arm = read_json(winner)["arm"] or metrics[0].parent.name
    own = [path for path in metrics if path.parent.name == arm]
    return max(own, key=lambda path: _validation(read_json(path)))


def _validation(content: dict[str, Any]) -> float:
    page = content["partitions"]["val"] or {}
    value = page.get("metrics", {}).get("roc_auc", {}).get("value")
    return -1.0 if value is None else float(value)
