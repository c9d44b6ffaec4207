"""Raw folders that DVC tracks or imports, with their files, without, or with a part of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines_both import BETA_ALL
from engines_support import Project, Server

pytestmark = pytest.mark.slow
RAW = "raw/beta"
WITHOUT_RAW = ["index@beta", "split@beta", "training@beta", "metrics@beta", "table@beta", "report"]


@pytest.fixture
def tracked(project: Project) -> Project:
    """The made project, whose raw folder was then given to DVC, in a remote of its own."""
    store = project.folder.parent / "store"
    store.mkdir()
    project.server.own(store)
    project.succeed("dvc", "remote", "modify", "store", "url", str(store))
    project.git("rm", "-r", "--quiet", "--cached", RAW)
    project.succeed("dvc", "add", RAW)
    project.commit()
    project.succeed("dvc", "push", "--quiet")
    return project


@pytest.mark.parametrize("link", ["copy", "symlink"])
def test_a_folder_given_to_dvc_is_the_same_folder(
    tracked: Project, folder: Path, link: str
) -> None:
    tracked.assert_agreed()
    assert tracked.snakemake() == tracked.repro() == []
    clone = tracked.clone(folder / "clone", link)
    clone.succeed("dvc", "pull", "--quiet")
    clone.assert_agreed()
    clone.write(f"{RAW}/2.txt", "new\n")
    assert clone.snakemake() == BETA_ALL
    assert clone.plan() == []
    assert clone.changed() == {f"{RAW}.dvc"}
    clone.succeed("dvc", "add", RAW)
    clone.assert_agreed()
    clone.write(f"{RAW}/2.txt", "newer\n")
    assert "index@beta" in clone.repro()
    clone.assert_agreed()


def test_without_its_files_only_what_needs_them_stops(tracked: Project, folder: Path) -> None:
    clone = tracked.clone(folder / "clone")
    clone.succeed("dvc", "pull", "--quiet", *WITHOUT_RAW)
    assert not clone.path(RAW).exists()
    output = clone.succeed("snakemake", "--dry-run", "results/beta/table.csv")
    assert f"{RAW}: is not here\n  -> dvc pull {RAW}.dvc" in output
    assert "Nothing to be done" in output
    assert "Data and pipelines are up to date" in clone.succeed("dvc", "repro", "--allow-missing")
    clone.write("data/beta/withdrawn.csv", "case,date,reason\n2,2024-01-01,consent\n")
    before = clone.text("data/beta/manifest.csv")
    assert f"dvc pull {RAW}.dvc" in clone.fail("snakemake", "results/beta/table.csv")
    assert clone.text("data/beta/manifest.csv") == before
    clone.succeed("dvc", "pull", "--quiet", f"{RAW}.dvc")
    assert set(clone.snakemake("results/beta/table.csv")) == set(BETA_ALL) - {"report"}


def test_a_part_of_its_files_is_not_taken_for_all(tracked: Project) -> None:
    tracked.path(f"{RAW}/2.txt").unlink()
    output = tracked.succeed("snakemake", "--dry-run")
    assert f"{RAW}: holds 2 of the 3 file(s) that {RAW}.dvc knows" in output
    assert "Nothing to be done" in output
    assert "to leave the others out on purpose" in output
    tracked.succeed("dvc", "add", RAW)
    assert tracked.snakemake() == BETA_ALL
    tracked.assert_agreed()


def test_an_imported_folder(tracked: Project, made: Project, folder: Path, server: Server) -> None:
    importing = made.copy(folder / "importing")
    importing.succeed("dvc", "import", str(tracked.folder), RAW, "--out", "raw/imported")
    importing.set("studies.beta.raw", "raw/imported")
    importing.snakemake()
    importing.assert_agreed()
    assert importing.repro() == []
    tracked.write(f"{RAW}/2.txt", "new\n")
    tracked.succeed("dvc", "add", RAW)
    tracked.commit()
    tracked.succeed("dvc", "push", "--quiet")
    importing.succeed("dvc", "update", "raw/imported.dvc")
    assert importing.snakemake() == BETA_ALL
    importing.assert_agreed()
