"""The inventory lists what there is, notices what changed, and reads no more than that."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triage import looks
from triage.data import inventory
from triage.errors import UserError


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for name in ("b/2.txt", "b/1.txt", "a.txt", 'names/comma, quote" and ü.txt', "-dash"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return folder


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once."""
    monkeypatch.setattr(looks, "_TICK", -(10**18))


def refresh(raw: Path) -> bool:
    return inventory.refresh(raw, raw.parent / "inventory.csv", raw.parent / "cache.json")


def listed(raw: Path) -> dict[str, inventory.Entry]:
    return {entry.path: entry for entry in inventory.read(raw.parent / "inventory.csv")}


def test_lists_every_file_by_path_with_size_and_checksum(raw: Path) -> None:
    assert refresh(raw)
    entries = inventory.read(raw.parent / "inventory.csv")
    paths = [entry.path for entry in entries]
    assert paths == sorted(
        path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file()
    )
    for entry in entries:
        content = (raw / entry.path).read_bytes()
        assert (entry.size, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_write_gives_the_same_table_as_refresh(raw: Path) -> None:
    refresh(raw)
    inventory.write(raw, raw.parent / "other.csv")
    assert (raw.parent / "other.csv").read_bytes() == (raw.parent / "inventory.csv").read_bytes()


@pytest.mark.usefixtures("later")
def test_nothing_is_read_or_written_where_nothing_changed(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(raw)
    before = (raw.parent / "inventory.csv").stat()
    monkeypatch.setattr(inventory, "_sha256", lambda path: pytest.fail(f"{path} was read"))
    assert not refresh(raw)
    assert (raw.parent / "inventory.csv").stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.usefixtures("later")
def test_only_changed_files_are_read(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refresh(raw)
    (raw / "b/1.txt").write_text("changed")
    (raw / "new.txt").write_text("new")
    (raw / "a.txt").unlink()
    seen = []
    original = inventory._sha256
    monkeypatch.setattr(
        inventory, "_sha256", lambda path: (seen.append(path.name), original(path))[1]
    )
    assert refresh(raw)
    assert sorted(seen) == ["1.txt", "new.txt"]
    assert listed(raw)["b/1.txt"].sha256 == hashlib.sha256(b"changed").hexdigest()
    assert "new.txt" in listed(raw)
    assert "a.txt" not in listed(raw)


def test_a_file_changed_within_a_tick_of_the_clock_is_noticed(raw: Path) -> None:
    path = raw / "a.txt"
    path.write_text("one")
    refresh(raw)
    before = path.stat().st_mtime_ns
    path.write_text("two")
    os.utime(path, ns=(before, before))
    assert refresh(raw)
    assert listed(raw)["a.txt"].sha256 == hashlib.sha256(b"two").hexdigest()


@pytest.mark.usefixtures("later")
def test_other_content_of_the_same_size_and_time_is_noticed(raw: Path) -> None:
    refresh(raw)
    path, other = raw / "a.txt", raw.parent / "other"
    other.write_text("A.TXT")
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    subprocess.run(["cp", "-p", other, path], check=True)
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert path.stat().st_ino == status.st_ino
    assert refresh(raw)
    assert listed(raw)["a.txt"].sha256 == hashlib.sha256(b"A.TXT").hexdigest()


@pytest.mark.usefixtures("later")
def test_a_file_dated_ahead_is_read_once(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = 2 * 10**18
    os.utime(raw / "a.txt", ns=(ahead, ahead))
    monkeypatch.setattr(looks, "_TICK", 0)
    time.sleep(0.05)  # for the kernel's clock of files to go on
    refresh(raw)
    monkeypatch.setattr(inventory, "_sha256", lambda path: pytest.fail(f"{path} was read"))
    assert not refresh(raw)


def test_a_touched_file_changes_nothing(raw: Path) -> None:
    refresh(raw)
    os.utime(raw / "a.txt")
    assert not refresh(raw)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"table": 1}', '{"table": "", "files": {"a": 1}}']
)
def test_a_damaged_cache_only_costs_time(raw: Path, content: str) -> None:
    refresh(raw)
    (raw.parent / "cache.json").write_text(content)
    assert not refresh(raw)


def test_an_inventory_edited_by_hand_is_made_right(raw: Path) -> None:
    refresh(raw)
    table = raw.parent / "inventory.csv"
    right = table.read_bytes()
    table.write_text("path,size,sha256\n")
    assert refresh(raw)
    assert table.read_bytes() == right


def test_hidden_files_are_not_listed(raw: Path) -> None:
    for name in (".DS_Store", "b/._1.txt", "Thumbs.db", ".hidden/file"):
        (raw / name).parent.mkdir(exist_ok=True)
        (raw / name).write_text("x")
    refresh(raw)
    assert not {"DS_Store", "Thumbs.db", "file", "._1.txt"} & {Path(p).name for p in listed(raw)}


def test_links_are_followed_but_not_in_circles(raw: Path) -> None:
    elsewhere = raw.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1.txt").write_bytes((raw / "b/1.txt").read_bytes())
    (raw / "linked").symlink_to(elsewhere, target_is_directory=True)
    (raw / "b/up").symlink_to(raw, target_is_directory=True)
    (raw / "self").symlink_to(raw / "self")
    (raw / "nowhere").symlink_to(raw / "missing")
    refresh(raw)
    assert listed(raw)["linked/1.txt"].sha256 == listed(raw)["b/1.txt"].sha256
    for path in ("self", "nowhere"):
        assert listed(raw)[path] == inventory.Entry(path, 0, "")
    assert not any("up/b" in path for path in listed(raw))


@pytest.mark.parametrize("first", ["a", "z"])
def test_a_folder_with_links_to_it_is_listed_by_its_own_path(raw: Path, first: str) -> None:
    (raw / f"{first}-link").symlink_to(raw / "b", target_is_directory=True)
    refresh(raw)
    assert {path for path in listed(raw) if path.endswith("1.txt")} == {"b/1.txt"}


def test_links_that_double_from_level_to_level_take_no_time(raw: Path) -> None:
    for level in range(30):
        (raw / f"levels/{level}").mkdir(parents=True)
        for name in "ab":
            target = raw / f"levels/{level + 1}"
            (raw / f"levels/{level}/{name}").symlink_to(target, target_is_directory=True)
    (raw / "levels/30").mkdir()
    (raw / "levels/30/file").write_text("x")
    started = time.monotonic()
    refresh(raw)
    assert time.monotonic() - started < 5
    assert [path for path in listed(raw) if path.endswith("file")] == ["levels/30/file"]


def test_pipes_and_strange_names_count_as_unreadable(raw: Path) -> None:
    os.mkfifo(raw / "pipe")
    for name in (b"new\nline", b"return\r", b"latin-\xe4", "line\u2028end".encode()):
        Path(os.fsdecode(os.fsencode(raw) + b"/" + name)).write_text("x")
    refresh(raw)
    unreadable = {path for path, entry in listed(raw).items() if not entry.sha256}
    assert unreadable == {"pipe", r"new\x0aline", r"return\x0d", r"latin-\xe4", r"line\x2028end"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_without_permission_count_as_unreadable(raw: Path) -> None:
    (raw / "a.txt").chmod(0)
    (raw / "b").chmod(0)
    refresh(raw)
    assert {path for path, entry in listed(raw).items() if not entry.sha256} == {"a.txt", "b"}
    (raw / "b").chmod(0o755)


def test_a_missing_folder_and_a_damaged_inventory_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="raw folder"):
        inventory.refresh(tmp_path / "none", tmp_path / "i.csv", tmp_path / "c.json")
    (tmp_path / "i.csv").write_text("path,size\na,b\n")
    with pytest.raises(UserError, match="damaged"):
        inventory.read(tmp_path / "i.csv")


def test_a_folder_that_lost_all_its_files_may_not_be_mounted(raw: Path, later: None) -> None:
    refresh(raw)
    before = (raw.parent / "inventory.csv").read_bytes()
    raw.rename(raw.with_name("away"))
    raw.mkdir()
    for _ in range(2):
        with pytest.raises(UserError, match=r"(?s)is empty, and held 5 file\(s\).*mounted"):
            refresh(raw)
        (raw.parent / "cache.json").unlink(
            missing_ok=True
        )  # as in a clone, where DVC pulled the table
    assert (raw.parent / "inventory.csv").read_bytes() == before


def test_an_empty_folder_at_first_is_only_empty(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    assert refresh(tmp_path / "raw")
    assert listed(tmp_path / "raw") == {}


def test_it_starts_fast_for_the_workflow() -> None:
    code = "import sys, triage.data.inventory; print(*{'numpy', 'pandas'} & sys.modules.keys())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={},
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == "", run.stderr
