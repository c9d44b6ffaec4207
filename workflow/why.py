"""Say why files are stale: for each one, what Snakemake and what DVC has to say, in one line.

A reason is given once, where it arises; files that only follow name the first file that they
follow from. Nothing is run and nothing is changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

from triage_workflow.engines import reasons
from triage_workflow.engines.graph import changed_stages, digests
from triage_workflow.engines.look import View, whole_workflow
from triage_workflow.engines.stages import Stages

from triage import command
from triage.errors import UserError


def main(paths: Annotated[tuple[str, ...], "only files whose paths begin so"] = (), /) -> None:
    """Print one line a stale file, in the order in which they would be made."""
    asked = reasons.start_dvc_status()
    with whole_workflow() as view:
        status = reasons.dvc_status(asked)
        lines = [line for line in _lines(view, status) if _wanted(line, paths)]
        known = {str(path) for job in view.dag.jobs for path in job.output}
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


def _lines(view: View, status: reasons.Status) -> Iterator[tuple[str, str, str]]:
    stages = Stages.read()
    will = changed_stages(digests(view.dag, view.records))
    named: set[str] = set()
    for jobs in view.dag.toposorted():
        for job in sorted(jobs, key=lambda each: list(each.output)):
            if not view.dag.needrun(job):
                continue
            own = reasons.of_snakemake(job, view)
            roots = [] if own else reasons.follows(job, view)
            by_snakemake = ", ".join(own) or _follows([min(root.output) for root in roots])
            before = [stages.of(str(min(root.output))) for root in roots]
            for path in job.output:
                stage = stages.of(str(path))
                address = stage.address if stage else ""
                named.add(address)
                by_dvc = _by_dvc(address, [each.address for each in before if each], status, will)
                yield str(path), by_snakemake, by_dvc
    for address in status:
        if address not in named:
            text = ", ".join(reasons.of_dvc(address, status))
            yield f"stage {address}", "up to date", text


def _follows(paths: list[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"follows from {paths[0]}{more}" if paths else "is not there"


def _by_dvc(address: str, roots: list[str], status: reasons.Status, will: set[str]) -> str:
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
