"""The engines that a test runs on, and what one arm of the small workflow has."""

from __future__ import annotations

import pytest

# Both ways round; the second one costs more, and is not run every time where it says little new.
BOTH = ["snakemake", pytest.param("dvc", marks=pytest.mark.slow)]
BETA_CHECKPOINT = "results/beta/training/small/seed1/checkpoint.pt"
BETA_ALL = [
    "evaluate beta small 1",
    "evaluate beta small 2",
    "index beta",
    "report",
    "split beta",
    "table beta",
    "train beta small 1",
    "train beta small 2",
]
