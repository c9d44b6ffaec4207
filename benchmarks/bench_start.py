"""Start-up: how long each script takes until it begins its work, against importing torch alone."""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

import bench

TARGET = 0.5  # seconds, for a step that does not need torch
WITH_TORCH = 3  # exit status
PROBE = f"""
import runpy, sys
sys.argv = [sys.argv[1], "--help"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    sys.exit({WITH_TORCH} if "torch" in sys.modules else 0)
"""
SCRIPTS = sorted((bench.ROOT / "scripts").glob("*.py"))


def python(*arguments: str) -> int:
    """Run Python, with compiled modules kept as they usually are; gives its exit status."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=bench.ROOT,
        env=bench.usual_environment(),
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode


def needs_torch(script: Path) -> bool:
    """Whether a script imports torch to say how it is used, as it would before any work."""
    status = python("-c", PROBE, str(script))
    if status not in (0, WITH_TORCH):
        sys.exit(f"{script} does not start")
    return status == WITH_TORCH


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    contestants = {each.name: partial(python, str(each), "--help") for each in SCRIPTS}
    contestants["import torch"] = partial(python, "-c", "import torch")
    with_torch = {each.name for each in SCRIPTS if needs_torch(each)}
    times = bench.interleaved(contestants, arguments.rounds)
    torch = times["import torch"]
    rows = [
        (name, "yes" if name in with_torch else "no", each.seconds, bench.ratio(torch, each))
        for name, each in sorted(times.items(), key=lambda item: item[1].seconds)
        if each is not torch
    ]
    slowest = max(
        each.seconds for name, each in times.items() if name not in with_torch | {"import torch"}
    )
    bench.report(
        "start",
        "Start-up",
        "Each script in a process of its own, from nothing to the beginning of its work (`--help`)."
        f" Target: {TARGET} s for steps that do not need torch; the slowest of them takes"
        f" {slowest:.2g} s. `import torch` alone takes {torch.seconds:.2g} s. Within a run of the"
        " workflow jobs start from a process that has libraries in memory: see *The demo*.",
        bench.table(["script", "torch", "seconds", "import torch / this"], rows),
    )


if __name__ == "__main__":
    main()
