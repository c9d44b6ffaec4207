"""Threads of trainings: few runs get all cores, many get one each, and nothing is overbooked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage_workflow.params import Params
from triage_workflow.threads import Threads, let_threads_wait, share

DEMO = Path(__file__).parents[2] / "presets" / "demo.yaml"


@given(st.integers(1, 70), st.integers(1, 70))
def test_runs_side_by_side_share_the_cores_out(runs: int, cores: int) -> None:
    threads = [share(place, runs, cores) for place in range(runs)]
    assert min(threads) >= 1
    rounds = [threads[i : i + cores] for i in range(0, runs, cores)]
    assert all(sum(each) <= cores for each in rounds)
    if runs < 2 * cores:
        assert sum(rounds[-1]) == cores
    else:
        assert set(threads) == {1}


def test_of_three_runs_on_two_cores_the_last_has_both() -> None:
    assert [share(place, 3, 2) for place in range(3)] == [1, 1, 2]


def test_the_demo_trains_with_a_thread_a_run_and_volumes_with_two() -> None:
    params = Params.read(DEMO)
    runs = [run for study in params.studies for run in params.trained_runs(study)]
    threads = {
        run.study: Threads(params, 2).of(run)
        for run in runs
        if run.stage == "training" and not params.arms(run.study)[run.arm].is_floor
    }
    assert threads.pop("braintriage") == 2
    assert set(threads.values()) == {1}
    assert {Threads(params, 1).of(run) for run in runs} == {1}


def test_a_single_run_has_all_cores() -> None:
    params = Params.read(DEMO)
    (run,) = [each for each in params.trained_runs("braintriage") if each.stage == "finetuning"]
    assert Threads(params, 12).of(run) == 12


def test_threads_give_way_at_once_where_jobs_want_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "environ", {})
    let_threads_wait(2)
    assert "OMP_WAIT_POLICY" not in os.environ
    assert int(os.environ.pop("GOMP_SPINCOUNT")) > 0
    let_threads_wait(3)
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    let_threads_wait(2)  # what is said already stays
    assert "GOMP_SPINCOUNT" not in os.environ
