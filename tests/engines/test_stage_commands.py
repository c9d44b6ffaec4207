"""No command of dvc.yaml holds a name from params.yaml: a shell would run what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SNAKEMAKE = '#!/bin/sh\necho "$@" >> made\nmkdir -p data/nice/phantom\n: > data/nice/phantom.csv\n'
HOSTILE = ("x; touch pwned #", "$(touch pwned)", "x\ntouch pwned", "-rf", "nice\n", "../nice", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose Snakemake only writes down what it is asked for."""
    for name in ("scripts", "workflow/rules", "workflow/triage_workflow/params", ".dvc", "bin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("dvc.yaml", "answers.yaml", "workflow/run_stage.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    own = (f"workflow/triage_workflow/{name}.py" for name in ("steps", "answers", "shards"))
    for name in ("workflow/Snakefile", *own, "steps.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "bin/snakemake").write_text(SNAKEMAKE)
    (tmp_path / "bin/snakemake").chmod(0o755)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".dvc/config").touch()
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(
        [str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    own = {"PATH": path, "DVC_SITE_CACHE_DIR": str(folder / "site"), "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(
        command, cwd=folder, env=os.environ | own | variables, capture_output=True, text=True
    )


def test_what_a_key_says_is_not_run_though_all_of_it_looks_checked(folder):
    names = ["x; touch pwned #", "$(touch pwned)"]
    content = {"phantoms": {name: {"seed": 1} for name in names}, "pretrained": {}, "studies": {}}
    (folder / "params.yaml").write_text(yaml.safe_dump(content))
    prepared = {"phantom": dict.fromkeys(names, "0"), "report": "0"}
    (folder / "steps.json").write_text(json.dumps(prepared))
    assert run(folder, "dvc", "commit", "--force", "steps").returncode == 0
    done = run(folder, "dvc", "repro", "--keep-going")
    assert not list(folder.rglob("pwned"))
    assert "is no name of a study" in done.stderr
    made = folder / "made"
    assert not made.exists() or "pwned" not in made.read_text()


def test_a_good_name_reaches_snakemake(folder):
    done = run(
        folder,
        *(sys.executable, "workflow/run_stage.py", "data/@/phantom.csv"),
        DVC_STAGE="phantom@nice",
    )
    assert done.returncode == 0
    assert (folder / "made").read_text() == "data/nice/phantom.csv\n"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bad_name_reaches_nothing(folder, name):
    done = run(
        folder, *(sys.executable, "workflow/run_stage.py", "@_images"), DVC_STAGE=f"images@{name}"
    )
    assert done.returncode == 1
    assert "is no name" in done.stderr
    assert not (folder / "made").exists()


def test_no_command_is_made_of_settings():
    content = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    commands = [block.get("do", block)["cmd"] for block in content["stages"].values()]
    assert len(commands) > 10
    for command in commands:
        assert re.fullmatch(r"python workflow/\w+\.py( [a-z_@/.]+)?", command), command
