"""Say why files are stale: for each one, what Snakemake and what DVC has to say, in one line.

A reason is given once, where it arises; files that only follow name the first file that they
follow from. Nothing is run and nothing is changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

from triage_workflow.engines import dvc_adapter, reasons
from triage_workflow.engines.graph import changed_stages, digests
from triage_workflow.engines.jobs import files, stale
from triage_workflow.engines.snakemake_adapter import View, whole_workflow
from triage_workflow.engines.stages import Stages

from triage import command
from triage.errors import UserError


def main(paths: Annotated[tuple[str, ...], "only files whose paths begin so"] = (), /) -> None:
    """Print one line a stale file, in the order in which they would be made."""
    asked = dvc_adapter.start_status()
    with whole_workflow() as view:
        status = dvc_adapter.read_status(asked)
        lines = [line for line in _lines(view, status) if _wanted(line, paths)]
        known = set(files(view.jobs))
    for path, by_snakemake, by_dvc in lines:
        print(f"{path}  Snakemake: {by_snakemake}; DVC: {by_dvc}")
    for path in paths:
        if not any(_begins(each, path) for each in known | {line[0] for line in lines}):
            raise UserError("no step makes such a file", where=path, remedy="name it from here")
    if not lines:
        print("Nothing is stale here: both engines agree.")


def _wanted(line: tuple[str, str, str], paths: tuple[str, ...]) -> bool:
    return not paths or any(_begins(line[0], path) for path in paths)


def _begins(path: str, beginning: str) -> bool:
    return path.startswith(os.path.normpath(beginning))


def _lines(view: View, status: dvc_adapter.Status) -> Iterator[tuple[str, str, str]]:
    stages = Stages.read()
    will = changed_stages(digests(view.jobs))
    named: set[str] = set()
    for job in stale(view.jobs):
        own = reasons.of_snakemake(job, view.provenance)
        roots = [] if own else [root.name for root in reasons.follows(job, view.provenance)]
        by_snakemake = ", ".join(own) or _follows(roots)
        before = [stage.address for root in roots if (stage := stages.of(root))]
        for path in job.outputs:
            stage = stages.of(path)
            address = stage.address if stage else ""
            named.add(address)
            yield path, by_snakemake, _by_dvc(address, before, status, will)
    for address in status:
        if address not in named:
            text = ", ".join(reasons.of_dvc(address, status))
            yield f"stage {address}", "up to date", text


def _follows(paths: list[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"follows from {paths[0]}{more}" if paths else "is not there"


def _by_dvc(address: str, roots: list[str], status: dvc_adapter.Status, will: set[str]) -> str:
    """``will`` names the stages that change once DVC has brought steps.json up to date."""
    if not address:
        return "not in dvc.yaml"
    if own := reasons.of_dvc(address, status):
        return f"{address}: {', '.join(own)}"
    if address in will:
        return f"{address} follows from steps"
    before = [root for root in roots if root in status or root in will]
    return f"{address} follows from {before[0]}" if before else f"{address} is up to date"


if __name__ == "__main__":
    command.run(main)
