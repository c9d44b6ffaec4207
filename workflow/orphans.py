"""List the files that the workflow made and would not make any more, such as those of an arm that
was taken out of params.yaml, and states of trainings that stopped weeks ago. With --remove, delete
them.

Only files are listed whose making was recorded: what a person put there is never touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from triage_workflow.engines.jobs import files
from triage_workflow.engines.snakemake_adapter import View, whole_workflow
from triage_workflow.engines.stages import Stages

from triage import command
from triage.paths import through_no_link
from triage.training import scratch


def main(remove: Annotated[bool, "delete what is listed"] = False) -> None:
    """Print the orphans, or delete them."""
    with whole_workflow() as view:
        orphans = _orphans(view) + list(map(str, scratch.old(Path("scratch"))))
        if not orphans:
            print("There are no orphans.")
            return
        size = sum(Path(path).stat().st_size for path in orphans)
        if remove:
            _remove(orphans, view)
    for path in orphans:
        print(path)
    how = "removed" if remove else "--remove deletes them"
    print(f"{len(orphans)} orphans, {size / 1e6:.1f} MB; {how}")


def _orphans(view: View) -> list[str]:
    """Files on disk with a record, in a folder of dvc.yaml, that no job makes."""
    stages = Stages.read()
    recorded = view.provenance.recorded() - set(files(view.jobs))
    # Files outside of dvc.yaml belong to targets of their own, which nothing else asks for.
    return sorted(
        path
        for path in recorded
        if through_no_link(path) and Path(path).is_file() and stages.of(path)
    )


def _remove(orphans: list[str], view: View) -> None:
    for path in orphans:
        Path(path).unlink()
        for folder in Path(path).parents:
            if folder == Path() or any(folder.iterdir()):
                break
            folder.rmdir()
    view.provenance.forget(orphans)
    view.finish()


if __name__ == "__main__":
    command.run(main)
