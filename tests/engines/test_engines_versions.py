"""Both engines are of versions that were tested; what differs is said before anything runs."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from triage_workflow.engines import dvc_adapter, snakemake_adapter, versions

from engines_support import Project

ROOT = Path(__file__).parents[2]
RANGES = {"snakemake": snakemake_adapter.VERSIONS, "dvc": dvc_adapter.VERSIONS}


def test_the_project_asks_for_the_versions_that_were_tested() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {each.name: each for each in map(Requirement, content["project"]["dependencies"])}
    for package, tested in RANGES.items():
        assert asked[package].specifier == SpecifierSet(tested)
        assert any(each.operator == "<" for each in asked[package].specifier)


@pytest.mark.parametrize("package", RANGES)
@pytest.mark.parametrize("found", ["1.0", "99.1"])
def test_another_version_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, package: str, found: str
) -> None:
    monkeypatch.setattr(versions, "version", lambda _: found)
    with pytest.raises(SystemExit) as end:
        versions.require(package, RANGES[package])
    assert f"{package} {found} is installed" in str(end.value)
    assert f"python -m pip install '{package}{RANGES[package]}'" in str(end.value)


def test_the_versions_at_hand_are_in_the_range() -> None:
    for package, tested in RANGES.items():
        assert metadata.version(package) in SpecifierSet(tested)


OTHERWISE = "\nimport snakemake.workflow, snakemake.dag\n"
DAMAGES = {
    "records that are not asked": (
        "from snakemake.persistence.file import FilePersistence as Plain\n"
        "keep = snakemake.workflow.Workflow._prepare_dag\n"
        "def prepare(self, *arguments, **options):\n"
        "    snakemake.workflow.FilePersistence = Plain\n"
        "    return keep(self, *arguments, **options)\n"
        "snakemake.workflow.Workflow._prepare_dag = prepare\n",
        "its own records are in use",
    ),
    "a part that is gone": ("del snakemake.dag.DAG.finish\n", "DAG.finish is gone"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_snakemake_that_works_otherwise_is_never_used_silently(
    project: Project, kind: str
) -> None:
    code, said = DAMAGES[kind]
    project.write("Snakefile", OTHERWISE + code + project.text("Snakefile"))
    for arguments in (["--dry-run"], []):
        message = project.fail("snakemake", *arguments)
        assert "this Snakemake is not what the workflow was tested with" in message
        assert said in message
