"""Accept a change that does not matter: a step's files stay as they are and count as fresh.

STEP is a rule (`train`), a stage of dvc.yaml (`training`), either of them for one study
(`train@mhist`), or a file. What is accepted, and why, goes into accepted.csv, which is committed.
Files that were edited by hand, that are missing, or of which nothing is known can't be accepted.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from triage_workflow.engines import reasons
from triage_workflow.engines.jobs import Job, stale
from triage_workflow.engines.snakemake_adapter import View, whole_workflow
from triage_workflow.engines.stages import Stages

from triage import command
from triage.errors import UserError
from triage.files import read_rows, write_rows

LOG = Path("accepted.csv")
COLUMNS = ["time", "who", "step", "file", "change", "reason"]


def main(
    steps: Annotated[tuple[str, ...], "rule, stage or file"],
    /,
    reason: Annotated[str, "why the change does not matter"],
) -> None:
    """Record the step's files as made by what would make them now."""
    reason = " ".join(reason.split())
    if not reason:
        raise UserError("is empty", where="--reason", remedy="say why the change does not matter")
    with whole_workflow() as view:
        jobs = [job for step in steps for job in _stale_jobs(step, view)]
        if not jobs:
            print("Nothing of this is stale.")
            return
        changes = {job: _change(job, set(jobs), view) for job in jobs}
        rows = [
            {"step": job.rule, "file": job.name, "change": change}
            for job, change in changes.items()
            if change
        ]
        for job in jobs:
            view.provenance.accept(job)
        _log(rows, reason)
        view.finish()
    for row in rows:
        print(f"accepted: {row['file']} ({row['change']})")


def _stale_jobs(step: str, view: View) -> list[Job]:
    """The stale jobs of a step, each after those it depends on."""
    name, _, study = step.partition("@")
    stages = Stages.read()
    found, names = [], set()
    for job in filter(lambda each: each.outputs, view.jobs):
        own = {job.rule, *(stage.name for path in job.outputs if (stage := stages.of(path)))}
        names |= own
        if (name in own and study in ("", job.study)) or step in job.outputs:
            found.append(job)
    if not found:
        known = ", ".join(sorted(names))
        raise UserError("is no step", where=step, remedy=f"known are {known}, or a file they make")
    return stale(found)


def _change(job: Job, accepted: set[Job], view: View) -> str:
    """What changed for a job. Raises UserError where that is not a person's to accept."""
    for path, what in view.provenance.troubles(job.outputs).items():
        if path in what or "it was made from" not in what:
            remedy = "let the workflow make it; a result has to come from its step"
            raise UserError(f"{what}, which can't be accepted", where=path, remedy=remedy)
    others = [root for root in reasons.follows(job, view.provenance) if root not in accepted]
    if others:
        raise UserError(
            f"is stale because {others[0].name} is",
            where=job.name,
            remedy=f"accept {others[0].rule} as well, or run the workflow",
        )
    if view.provenance.origin(job.outputs) is None:
        remedy = "let the workflow make it"
        raise UserError("is not made yet", where=job.name, remedy=remedy)
    return ", ".join(reasons.of_snakemake(job, view.provenance))


def _log(rows: list[dict[str, str]], reason: str) -> None:
    fixed = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": _who(),
        "reason": reason,
    }
    old = read_rows(LOG) if LOG.exists() else []
    write_rows([*old, *(row | fixed for row in rows)], COLUMNS, LOG)


def _who() -> str:
    with suppress(FileNotFoundError):  # there is no git
        asked = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True)
        if name := asked.stdout.strip():
            return name
    return os.environ.get("LOGNAME") or f"user {os.getuid()}"


if __name__ == "__main__":
    command.run(main)
