"""Two users in one folder: by turns and at once, under every umask and type of DVC's cache."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import users
from engines_support import Project, Server, wait_until

pytestmark = pytest.mark.skipif(bool(users.why_not()), reason=users.why_not() or "none")
CHECKPOINT = "results/beta/training/small/seed1/checkpoint.pt"
Servers = Callable[[int], list[Server]]


@pytest.fixture(scope="module")
def servers(open_folder: Path) -> Iterator[Servers]:
    """A server for each of two users, by their umask."""
    running: dict[int, list[Server]] = {}

    def start(umask: int) -> list[Server]:
        if umask not in running:
            folders = [open_folder / f"{user}-{umask:o}" for user in users.USERS]
            for folder in folders:
                folder.mkdir()
            pairs = zip(folders, users.USERS, strict=True)
            running[umask] = [Server(folder, user, umask) for folder, user in pairs]
        return running[umask]

    yield start
    for pair in running.values():
        for server in pair:
            server.stop()


def shared(made: Project, folder: Path, servers: list[Server], link: str) -> list[Project]:
    """One folder, made by the first user and shared with the second one as git and DVC advise."""
    copied = folder / "project"
    shutil.copytree(made.folder, copied, symlinks=True)
    first = Project(copied, servers[0])
    servers[0].own(copied)
    if servers[0].umask == 0o002:
        for path in (copied, *copied.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o2070 if path.is_dir() else 0o060))
    first.succeed("dvc", "config", "--local", "cache.type", link)
    if servers[0].umask == 0o002:
        first.succeed("dvc", "config", "--local", "cache.shared", "group")
    first.succeed("dvc", "checkout", "--quiet", "--relink")
    return [first, Project(copied, servers[1])]


@pytest.mark.parametrize(
    "link",
    ["copy", *(pytest.param(link, marks=pytest.mark.slow) for link in ("hardlink", "symlink"))],
)
def test_two_users_by_turns(made: Project, folder: Path, servers: Servers, link: str) -> None:
    first, second = shared(made, folder, servers(0o002), link)
    for turn, (project, engine) in enumerate([(second, "snakemake"), (first, "dvc")], 3):
        project.set("recipe.rate", turn / 10)
        project.path("params.yaml").chmod(0o664)
        if engine == "dvc":
            assert "training@beta" in project.repro()
        else:
            assert "train beta small 2" in project.snakemake()
        for each in (first, second):
            each.assert_agreed()


def test_two_users_at_once(made: Project, folder: Path, servers: Servers) -> None:
    first, second = shared(made, folder, servers(0o002), "copy")
    first.set("recipe.rate", 0.5)
    first.path("params.yaml").chmod(0o664)
    process = first.start("snakemake", TRAIN_SECONDS="2")
    wait_until(lambda: any(first.path(".snakemake/engines/running").glob("*.json")), process)
    assert "another run works in this folder: process" in second.fail("snakemake")
    assert process.wait() == 0
    second.assert_agreed()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_folder_that_is_another_users_alone(
    made: Project, folder: Path, servers: Servers, umask: int
) -> None:
    first, second = shared(made, folder, servers(umask), "copy")
    first.set("recipe.rate", 0.6)
    assert "train beta small 1" in first.snakemake()
    before = first.path(CHECKPOINT).read_bytes()
    if umask == 0o022:
        for answer in (
            second.fail("snakemake", "-n"),
            second.fail("snakemake"),
            second.refusal("why"),
        ):
            assert "nothing can be written there by you" in answer
            assert f"cp -r {first.folder} COPY" in answer
        copied = folder / "copied"
        cp = [*users.by(users.USERS[1]), "cp", "-r", first.folder, copied]
        folder.chmod(0o777)
        subprocess.run(cp, check=True)
        Project(copied, second.server).assert_agreed()
    else:
        for path in (first.folder, first.path(".snakemake"), first.path(".dvc")):
            path.chmod(0o700)
        done = subprocess.run(
            [*users.by(users.USERS[1]), "ls", first.folder], capture_output=True, check=False
        )
        assert done.returncode, "it can be read"
    assert first.path(CHECKPOINT).read_bytes() == before
    first.assert_agreed()
    assert first.path(CHECKPOINT).stat().st_uid == users.USERS[0]
