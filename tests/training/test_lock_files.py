"""The locks of GPUs lie where other users write too: what they leave there does no harm."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from triage.errors import UserError
from triage.training import lock_files, step

NOBODY = 65534
AS_ANOTHER = f"""
import os, sys
from pathlib import Path
from triage.training import lock_files
os.umask(0o077)
os.setuid({NOBODY})
found = lock_files.opened(Path(sys.argv[1]), sys.argv[2])
print(Path(f"/proc/self/fd/{{found}}").readlink())
"""


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = os.umask(0o077)
    yield tmp_path / "locks"
    os.umask(before)


def where(descriptor: int) -> Path:
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    os.close(descriptor)
    return path


def own(shared: Path) -> Path:
    return shared.with_name(f"locks-{os.getuid()}")


def test_others_can_lock_what_was_made_under_a_strict_umask(shared):
    assert where(lock_files.opened(shared, "0.lock")) == shared / "0.lock"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert stat.S_IMODE((shared / "0.lock").stat().st_mode) == 0o644


def test_two_processes_share_a_lock(shared):
    one, two = (lock_files.opened(shared, "0.lock") for _ in range(2))
    fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with pytest.raises(BlockingIOError):
        fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(one)
    os.close(two)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder", "device"])
def test_what_is_no_plain_file_is_neither_opened_nor_waited_for(shared, kind):
    shared.mkdir()
    shared.chmod(0o1777)
    victim = shared.parent / "victim"
    victim.write_text("secret")
    mode = stat.S_IMODE(victim.stat().st_mode)
    path = shared / "0.lock"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(victim)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/tty")
    assert where(lock_files.opened(shared, "0.lock")) == own(shared) / "0.lock"
    assert stat.S_IMODE(victim.stat().st_mode) == mode


def test_a_folder_that_is_a_link_is_not_followed(shared):
    elsewhere = shared.parent / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    elsewhere.chmod(0o755)
    shared.symlink_to(elsewhere)
    assert where(lock_files.opened(shared, "0.lock")) == own(shared) / "0.lock"
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    assert not list(elsewhere.iterdir())


def test_within_a_job_nobody_elses_folder_is_used(shared):
    assert where(lock_files.opened(shared, "0.lock", alone=True)) == own(shared) / "0.lock"
    assert stat.S_IMODE(own(shared).stat().st_mode) == 0o700
    assert not shared.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can play another user")
def test_folders_of_another_user_keep_their_mode_and_are_left(shared):
    for folder in (shared, own(shared)):
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)  # not sticky: everyone could take away what others lock
        os.chown(folder, NOBODY, NOBODY)
    home = shared.parent / "home/.cache/locks"
    assert where(lock_files.opened(shared, "0.lock")) == home / "0.lock"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o777
    home.rename(home.with_name("other"))
    home.symlink_to(shared)
    with pytest.raises(UserError, match="no folder for locks"):
        lock_files.opened(shared, "1.lock", alone=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can play another user")
def test_users_share_a_folder_whoever_made_it(shared):
    for folder in [shared.parent, *shared.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o755)
    shared.parent.chmod(0o1777)
    for name in ("0.lock", "1.lock"):
        command = [sys.executable, "-c", AS_ANOTHER, str(shared), name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(shared / name)
        assert where(lock_files.opened(shared, name)) == shared / name
    assert (shared / "0.lock").stat().st_uid == NOBODY


def test_what_torch_compiles_is_kept_in_a_folder_of_this_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    step._compiled(torch.nn.Linear(1, 1))
    folder = tmp_path / "scratch/compiled"
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
