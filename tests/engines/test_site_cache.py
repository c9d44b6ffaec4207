"""What DVC remembers between runs, as pickles, lies where no other user can put any."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from triage_workflow.engines.site_cache import FOLDER, LOCAL, OWN, is_private, secure

from triage.errors import UserError

ROOT = Path(__file__).parents[2]
ASK = "from dvc.repo import Repo; print(Repo().site_cache_dir)"
NOBODY = 65534


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What git brings of this project to a new machine, as far as DVC reads it."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", "")  # put back in the end, whatever is set
    folder = tmp_path / "clone"
    (folder / "data").mkdir(parents=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".dvc_site/repo/.gitignore", ".dvcignore"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return folder


def used(folder: Path) -> Path:
    """Where DVC, called in ``folder`` by hand, keeps its caches."""
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=folder, capture_output=True, text=True, check=True
    )
    return folder / done.stdout.strip()


def test_a_clone_never_uses_the_folder_that_all_users_share(clone):
    assert used(clone).is_relative_to(clone / FOLDER)
    for folder in (clone / FOLDER, clone / FOLDER / "repo"):
        assert not folder.stat().st_mode & stat.S_IWOTH


def test_after_setting_up_it_is_one_private_folder_wherever_dvc_is_called(clone):
    assert secure(clone) == clone / FOLDER / OWN
    assert stat.S_IMODE((clone / FOLDER).stat().st_mode) == 0o700
    assert used(clone).is_relative_to(clone / FOLDER)
    assert used(clone / "data").is_relative_to(clone / FOLDER)
    assert list((clone / "data").iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can play another user")
def test_another_user_can_neither_plant_nor_rename_there(clone):
    secure(clone)
    for folder in [clone, *clone.parents][:-2]:  # nothing else keeps the other user out
        folder.chmod(folder.stat().st_mode | 0o755)
    cache = used(clone)
    attack = f"import os; os.setuid({NOBODY}); open({str(cache / 'db.db')!r}, 'w')"
    cache.mkdir(parents=True, exist_ok=True)
    cache.chmod(0o777)
    done = subprocess.run([sys.executable, "-c", attack], capture_output=True, text=True)
    assert "PermissionError" in done.stderr
    assert not (cache / "db.db").exists()


def test_remotes_and_passwords_of_this_machine_stay(clone):
    theirs = "['remote \"store\"']\n    # mine\n    password = a%(b)s$c\n"
    (clone / LOCAL).write_text(theirs)
    secure(clone)
    secure(clone)
    text = (clone / LOCAL).read_text()
    assert "# mine" in text
    assert "password = a%(b)s$c" in text
    assert text.count(str(clone / FOLDER / OWN)) == 1


def test_a_private_folder_of_ones_own_choice_stays_and_another_does_not(clone, monkeypatch):
    chosen = clone.parent / "chosen"
    chosen.mkdir(mode=0o700)
    (clone / LOCAL).write_text(f"[core]\n    site_cache_dir = {chosen}\n")
    assert secure(clone) == chosen
    chosen.chmod(0o777)
    assert not is_private(chosen)
    assert secure(clone) == clone / FOLDER / OWN
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(chosen))
    with pytest.raises(UserError, match="other users can put files here"):
        secure(clone)
    link = clone.parent / "link"
    link.symlink_to(clone / FOLDER)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(link))
    with pytest.raises(UserError, match="other users"):
        secure(clone)


def test_what_was_made_for_others_too_is_closed_and_emptied(clone):
    planted, at_work = clone / FOLDER / OWN / "repo/token", clone / FOLDER / "repo/token"
    for folder in (planted, at_work):
        folder.mkdir(parents=True)
    for folder in (clone / FOLDER, clone / FOLDER / "repo"):
        folder.chmod(0o777)  # as DVC makes them, and git under a umask of 002
    assert secure(clone) == clone / FOLDER / OWN
    assert stat.S_IMODE((clone / FOLDER).stat().st_mode) == 0o700
    assert not planted.exists()
    assert at_work.exists()  # the DVC that started this may be using it
    assert used(clone).is_relative_to(clone / FOLDER / OWN)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can play another user")
def test_a_second_user_of_the_project_has_another_folder(clone):
    secure(clone)
    for folder in (clone / FOLDER, clone / FOLDER / OWN):
        os.chown(folder, NOBODY, NOBODY)
    before = (clone / LOCAL).read_text()
    second = secure(clone)
    assert second == clone / f"{FOLDER}-{os.getuid()}"
    assert is_private(second)
    assert os.environ["DVC_SITE_CACHE_DIR"] == str(second)
    assert (clone / LOCAL).read_text() == before
    assert used(clone).is_relative_to(second)


def test_a_project_without_dvc_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_SITE_CACHE_DIR", raising=False)
    secure(tmp_path)
    assert list(tmp_path.iterdir()) == []
