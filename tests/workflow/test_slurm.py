"""The workflow on a real SLURM: the same bytes as on a workstation, whatever happens to a job."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slurm_cluster import NODE, Cluster, wait_until, why_not
from workflow_copy import Workflow, only

PROFILE = "workflow/profiles/slurm"
STUDY = "melanoma"
DEMO = "plain"
ARMS = ("first", "second", "third")
EPOCHS = 60
# Differ from run to run: they say when and where a run took place.
OF_THE_RUN = {"record.json", "report.html", f"{STUDY}.txt", "card.json", "card.md", "checklist.md"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    running = Cluster()
    try:
        running.start()
        yield running
    finally:
        running.stop()


def demo(content: dict[str, Any]) -> None:
    """One study with one arm."""
    only(STUDY)(content)
    content["studies"][STUDY].pop("chain", None)  # names arms that are left out here
    training = content["studies"][STUDY]["training"]
    training["recipe"] |= {"epochs": EPOCHS, "stopping": {"patience": None}}
    network = {"architecture": "lesion_cnn", "options": {"size": 32, "norm": "batch"}}
    training["recipe"]["model"] = network
    training["arms"] = {DEMO: {"epochs": 2}}
    content["studies"][STUDY]["images"]["size"] = 32
    content["pretrained"] = {}


def more_arms(content: dict[str, Any]) -> None:
    content["studies"][STUDY]["training"]["arms"] |= {arm: {} for arm in ARMS}


class Local(NamedTuple):
    """The study as this machine makes it itself, without SLURM: all of the demo, and more arms."""

    demo: dict[str, bytes]
    arms: dict[str, bytes]
    workflow: Workflow
    printed: str  # while the arms were trained, with one GPU to give


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Local:
    workflow = Workflow(tmp_path_factory.mktemp("local") / "project", demo)
    workflow.snakemake()
    whole = made(workflow)
    workflow.change(more_arms)
    options = ("--resources", "gpu=1", "--quiet", "host")  # Snakemake's own lines
    printed = workflow.snakemake(*map(checkpoint, ARMS), *options)
    return Local(whole, trained(workflow), workflow, printed)


def checkpoint(arm: str) -> str:
    return f"results/{STUDY}/training/{arm}/fold0-seed1/checkpoint.pt"


def made(workflow: Workflow) -> dict[str, bytes]:
    """The contents of all files under data/ and results/ that the settings decide."""
    files = [
        path.relative_to(workflow.folder)
        for folder in ("data", "results")
        for path in (workflow.folder / folder).rglob("*")
        if path.is_file() and path.name not in OF_THE_RUN and not path.name.startswith(".")
    ]
    return {str(path): (workflow.folder / path).read_bytes() for path in sorted(files)}


def trained(workflow: Workflow) -> dict[str, bytes]:
    return {
        path: content
        for path, content in made(workflow).items()
        if path.startswith(tuple(f"results/{STUDY}/training/{arm}/" for arm in ARMS))
    }


def assert_same(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    assert first.keys() == second.keys()
    assert [path for path in first if first[path] != second[path]] == []


def on_cluster(folder: Path) -> Workflow:
    """The workflow as on a login node; Snakemake looks at jobs at once, not now and then."""
    workflow = Workflow(folder / "remote", demo)
    program = folder / "bin" / "snakemake"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{IMPATIENT}")
    program.chmod(0o755)
    workflow.programs.append(program.parent)
    return workflow


IMPATIENT = """
import sys
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor
Executor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, value: None)
sys.exit(main())
"""


def test_no_more_jobs_run_at_once_than_there_are_gpus(local):
    events = re.findall(r"^(?:localrule train|Finished jobid)", local.printed, re.MULTILINE)
    assert events == ["localrule train", "Finished jobid"] * len(ARMS)


def test_a_whole_study_on_slurm_has_the_bytes_of_a_local_run(cluster, local, tmp_path, monkeypatch):
    remote = on_cluster(tmp_path)
    remote.run("snakemake", "--profile", PROFILE)
    assert_same(made(remote), local.demo)
    used = dict(partitions(cluster))
    assert used["train"] == used["predict"] == used["explain"] == "gpu"
    assert used["index"] == used["table"] == "cpu"
    # Steps of no time at all were no jobs.
    assert not {"inventory", "submission", "checksums", "report"} & used.keys()

    # DVC, too, lets SLURM work: what a changed setting touches, and no more.
    remote.change(draw_more)
    monkeypatch.setenv("SNAKEMAKE_PROFILE", PROFILE)
    before = len(cluster.jobs())
    remote.run("dvc", "repro", f"metrics@{STUDY}")
    assert [job for job, _ in partitions(cluster)[before:]] == ["evaluate_evaluate"]  # a group
    assert_only_metrics_differ(made(remote), local.demo)


def draw_more(content: dict[str, Any]) -> None:
    content["defaults"]["evaluation"]["replicates"] += 1


def assert_only_metrics_differ(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    assert first.keys() == second.keys()
    different = [path for path in first if first[path] != second[path]]
    assert different == [f"results/{STUDY}/metrics/{DEMO}/fold0-seed1.json"]


def partitions(cluster: Cluster) -> list[tuple[str, str]]:
    """Rule and partition of every job so far."""
    columns = ["--sort", "i", "--format", "%k|%P"]
    listed = cluster.ask("squeue", "--noheader", "--states", "all", *columns)
    rows = [line.split("|") for line in listed.splitlines()]
    names = (note.removeprefix("rule_").split("_wildcards")[0] for note, _ in rows)
    # The index has a rule for each study.
    shown = (re.sub(r"^index-.*", "index", name) for name in names)
    return list(zip(shown, (where for _, where in rows), strict=True))


class Training:
    """The training of an arm, as jobs of SLURM."""

    def __init__(self, cluster: Cluster, workflow: Workflow, arm: str) -> None:
        self.cluster, self.arm = cluster, arm
        self.log = workflow.folder / "logs" / STUDY / "training" / arm / "fold0-seed1.log"

    def jobs(self) -> list[tuple[str, str]]:
        return self.cluster.jobs(f"_{self.arm}_")

    def job(self) -> str:
        """The number of the last one."""
        return self.jobs()[-1][0]

    def states(self) -> list[str]:
        return [state for _, state in self.jobs()]

    def epochs(self) -> int:
        """How many epochs the log says are done."""
        text = self.log.read_text() if self.log.exists() else ""
        return max(map(int, re.findall(rf"epoch (\d+)/{EPOCHS}, ", text)), default=0)

    def process(self) -> int | None:
        """The process that writes the log."""
        for descriptors in Path("/proc").glob("[0-9]*/fd"):
            try:
                if any(each.readlink() == self.log for each in descriptors.iterdir()):
                    return int(descriptors.parent.name)
            except OSError:
                continue
        return None

    def is_under_way(self) -> bool:
        return self.epochs() >= 2 and self.process() is not None

    def hold(self) -> int:
        """Stop the clock in the midst of it; the epochs that are done."""
        process = self.process()
        assert process is not None, "it ended too early for this test"
        os.kill(process, signal.SIGSTOP)
        return self.epochs()

    def gpu(self) -> str:
        environment = Path(f"/proc/{self.process()}/environ").read_text().split("\0")
        return dict(each.split("=", 1) for each in environment if each)["CUDA_VISIBLE_DEVICES"]

    def went_on_in(self) -> int:
        """The epoch in which its last start went on."""
        found = re.search(r"going on in epoch (\d+)", self.log.read_text())
        assert found, self.log.read_text()
        return int(found[1])


@contextmanager
def in_background(workflow: Workflow, *arguments: str) -> Iterator[None]:
    """Snakemake while the block runs; it has to end well then."""
    command = ["snakemake", "--profile", PROFILE, *arguments]
    printed = workflow.folder / "printed.txt"
    with open(printed, "w") as stream:
        process = subprocess.Popen(
            command,
            cwd=workflow.folder,
            env=workflow.environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield
        process.wait(timeout=300)
        assert process.returncode == 0, printed.read_text()[-4000:]
    finally:
        process.kill()


def test_whatever_happens_to_jobs_no_saved_epoch_is_lost_and_the_bytes_are_the_same(
    cluster, local, tmp_path
):
    remote = on_cluster(tmp_path)
    for part in ("data", ".snakemake", "snakemake.lock"):
        subprocess.run(["cp", "-a", local.workflow.folder / part, remote.folder], check=True)
    remote.change(more_arms)
    trainings = [Training(cluster, remote, arm) for arm in ARMS]
    # What is asked for by hand changes nothing of where a job goes.
    with in_background(remote, *map(checkpoint, ARMS), "--set-resources", "train:mem_mb=4000"):
        wait_until(lambda: sum(each.is_under_way() for each in trainings) == 2, "two jobs")
        cancelled, limited = [each for each in trainings if each.is_under_way()]
        (preempted,) = set(trainings) - {cancelled, limited}
        done = {each: each.hold() for each in (cancelled, limited)}
        assert {cancelled.gpu(), limited.gpu()} == {"0", "1"}

        cluster.tell("scontrol", "update", f"NodeName={NODE}", "State=DRAIN", "Reason=test")
        cluster.tell("scancel", cancelled.job())
        wait_until(lambda: cancelled.states() == ["CANCELLED", "PENDING"], "a second attempt")
        assert "the state is saved" in cancelled.log.read_text()

        cluster.kill_controller()
        time.sleep(3)  # Snakemake asks in vain
        cluster.start_controller()
        assert limited.states() == ["RUNNING"]
        cluster.tell("scontrol", "update", f"JobId={limited.job()}", "TimeLimit=1")
        wait_until(lambda: limited.states() == ["TIMEOUT", "PENDING"], "the time limit")
        assert "the state is saved" in limited.log.read_text()
        # Nothing starts on a drained node.
        assert preempted.states() == ["PENDING"]

        cluster.tell("scontrol", "update", f"NodeName={NODE}", "State=RESUME")
        wait_until(preempted.is_under_way, "the third job")
        done[preempted] = preempted.hold()
        number = preempted.job()
        urgent = ["--partition=urgent", "--gpus=2", "--wrap=true", "--output=/dev/null"]
        cluster.tell("sbatch", *urgent)
        wait_until(lambda: preempted.states() == ["PENDING"], "preemption")
        assert "the state is saved" in preempted.log.read_text()
        # SLURM lets it wait for two minutes; this test does not.
        for training in trainings:
            cluster.ask("scontrol", "update", f"JobId={training.job()}", "StartTime=now")
    assert preempted.jobs() == [(number, "COMPLETED")]
    assert {where for rule, where in partitions(cluster) if rule == "train"} == {"gpu"}
    for training, epochs in done.items():
        assert training.went_on_in() > epochs
    assert_same(trained(remote), local.arms)
