"""Which libraries the jobs of a run share, for the process that they are forked from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from triage_workflow import forkserver
from triage_workflow.engines.digest import SCRIPTS, libraries
from triage_workflow.engines.snakemake_adapter import commands_to_run

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

# As many jobs must import a library before it is worth a process that holds it.
MANY = 4
# Repairs the import of torchvision, so it runs instead; it is not loaded as a module.
TORCHVISION = SCRIPTS / "triage" / "models" / "vision.py"
# Extras: jobs that want them are few, and importing them may start threads, which no fork keeps.
EXTRAS = {"onnx", "onnxruntime", "onnxscript", "tensorboard", "wandb"}

_STEP = re.compile(r"\bpython scripts/(\w+\.py)")


def preload(workflow: Workflow) -> None:
    """Let the jobs of a run that is about to start find their libraries in memory.

    Only for jobs on this machine; a cluster's jobs start as ever.
    """
    start(script for command in commands_to_run(workflow) for script in _STEP.findall(command))


def start(scripts: Iterable[str]) -> None:
    """Start a server with what many of ``scripts`` import, if there is such a thing."""
    users = Counter(name for script in scripts for name in libraries(script))
    shared = sorted(
        name for name, jobs in users.items() if jobs >= MANY and name.split(".")[0] not in EXTRAS
    )
    if shared:
        forkserver.start(SCRIPTS, shared, [TORCHVISION] if "torch" in shared else [])
