"""A copy of the workflow with one study of its own, for benchmarks that run it whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

import bench

# Stands between the workflow and each script. A process that was started by a large one is said to
# have been as large, so it is small.
MEASURE = """
import json, resource, subprocess, sys
status = subprocess.call([sys.executable, *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
step = sys.argv[1].rpartition("/")[2].removesuffix(".py")
line = {"step": step, "seconds": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}
if not status:
    open("measured.jsonl", "a").write(json.dumps(line) + chr(10))
sys.exit(status)
"""
PARTS = ("scripts", "workflow", "presets", "answers.yaml", "dvc.yaml", ".dvcignore", ".gitignore")


class Copy:
    """The workflow of the checkout ``source`` in ``folder``, under git and DVC.

    ``study`` is the block of the only study, ``own``. The programs are those of the environment in
    ``source``, if it has one.
    """

    def __init__(self, folder: Path, study: dict[str, Any], source: Path = bench.ROOT) -> None:
        self.folder, self.remote = folder, folder.with_name(f"{folder.name}-remote")
        programs = source / ".venv" / "bin"
        self._programs = programs if programs.is_dir() else Path(sys.executable).parent
        folder.mkdir(parents=True)
        for part in PARTS:
            if (source / part).is_dir():
                shutil.copytree(source / part, folder / part)
            elif (source / part).exists():  # another version may not have it
                shutil.copy(source / part, folder / part)
        settings = source / "presets" / "demo.yaml"
        settings = settings if settings.exists() else source / "params.yaml"
        params = yaml.safe_load(settings.read_text(encoding="utf-8"))
        params |= {"phantoms": {}, "studies": {"own": study}}
        params |= {key: {} for key in ("pretrained", "weights") if key in params}
        (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        self.run("dvc", "remote", "add", "--default", "store", str(self.remote))

    @classmethod
    def at(cls, folder: Path) -> Copy:
        """The one that is in a folder already."""
        found = cls.__new__(cls)
        found.folder, found.remote = folder, folder.with_name(f"{folder.name}-remote")
        found._programs = Path(sys.executable).parent
        return found

    def measure_steps(self) -> None:
        """From now on each script is a process of its own, and measured."""
        (self.folder / "measure.py").write_text(MEASURE)
        for rules in self.folder.glob("workflow/rules/*.smk"):
            text = rules.read_text().replace("python scripts/", "python -I -S measure.py scripts/")
            rules.write_text(text)

    def measured(self) -> dict[str, tuple[float, float]]:
        """Since the last call: of each script the seconds on processors of all its processes, and
        the most memory of one in MB."""
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        lines = self.folder / "measured.jsonl"
        for line in lines.read_text().splitlines():
            row = json.loads(line)
            found[row["step"]].append((row["seconds"], row["memory"]))
        lines.rename(lines.with_suffix(".read"))
        return {
            step: (sum(seconds for seconds, _ in each), max(memory for _, memory in each))
            for step, each in found.items()
        }

    def run(self, *command: str) -> None:
        """Run a command in the folder; ends with what it printed where it fails."""
        path = os.pathsep.join([str(self._programs), os.environ["PATH"]])
        environment = bench.usual_environment() | {"PATH": path}
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{(done.stdout + done.stderr)[-4000:]}")

    def pushed(self) -> int:
        """The bytes that `dvc push` sends now."""
        before = self._stored()
        self.run("dvc", "push", "--quiet")
        return self._stored() - before

    def _stored(self) -> int:
        return sum(path.stat().st_size for path in self.remote.rglob("*") if path.is_file())
