"""Work in processes comes back in order, and a crash costs one result."""

from __future__ import annotations

import os
import signal
import time

import pytest

from triage.data import workers


def slow_square(number: int) -> int:
    time.sleep(0.05 * (number % 3 == 0))
    return number**2


def fragile(number: int) -> int:
    if number in (0, 7, 8):
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def noisy(number: int) -> int:
    os.write(2, b"decoders are talkative\n")
    return number


def failing(number: int) -> int:
    raise ValueError(number)


def crashed(number: int) -> int:
    return -number


@pytest.mark.parametrize("processes", [1, 3])
def test_results_come_in_order(processes: int) -> None:
    found = workers.imap(slow_square, range(10), processes, crashed)
    assert list(found) == [number**2 for number in range(10)]


@pytest.mark.parametrize("processes", [1, 3])
def test_a_crash_costs_one_result(processes: int) -> None:
    found = list(workers.imap(fragile, range(12), processes, crashed))
    assert found == [0, 1, 4, 9, 16, 25, 36, -7, -8, 81, 100, 121]


@pytest.mark.parametrize("processes", [0, 1, 2, 3])
def test_a_crash_costs_one_result_while_another_is_dealt_with(processes: int) -> None:
    found = []
    for result in workers.imap(fragile, range(12), processes, crashed):
        found.append(result)
        time.sleep(0.05)
    assert found == [0, 1, 4, 9, 16, 25, 36, -7, -8, 81, 100, 121]


def test_nothing_to_do() -> None:
    assert list(workers.imap(slow_square, [], 4, crashed)) == []


def test_what_decoders_print_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(workers.imap(noisy, range(3), 2, crashed)) == [0, 1, 2]
    assert capfd.readouterr().err == ""


def test_a_mistake_in_the_function_is_raised() -> None:
    with pytest.raises(ValueError, match="0"):
        list(workers.imap(failing, range(3), 2, crashed))
