"""The profile for SLURM fits the rules."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
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


def test_rules_that_ask_for_a_gpu_go_to_the_partition_that_has_them(profile):
    asking = {name for name, text in RULES.items() if "gpu=" in text}
    assert "train" in asking
    assert asking == set(profile["set-resources"])
    partitions = {each["slurm_partition"] for each in profile["set-resources"].values()}
    assert profile["default-resources"]["slurm_partition"] not in partitions


def test_every_rule_says_what_it_needs_or_runs_on_the_spot():
    for name, text in RULES.items():
        if "shell:" in text:
            asks = all(f"{each}=by_attempt(" in text for each in ("mem_mb", "runtime"))
            assert asks or "localrule: True" in text, name


def test_grouped_rules_are_there(profile):
    assert set(profile["groups"]) <= set(RULES)
    assert set(profile["group-components"]) == set(profile["groups"].values())


def test_every_value_has_its_reason():
    lines = (ROOT / "workflow/profiles/slurm/config.yaml").read_text().splitlines()
    for before, line in pairwise(lines):
        if re.match(r"[a-z-]+: \S", line):
            assert before.startswith("#"), line
