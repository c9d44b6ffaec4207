"""Write steps.json: what each stage of dvc.yaml reads, so that DVC notices changed code too.

A digest for each stage and study, of settings, code and files by name. Every run of Snakemake
writes it as well; `dvc repro` does it by this command.
"""

from __future__ import annotations

from triage_workflow.engines.graph import digests, write_digests
from triage_workflow.engines.snakemake_adapter import whole_workflow

from triage import command


def main() -> None:
    """Write the file, unless it is right already."""
    with whole_workflow() as view:
        write_digests(digests(view.jobs))


if __name__ == "__main__":
    command.run(main)
