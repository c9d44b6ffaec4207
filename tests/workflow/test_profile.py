"""The profile for SLURM fits the rules."""

import logging
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

ROOT = Path(__file__).parents[2]
RULES = {
    name: text
    for path in (ROOT / "workflow" / "rules").glob("*.smk")
    for name, text in re.findall(
        r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.MULTILINE | re.DOTALL
    )
}


@pytest.fixture(scope="module")
def profile():
    return yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())


@pytest.mark.parametrize(("gpus", "expected"), [(0, "cpu"), (1, "gpu"), (4, "gpu")])
def test_jobs_go_to_the_partition_that_has_what_they_ask_for(profile, gpus, expected):
    partitions = read_partition_file(ROOT / profile["slurm-partition-config"])
    needs = {"mem_mb": 8000, "runtime": 720} | ({"gpu": gpus} if gpus else {})
    job = SimpleNamespace(name="job", resources=needs, threads=2)
    assert get_best_partition(partitions, job, logging.getLogger()) == expected


def test_rules_that_run_networks_ask_for_a_gpu():
    asking = {name for name, text in RULES.items() if "gpu=" in text}
    running = {
        name for name, text in RULES.items() if re.search(r"^ +checkpoints?=", text, re.MULTILINE)
    }
    assert {"train", "finetune", "train_sequence", "predict", "features"} <= asking
    assert running - {"export"} <= asking


def test_every_rule_says_what_it_needs_or_runs_on_the_spot():
    for name, text in RULES.items():
        if "shell:" in text:
            assert "**asks(" in text or "localrule: True" in text, name


def test_grouped_rules_are_there(profile):
    assert set(profile["groups"]) <= set(RULES)
    assert set(profile["group-components"]) == set(profile["groups"].values())


def test_every_value_has_its_reason():
    lines = (ROOT / "workflow/profiles/slurm/config.yaml").read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"[a-z-]+: \S", line):
            assert before.startswith("#"), line
