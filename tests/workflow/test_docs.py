"""What the documentation tells people to type and to write is there, and is accepted."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image

from triage_workflow.params import Params

import pictures
from browser import CHROMIUM, DRIVER, MISSING
from triage import models
from triage.data import readers
from workflow_copy import Workflow

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page in a language, or without one."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for each, block in found if each == language]


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


def test_the_environment_is_activated() -> None:
    """`make setup` makes it with venv, whose `activate` goes with it."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "-m venv .venv" in makefile


def test_hooks_are_what_lint_checks() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for entry in (hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]):
        assert entry.split()[0].rpartition("/")[2] in makefile, entry


@pytest.mark.slow
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)
def test_pictures_are_made_from_results(done: Workflow, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "IMAGES", tmp_path)
    monkeypatch.setattr(pictures, "STUDY", "braintriage")
    monkeypatch.setattr(pictures, "FIGURES", {"braintriage/figures/roc.svg": "roc"})
    pictures.main(done.folder / "results")
    for name, width in (("report", pictures.SCREEN[0]), ("roc", pictures.WIDTH)):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.width == width
            assert len(image.getcolors()) > 2


def test_pictures_of_the_documentation_are_small() -> None:
    for path in (ROOT / "docs/images").glob("*"):
        assert path.stat().st_size < 200_000, path


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


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Installs an example of docs/extending.md as a module of its name."""

    def install(title: str, name: str) -> None:
        text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
        section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
        source = re.search(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)[1]
        (tmp_path / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    for name in ("tiny", "prefixes"):
        sys.modules.pop(name, None)


def test_the_example_of_an_architecture_is_one(example, monkeypatch, tmp_path):
    example("An architecture", "tiny")
    monkeypatch.setitem(models.ARCHITECTURES, "tiny", "tiny")
    monkeypatch.setattr(models, "__file__", str(tmp_path / "__init__.py"))
    network = models.build(models.ModelSettings("tiny", options={"width": 4}), 3, 2)
    assert network(torch.zeros(5, 3, 8, 8)).shape == (5, 2)


def test_the_example_of_a_reader_is_one(example, monkeypatch, tmp_path):
    example("A reader", "prefixes")
    monkeypatch.setitem(readers.READERS, "prefixes", "prefixes")
    (tmp_path / "raw").mkdir()
    names = ["ill_p1_1.png", "well_p2_1.png", "well_p2_2.png", "other.png"]
    for name in names:
        Image.linear_gradient("L").resize((16, 16)).save(tmp_path / "raw" / name)
    reader = readers.reader("prefixes")
    settings = readers.IndexSettings("prefixes", ("well", "ill"), None, 0.5, 1)
    cases, problems = reader.find(tmp_path / "raw", names, settings)
    assert [(case.case, case.group, case.label) for case in cases] == [
        ("ill_p1_1", "p1", "ill"),
        ("well_p2_1", "p2", "well"),
        ("well_p2_2", "p2", "well"),
    ]
    assert [problem.file for problem in problems] == ["other.png"]
    assert reader.load(tmp_path / "raw", cases[0].files).shape == (1, 1, 16, 16)


def test_the_places_that_extending_names_are_there():
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    new = {"scripts/triage/models/tiny.py", "scripts/triage/data/readers/prefixes.py"}
    for path in set(re.findall(r"`((?:scripts|workflow)/[\w/.]+\.\w+)`", text)) - new:
        assert (ROOT / path).exists(), path
