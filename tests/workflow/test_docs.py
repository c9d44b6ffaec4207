"""What the documentation tells people to type and to write is there, and is accepted."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from triage_workflow.params import Params

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page in a language, or without one."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def tutorial() -> list[Any]:
    """The settings in the tutorial, as YAML."""
    return [yaml.safe_load(block) for block in blocks(ROOT / "docs/tutorial.md", "yaml")]


def demo() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "presets/demo.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in link:
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_and_targets_that_are_named_are_there(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in "\n".join(blocks(page, "")).splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["python"]:
            assert words[1] == "-m" or (ROOT / words[1]).exists(), line
        if words[:1] == ["make"]:
            for target in (word for word in words[1:] if "=" not in word):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), line


def test_the_arm_of_the_tutorial_is_one():
    content = demo()
    (arm,) = (block for block in tutorial() if "studies" not in block)
    content["studies"]["pneumonia"]["training"]["arms"] |= arm
    assert "resnet34" in Params(content).arms("pneumonia")


def test_the_study_of_the_tutorial_is_one():
    content = demo() | {"phantoms": {}, "pretrained": {}}
    (study,) = (block["studies"] for block in tutorial() if "studies" in block)
    content["studies"] = copy.deepcopy(study)
    assert list(Params(content).studies) == ["mine"]
