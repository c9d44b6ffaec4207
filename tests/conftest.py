from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from engines_support import Project, Server
from workflow_copy import Workflow, only

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """What runs Snakemake and DVC for all tests of a session."""
    running = Server(tmp_path_factory.mktemp("engines"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Project:
    """A small workflow, made by Snakemake, committed and pushed; tests work on copies."""
    folder = tmp_path_factory.mktemp("made")
    project = Project(folder / "project", server)
    shutil.copytree(Path(__file__).parent / "helpers" / "engines_project", project.folder)
    project.git("init", "--quiet", "--initial-branch", "main")
    project.succeed("dvc", "init", "--quiet")
    project.succeed("dvc", "remote", "add", "--default", "store", str(folder / "store"))
    project.snakemake()
    project.commit("Made")
    project.succeed("dvc", "push", "--quiet")
    return project


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The workflow after a whole run of one study, shrunken."""
    workflow = Workflow(tmp_path_factory.mktemp("workflow"), only("braintriage"))
    workflow.snakemake()
    return workflow


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Project:
    """A copy of the made project that a test may change."""
    return made.copy(tmp_path / "project")
