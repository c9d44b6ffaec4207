"""What every script shares."""

import subprocess
import sys

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
