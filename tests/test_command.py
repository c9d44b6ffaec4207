"""What every script shares."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from triage import command

SCRIPT = """
from triage import command

def main() -> None:
    for number in range(100_000):
        print(number)

command.run(main)
"""


def test_a_reader_that_has_seen_enough_is_no_mistake() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd="scripts",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


LOGGED = """
import os
from contextlib import suppress
from triage import command
from triage.errors import UserError

def main() -> None:
    command.log.info("begun")
    with suppress(OSError):
        os.write(2, b"a library\\n")
    raise UserError("is odd", where="a.csv")

command.run(main)
"""


def logged(log: Path, only_log: str) -> tuple[int, str]:
    """Exit status and what is shown of a script that writes a log."""
    done = subprocess.run(
        [sys.executable, "-c", LOGGED, "--log", str(log)],
        cwd="scripts",
        env=os.environ | {command.ONLY_LOG: only_log},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_job_of_a_run_speaks_in_its_log_alone(tmp_path: Path) -> None:
    said = ["begun", "a library", "error: a.csv: is odd"]
    assert logged(tmp_path / "both.log", "") == (1, "\n".join([*said, ""]))
    assert (tmp_path / "both.log").read_text().splitlines() == [said[0], said[2]]
    assert logged(tmp_path / "only.log", "1") == (1, "")
    assert (tmp_path / "only.log").read_text().splitlines() == said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device without room here")
def test_an_error_is_shown_where_the_log_has_no_room() -> None:
    assert logged(Path("/dev/full"), "1") == (1, "error: a.csv: is odd\n")
