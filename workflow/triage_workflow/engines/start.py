"""What happens before Snakemake builds its graph of jobs."""

from __future__ import annotations

import functools
import getpass
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from triage_workflow import answers, shards
from triage_workflow.engines import dvc_adapter, kept, snakemake_adapter
from triage_workflow.engines.books import Books
from triage_workflow.engines.provenance import Provenance
from triage_workflow.engines.refusals import bare_messages, refuse_foreign
from triage_workflow.engines.running import STATE
from triage_workflow.engines.site_cache import secure
from triage_workflow.engines.snakemake_adapter import log
from triage_workflow.engines.sources import Sources
from triage_workflow.params import Params
from triage_workflow.terminal import handler
from triage_workflow.terminal.plan import plan

from triage import pseudonyms
from triage.files import write_rows

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

PARAMS = Path("params.yaml")


def read_params(workflow: Workflow) -> Params:
    """The settings in ``params.yaml``; Snakemake will judge files by what both engines know.

    A mistake in the settings ends Snakemake with the bare message.
    """
    with bare_messages():
        params = Params.read(PARAMS)
        answers.by_study()  # a mistake there is told here, too
        _show(workflow, params)
        raw = {
            f"data/{source}/inventory.csv": params.raw(source)
            for source in params.sources
            if not params.is_phantom(source)
        }
        phantoms = {
            f"data/{study}/phantom.csv": f"data/{study}/phantom" for study in params.phantoms
        }
        if workflow.is_main_process:
            _provide_withdrawn(params.studies)
            for path in kept.provide(params.studies):
                log.warning(f"{path} was gone, but only ever grows: it was put back.")
            if params.content["pseudonyms"]:
                pseudonyms.provide(dvc_adapter.main_checkout(Path.cwd()))
    attach(workflow, PARAMS, raw, phantoms)
    if workflow.is_main_process:
        with bare_messages():
            shards.provide(params)
    return params


def _show(workflow: Workflow, params: Params) -> None:
    """Show people what a run does in few lines."""

    def of_dry_run(width: int) -> Iterable[str]:
        records = workflow.persistence
        jobs = snakemake_adapter.jobs_of(workflow.dag, records)
        return plan(jobs, records.provenance, width)

    handler.attach(
        workflow,
        functools.partial(
            handler.LogHandler,
            plan=of_dry_run,
            studies=params.studies,
            has_generated_data=any(map(params.is_phantom, params.studies)),
        ),
    )


def _provide_withdrawn(studies: Iterable[str]) -> None:
    """A table of withdrawn cases for each study, for people to fill in; both engines read it."""
    for study in studies:
        path = Path(f"data/{study}/withdrawn.csv")
        if not path.exists():
            write_rows([], ["case", "date", "reason"], path)


def attach(
    workflow: Workflow, settings: Path, raw: Mapping[str, str], folders: Mapping[str, str]
) -> None:
    """Make a workflow keep the lock and DVC in agreement with what it makes.

    ``raw`` gives for each table of raw files the folder that it lists, which is looked at now;
    ``folders`` gives for each output that lists a generated folder that folder.
    """
    logging.raiseExceptions = False  # a full disk is told of once, not for every line of the log
    try:
        getpass.getuser()  # as Snakemake will, too
    except (KeyError, OSError):  # in a container a user may have a number alone
        os.environ["LOGNAME"] = f"user {os.getuid()}"
    sources = Sources(raw)

    def provenance() -> Provenance:
        refuse_foreign(STATE)
        secure()
        for trouble in sources.refresh():
            log.warning(trouble)  # only a run that needs these files has to stop
        return Provenance(folders)

    with bare_messages():
        books = Books(settings, sources)
        snakemake_adapter.attach(workflow, provenance, books.begin, books.end)
