"""A SLURM of one node and two pretend GPUs, for tests: started, asked, and stopped."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

NODE = "triage-test"
CONFIGURATION = Path("/etc/slurm")  # the one place where every srun looks, also that of a job
MARK = "# Of a test"
LOCK = Path(tempfile.gettempdir()) / "triage-slurm.lock"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")


def why_not() -> str | None:
    """Why no SLURM can be started here; None where one can."""
    missing = [each for each in PROGRAMS if shutil.which(each) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "only root may start a SLURM"
    own = CONFIGURATION / "slurm.conf"
    if own.exists() and not own.read_text().startswith(MARK):
        return f"this machine has a SLURM of its own ({CONFIGURATION})"
    return None


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
    """Fails where ``holds`` has not become true after ``seconds``."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            queue = subprocess.run(["squeue", "--states=all"], capture_output=True, text=True)
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{queue.stdout}")
        time.sleep(0.1)


class Cluster:
    """munged, slurmctld and slurmd; the files of all three lie in one short-lived folder."""

    def __init__(self) -> None:
        # Sockets need a short path, so this is not pytest's folder.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Waits until no other test has one: there is one place for the configuration."""
        self._alone = open(LOCK, "w")  # noqa: SIM115 (held until the end)
        fcntl.flock(self._alone, fcntl.LOCK_EX)
        self._configure()
        self._launch("munged", *self._munge_options())
        wait_until((self.folder / "munge.socket").exists, "munged")
        self.start_controller()
        self._launch("slurmd", "-D", "-N", NODE)
        wait_until(lambda: self.node_state() == "idle", f"slurmd, see {self.folder}")

    def stop(self) -> None:
        """End all jobs and programs, and leave nothing behind."""
        subprocess.run(["scancel", "--quiet", "--full", "--user", "root"], check=False)
        subprocess.run(["scancel", "--quiet", "--signal", "KILL", "--user", "root"], check=False)
        for program in reversed(list(self._running)):
            self._end(program)
        for name in ("slurm.conf", "gres.conf"):
            (CONFIGURATION / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self._alone.close()

    def start_controller(self) -> None:
        self._launch("slurmctld", "-D")
        wait_until(lambda: "is UP" in self.ask("scontrol", "ping"), "slurmctld")

    def kill_controller(self) -> None:
        time.sleep(6)  # it saves its state within 5 s of a change, and knows no more afterwards
        self._running["slurmctld"].kill()
        self._end("slurmctld")

    def ask(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout

    def tell(self, *command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def node_state(self) -> str:
        return self.ask("sinfo", "--noheader", "--partition", "cpu", "--format", "%T").strip()

    def jobs(self, comment: str = "", states: str = "all") -> list[tuple[str, str]]:
        """Number and state of the jobs whose comment, which names rule and run, has this text."""
        listed = self.ask(
            "squeue", "--noheader", "--states", states, "--sort", "i", "--format", "%i|%T|%k"
        )
        rows = [line.split("|", 2) for line in listed.splitlines()]
        return [(number, state) for number, state, noted in rows if comment in noted]

    def _configure(self) -> None:
        ports = _free_ports(2)
        CONFIGURATION.mkdir(exist_ok=True)
        (self.folder / "state").mkdir()
        (self.folder / "spool").mkdir()
        (self.folder / "munge.key").write_bytes(os.urandom(1024))
        (self.folder / "munge.key").chmod(0o600)
        lines = {
            "ClusterName": "triage",
            "SlurmctldHost": f"{socket.gethostname()}(127.0.0.1)",
            "SlurmctldPort": ports[0],
            "SlurmdPort": ports[1],
            "SlurmUser": "root",
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={self.folder}/munge.socket",
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool",
            "SlurmctldPidFile": self.folder / "slurmctld.pid",
            "SlurmdPidFile": self.folder / "slurmd.pid",
            "SlurmctldLogFile": self.folder / "slurmctld.log",
            "SlurmdLogFile": self.folder / "slurmd.log",
            # A container has no control groups to give away.
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "AccountingStorageType": "accounting_storage/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_Core_Memory",
            "PreemptType": "preempt/partition_prio",
            "PreemptMode": "REQUEUE",
            "SchedulerParameters": "batch_sched_delay=0,sched_min_interval=0,"
            "sched_interval=2,bf_interval=2",
            "MinJobAge": 300,
            "KillWait": 20,
            "GresTypes": "gpu",
            # What the node claims goes first: jobs ask for more than a small machine has.
            "SlurmdParameters": "config_overrides",
            "NodeName": f"{NODE} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1"
            " CPUs=8 RealMemory=64000 Gres=gpu:2",
        }
        partitions = [
            f"PartitionName=cpu Nodes={NODE} Default=YES",
            f"PartitionName=gpu Nodes={NODE}",
            f"PartitionName=urgent Nodes={NODE} PriorityTier=100",
        ]
        text = [MARK, *(f"{key}={value}" for key, value in lines.items()), *partitions]
        (CONFIGURATION / "slurm.conf").write_text("\n".join(text) + "\n")
        gpus = [f"NodeName={NODE} Name=gpu File=/dev/{each}" for each in ("null", "zero")]
        (CONFIGURATION / "gres.conf").write_text("\n".join(gpus) + "\n")

    def _munge_options(self) -> list[str]:
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid"}
        files |= {"log-file": "log", "seed-file": "seed"}
        options = [f"--{key}={self.folder}/munge.{suffix}" for key, suffix in files.items()]
        return ["--foreground", "--force", *options]

    def _launch(self, program: str, *options: str) -> None:
        with open(self.folder / f"{program}.out", "ab") as output:
            self._running[program] = subprocess.Popen(
                [program, *options], stdout=output, stderr=output, start_new_session=True
            )

    def _end(self, program: str) -> None:
        process = self._running.pop(program)
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
