"""Rules of studies and of external sets have names of their own, whatever they are called."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage_workflow.rule_names import of_source, target

from workflow_copy import ROOT, Workflow

TEXT = {path.stem: path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")}
STEPS, PICTURES = (
    re.findall(r'^    "(\w+)": lambda', TEXT[name], re.MULTILINE) for name in ("targets", "outputs")
)
RULES = {
    *re.findall(r"^(?:use )?rule (\w+)", "".join(TEXT.values()), re.MULTILINE),
    *re.findall(r"^use rule \w+ as (\w+)", TEXT["outputs"], re.MULTILINE),
    *(f"figures_{name}" for name in PICTURES if name != "external"),
    "all",
}
# Such as those of rules and steps, and what they are made of.
WORDS = sorted({*STEPS, *RULES, *"_".join(RULES).split("_"), "index", "a", "b"})
names = st.one_of(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map("_".join),
    st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True),
)


@given(st.dictionaries(names, st.sets(names, max_size=2), min_size=1, max_size=4))
def test_no_two_rules_share_a_name(studies: dict[str, set[str]]) -> None:
    sources = [
        *studies,
        *(f"{study}/external/{name}" for study in studies for name in studies[study]),
    ]
    made = [of_source("index", source) for source in sources]
    made += [target(study, step) for study in studies for step in STEPS]
    assert len({*made, *RULES}) == len(made) + len(RULES)


def test_they_are_those_of_the_workflow() -> None:
    assert {"images", "training", "external"} <= set(STEPS)
    assert {"predict_external_set", "explore_volumes", "figures_seeds", "report"} <= RULES


@pytest.mark.slow
def test_snakemake_takes_studies_that_are_called_as_rules_are(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        study = content["studies"]["skin"]
        wanted = ("a", "a_external_b", "predict", "evaluate", "figures", "index", "images")
        content["studies"] = {name: copy.deepcopy(study) for name in wanted}
        content["studies"]["a"]["external"] = {"b": {"raw": study["raw"]}}
        content["phantoms"] = {"skin": content["phantoms"]["skin"]}
        content["pretrained"] = {}

    listed = Workflow(tmp_path / "copy", change).run("snakemake", "--list").split()
    assert {"index-a-external-b", "index-a_external_b", "predict_external"} <= set(listed)
