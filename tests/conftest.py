from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import users
from engines_support import Project, Server
from workflow_copy import Workflow, only

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long to make is made by one worker, which runs all tests that share it."""
    for item in items:
        assert isinstance(item, pytest.Function)
        fixtures = item._fixtureinfo.name2fixturedefs
        scopes = {name: found[-1].scope for name, found in fixtures.items()}
        if scopes.get("done") == "session":
            item.add_marker(pytest.mark.xdist_group("done"))
        elif "module" in scopes.values():
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user may look into, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="triage-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def server(open_folder: Path) -> Iterator[Server]:
    """What runs Snakemake and DVC for all tests of a session, and not as root if it can be helped.

    With ENGINES_AS_ROOT in the environment it is whoever runs the tests.
    """
    is_apart = not os.environ.get("ENGINES_AS_ROOT") and not users.why_not()
    folder = open_folder / "server"
    folder.mkdir()
    running = Server(folder, users.USERS[0] if is_apart else None)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same for tests of the whole workflow, as whoever runs the tests."""
    running = Server(tmp_path_factory.mktemp("engines"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def made(open_folder: Path, server: Server) -> Project:
    """A small workflow, made by Snakemake, committed and pushed; tests work on copies."""
    folder = open_folder / "made"
    project = Project(folder / "project", server)
    shutil.copytree(Path(__file__).parent / "helpers" / "engines_project", project.folder)
    server.own(folder)
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
def folder(open_folder: Path) -> Iterator[Path]:
    """A new folder that every user may look into."""
    with tempfile.TemporaryDirectory(dir=open_folder) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def project(made: Project, folder: Path) -> Project:
    """A copy of the made project that a test may change."""
    return made.copy(folder / "project")
