"""Accept a change that does not matter: a step's files stay as they are and count as fresh.

STEP is a rule (`train`), a stage of dvc.yaml (`training`), either of them for one study
(`train@mhist`), or a file. What is accepted, and why, goes into accepted.csv, which is committed.
Files that were edited by hand, that are missing, or of which nothing is known can't be accepted.
"""

from __future__ import annotations

import getpass
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from snakemake.jobs import Job

from triage_workflow.engines import reasons
from triage_workflow.engines.look import View, whole_workflow
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
            {"step": job.rule.name, "file": min(job.output), "change": change}
            for job, change in changes.items()
            if change
        ]
        for job in jobs:
            view.records.accept(job)
        _log(rows, reason)
        view.records.finish()
    for row in rows:
        print(f"accepted: {row['file']} ({row['change']})")


def _stale_jobs(step: str, view: View) -> list[Job]:
    """The stale jobs of a step, each after those it depends on."""
    name, _, study = step.partition("@")
    stages = Stages.read()
    found, names = [], set()
    for level in view.dag.toposorted():
        for job in sorted(level, key=lambda each: list(each.output)):
            made = [stages.of(str(path)) for path in job.output]
            own = {job.rule.name, *(stage.name for stage in made if stage)}
            names |= own if job.output else set()
            fits = name in own and study in ("", job.wildcards.get("study", ""))
            if job.output and (fits or step in map(str, job.output)):
                found.append(job)
    if not found:
        known = ", ".join(sorted(names))
        raise UserError("is no step", where=step, remedy=f"known are {known}, or a file they make")
    return [job for job in found if view.dag.needrun(job)]


def _change(job: Job, accepted: set[Job], view: View) -> str:
    """What changed for a job. Raises UserError where that is not a person's to accept."""
    for path, what in view.records.trouble(job).items():
        if path in what or "it was made from" not in what:
            remedy = "let the workflow make it; a result has to come from its step"
            raise UserError(f"{what}, which can't be accepted", where=path, remedy=remedy)
    others = [root for root in reasons.follows(job, view) if root not in accepted]
    if others:
        raise UserError(
            f"is stale because {min(others[0].output)} is",
            where=min(job.output),
            remedy=f"accept {others[0].rule.name} as well, or run the workflow",
        )
    if view.records.origin(job) is None:
        remedy = "let the workflow make it"
        raise UserError("is not made yet", where=min(job.output), remedy=remedy)
    return ", ".join(reasons.of_snakemake(job, view))


def _log(rows: list[dict[str, str]], reason: str) -> None:
    fixed = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": _who(),
        "reason": reason,
    }
    old = read_rows(LOG) if LOG.exists() else []
    write_rows([*old, *(row | fixed for row in rows)], COLUMNS, LOG)


def _who() -> str:
    asked = subprocess.run(["git", "config", "user.name"], capture_output=True, text=True)
    return asked.stdout.strip() or getpass.getuser()


if __name__ == "__main__":
    command.run(main)
