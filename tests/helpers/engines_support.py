"""A project folder under both engines, for tests: real Snakemake, real DVC, a real remote."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import engines_server
import users

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "workflow"


@dataclass(frozen=True)
class Answer:
    code: int
    output: str


class Server:
    """Runs the engines, also for each other, without the seconds that they take to import."""

    def __init__(self, folder: Path, user: int | None = None, umask: int = 0o022) -> None:
        self.environment = environment(folder)
        self.user, self.umask = user, umask
        (folder / "site").mkdir(mode=0o700)
        self._folder = folder
        self.before = users.by(user, umask) if user else []
        self.own(folder)
        self._socket = str(folder / "socket")
        program = str(Path(__file__).with_name("engines_server.py"))
        self._process = subprocess.Popen(
            [*self.before, sys.executable, program, "serve", self._socket],
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        # What `dvc repro` calls is found here.
        (folder / "bin").mkdir()
        called = folder / "bin" / "snakemake"
        caller = f'exec "{sys.executable}" -I -S "{program}" call "{self._socket}" snakemake "$@"'
        called.write_text(f"#!/bin/sh\n{caller}\n")
        called.chmod(0o755)

    def own(self, folder: Path) -> None:
        """Give a folder to the user who runs the engines."""
        if self.user:
            users.own(folder, self.user)

    def run(self, tool: str, arguments: Iterable[str], folder: Path, **extra: str) -> Answer:
        bin_ = self._folder / "bin"
        path = os.pathsep.join([str(bin_), self.environment["PATH"]])
        variables = self.environment | {"PATH": path} | extra
        with tempfile.TemporaryFile("w+") as output:
            code = engines_server.call(
                self._socket,
                tool,
                list(arguments),
                folder=str(folder),
                environment=variables,
                output=output.fileno(),
            )
            output.seek(0)
            return Answer(code, output.read())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def environment(folder: Path) -> dict[str, str]:
    """The environment of all processes of a test: no settings of the machine, nothing shared."""
    name, mail = "A Person", "person@example.org"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = ("DVC_", "SNAKEMAKE_", "GIT_")
    return {key: value for key, value in os.environ.items() if not key.startswith(own)} | {
        "PATH": path,
        "ENGINES_ROOT": str(ROOT),
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "DVC_NO_ANALYTICS": "1",
        "HOME": str(folder),
        "LOGNAME": name,  # whoever has no entry in /etc/passwd
        "XDG_CACHE_HOME": str(folder / "cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }


class Project:
    """A checked-out repository with its engines."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.server = server

    def run(self, tool: str, *arguments: str, **extra: str) -> Answer:
        return self.server.run(tool, arguments, self.folder, **extra)

    def succeed(self, tool: str, *arguments: str, **extra: str) -> str:
        answer = self.run(tool, *arguments, **extra)
        assert answer.code == 0, answer.output
        return answer.output

    def fail(self, tool: str, *arguments: str, **extra: str) -> str:
        """The message of a call that must fail, and without a traceback."""
        answer = self.run(tool, *arguments, **extra)
        assert answer.code != 0, answer.output
        assert "Traceback" not in answer.output
        return answer.output

    def command(self, name: str, *arguments: str) -> str:
        """Run one of the workflow's own commands."""
        return self.succeed(str(WORKFLOW / f"{name}.py"), *arguments)

    def refusal(self, name: str, *arguments: str) -> str:
        """The message of one of the workflow's own commands that must fail."""
        return self.fail(str(WORKFLOW / f"{name}.py"), *arguments)

    def snakemake(self, *arguments: str, **extra: str) -> list[str]:
        """Run Snakemake; the jobs that it ran."""
        return jobs(self.succeed("snakemake", *arguments, **extra))

    def plan(self, *arguments: str) -> list[str]:
        """The jobs that Snakemake would run."""
        return jobs(self.succeed("snakemake", "--dry-run", *arguments))

    def repro(self, *arguments: str, **extra: str) -> list[str]:
        """Run `dvc repro`; the stages that it ran."""
        return stages(self.succeed("dvc", "repro", *arguments, **extra))

    def status(self) -> dict[str, Any]:
        """What DVC calls changed, by stage."""
        output = self.succeed("dvc", "status", "--json")
        return dict(json.loads(output.splitlines()[-1]))

    def changed(self) -> set[str]:
        """The stages that DVC calls changed."""
        return set(self.status())

    def assert_agreed(self) -> None:
        """Both engines have nothing to do."""
        assert self.plan() == []
        assert self.changed() == set()

    def git(self, *arguments: str) -> str:
        return self.run_git(*arguments, check=True)

    def run_git(self, *arguments: str, check: bool = False) -> str:
        """Run git, which may leave conflicts; what it printed."""
        self.server.own(self.folder)  # tests write as who they are
        done = subprocess.run(
            [*self.server.before, "git", *arguments],
            cwd=self.folder,
            env=self.server.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self, message: str = "Work") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def copy(self, folder: Path) -> Project:
        shutil.copytree(self.folder, folder, symlinks=True)
        self.server.own(folder)
        return Project(folder, self.server)

    def clone(self, folder: Path, link: str = "copy") -> Project:
        """What a colleague has after `git clone` and `dvc pull`, with file times of no meaning."""
        folder.mkdir()
        self.server.own(folder)
        clone = ["git", "clone", "--quiet", str(self.folder), str(folder)]
        subprocess.run([*self.server.before, *clone], check=True)
        clone = Project(folder, self.server)
        clone.succeed("dvc", "config", "--local", "cache.type", link)
        return clone

    def path(self, path: str) -> Path:
        return self.folder / path

    def text(self, path: str) -> str:
        return self.path(path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        """Replace a file; through no link, as an editor does."""
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).unlink(missing_ok=True)
        self.path(path).write_text(text, encoding="utf-8")
        self.server.own(self.path(path).parent)

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.text(path)
        assert old in text
        self.write(path, text.replace(old, new))

    def get(self, key: str) -> Any:
        """One setting of params.yaml."""
        block = yaml.safe_load(self.text("params.yaml"))
        for part in key.split("."):
            block = block[part]
        return block

    def set(self, key: str, value: Any) -> None:
        """Change one setting in params.yaml; None for `value` takes it out."""
        content = yaml.safe_load(self.text("params.yaml"))
        *parents, last = key.split(".")
        block = content
        for parent in parents:
            block = block[parent]
        if value is None:
            del block[last]
        else:
            block[last] = value
        self.write("params.yaml", yaml.safe_dump(content, sort_keys=False))

    def age(self, paths: Iterable[str], seconds: float) -> None:
        """Set the times of files back."""
        for path in paths:
            then = time.time() - seconds
            os.utime(self.path(path), (then, then))

    def start(self, *command: str, **extra: str) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own, to be killed."""
        return subprocess.Popen(
            [*self.server.before, *command],
            cwd=self.folder,
            env=self.server.environment | extra,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def wait_until(come: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait until something has come to pass while a process runs."""
    deadline = time.monotonic() + 60
    while not come():
        assert process.poll() is None, "the process ended before"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill_when(process: subprocess.Popen[bytes], come: Callable[[], bool]) -> None:
    """Kill a process and all its children, without warning, once something has come to pass."""
    wait_until(come, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def jobs(output: str) -> list[str]:
    """The jobs in Snakemake's output, as rule and wildcards: `train alpha small 1`, sorted."""
    found = []
    for block in re.split(r"\n(?=(?:local)?rule \w+:)", output):
        if match := re.match(r"(?:local)?rule (\S+):", block):
            if not re.search(r"^    output: ", block, re.MULTILINE):
                continue  # a target, which makes nothing
            wildcards = re.search(r"^    wildcards: (.*)$", block, re.MULTILINE)
            values = re.findall(r"\w+=([^,\s]*)", wildcards[1]) if wildcards else []
            found.append(" ".join([match[1], *values]))
    return sorted(found)


def stages(output: str) -> list[str]:
    """The stages that `dvc repro` ran."""
    return re.findall(r"^Running stage '([^']+)'", output, re.MULTILINE)
