"""A copy of the workflow with shrunken settings, for tests that run it whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("scripts", "workflow", "presets", "answers.yaml", "dvc.yaml", ".dvcignore", ".gitignore")
DEMO = ROOT / "presets" / "demo.yaml"  # not the user's own params.yaml


class Workflow:
    """The workflow in a folder of its own, under git and DVC like a user's clone."""

    def __init__(self, folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
        self.folder = folder
        self.programs: list[Path] = []  # folders of programs that go before installed ones
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source, target = ROOT / part, folder / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, target)
        shutil.copy(DEMO, folder / "params.yaml")
        self.change(change)
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")

    @classmethod
    def at(cls, folder: Path) -> Workflow:
        """The one that is in a folder already."""
        found = cls.__new__(cls)
        found.folder = folder
        found.programs = []
        return found

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Edit params.yaml."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command in the folder; what it printed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, printed[-4000:]
        return printed

    def environment(self) -> dict[str, str]:
        folders = [*self.programs, Path(sys.executable).parent, os.environ["PATH"]]
        path = os.pathsep.join(map(str, folders))
        return os.environ | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def snakemake(self, *arguments: str, fails: bool = False) -> str:
        return self.run("snakemake", "--cores", "2", *arguments, fails=fails)

    def planned(self, *arguments: str) -> set[str]:
        """The rules that Snakemake would run jobs of."""
        printed = self.run("snakemake", "-n", *arguments, "--quiet", "host")
        return {_rule(line.split()[0]) for line in _job_table(printed)}


def _rule(name: str) -> str:
    """The name of a rule; of those of the index, one for each study, the common one."""
    return re.sub(r"^index-.*", "index", name)


def _job_table(printed: str) -> list[str]:
    lines = printed.splitlines()
    rule = next((i for i, line in enumerate(lines) if line.startswith("job ")), None)
    if rule is None:
        return []
    table = lines[rule + 2 :]
    end = next(i for i, line in enumerate(table) if line.startswith("total"))
    return table[:end]


def only(*studies: str) -> Callable[[dict[str, Any]], None]:
    """Settings of some studies only, so small that all steps of one together take a minute."""

    def change(content: dict[str, Any]) -> None:
        content["studies"] = {study: content["studies"][study] for study in studies}
        content["defaults"]["evaluation"] = {"replicates": 100}
        if "braintriage" in studies:
            _shrink_braintriage(content)
        for study in set(studies) - {"braintriage"}:
            _shrink_pictures(content, study)
        used = {content["studies"][study]["raw"].split("/")[1] for study in studies}
        content["phantoms"] = {name: content["phantoms"][name] for name in used}
        if "resnet18_pretext" not in str(content["studies"]):
            content["pretrained"] = {}

    return change


def _shrink_pictures(content: dict[str, Any], study: str) -> None:
    recipes = [content["studies"][study]["training"]["recipe"]]
    recipes += content["studies"][study]["training"]["arms"].values()
    for recipe in recipes:
        if "epochs" in recipe:
            recipe["epochs"] = 1
    counts = {"train": 48, "val": 8, "test": 24}
    phantom = content["phantoms"][content["studies"][study]["raw"].split("/")[1]]
    for part, count in counts.items():
        if isinstance(phantom.get(part), dict):
            phantom[part] = dict.fromkeys(phantom[part], count // 2)
        elif part in phantom:
            phantom[part] = count
    if "pictures" in phantom:
        phantom["pictures"] = 80
    content["pretrained"]["resnet18_pretext"] |= {"images": 64, "size": 32, "epochs": 1}


def _shrink_braintriage(content: dict[str, Any]) -> None:
    content["phantoms"]["braintriage"] |= {
        "patients": 12,
        "test_patients": 3,
        "size": 48,
        "slices": 6,
    }
    study = content["studies"]["braintriage"]
    study["index"]["min_slices"] = 6
    study["split"]["k"] = 3
    training = study["training"]
    del training["arms"]["random_forest"]  # the studies of pictures have floors
    training["recipe"] |= {"epochs": 1, "input": {"slices": [1, 5], "crop": 40}}
    training["sequence"]["recipe"] |= {"epochs": 2, "batch_size": 4}
    training["finetuning"]["recipe"] |= {"epochs": 1}
