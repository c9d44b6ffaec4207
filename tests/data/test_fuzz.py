"""A short run of what `make fuzz` runs for as long as one likes."""

import subprocess
import sys
from pathlib import Path

import pytest

import fuzzing
from triage.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["tables", "images"])
def test_random_damage_is_read_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "KEPT", tmp_path)
    outcomes = fuzzing.fuzz(fuzzing.targets()[name], seconds=300, seed=7, count=600)
    assert outcomes.total() == 600
    assert min(outcomes["read"], outcomes["refused"]) > 50


def test_what_breaks_a_reader_is_kept_and_comes_again(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "KEPT", tmp_path)
    whole = fuzzing.targets()["tables"]

    def read(folder, name):
        if b"x" * 100 in (folder / name).read_bytes():
            raise UserError("it is long")
        return "read"

    for _ in range(2):
        with pytest.raises(fuzzing.Found, match="UserError: it is long") as found:
            fuzzing.fuzz(fuzzing.Target(whole.seeds, whole.damage, read), 60, seed=1)
        (kept,) = tmp_path.glob("1-*.csv")
        assert str(kept) in str(found.value)
        assert b"x" * 100 in kept.read_bytes()


def test_it_ends_in_time():
    done = subprocess.run(
        [sys.executable, "tests/helpers/fuzzing.py", "tables", "--seconds", "1", "--seed", "3"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "damaged files" in done.stdout
    assert "(seed 3)" in done.stdout
