"""What happens before Snakemake builds its graph of jobs."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import snakemake.workflow
from snakemake.logging import logger
from snakemake.settings.enums import PersistenceBackend

from triage_workflow.engines.finish import Finish
from triage_workflow.engines.knowledge import STATE, Knowledge
from triage_workflow.engines.records import Records
from triage_workflow.engines.site_cache import secure
from triage_workflow.params import Params

from triage.data import inventory
from triage.errors import UserError
from triage.files import ensure_writable, write_rows

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

PARAMS = Path("params.yaml")


def read_params(workflow: Workflow) -> Params:
    """The settings in ``params.yaml``; Snakemake will judge files by what both engines know.

    A mistake in the settings ends Snakemake with the bare message.
    """
    with _bare_messages():
        params = Params.read(PARAMS)
        raw = {
            f"data/{study}/inventory.csv": params.raw(study)
            for study in params.studies
            if not params.is_phantom(study)
        }
        phantoms = {
            f"data/{study}/phantom.csv": f"data/{study}/phantom" for study in params.phantoms
        }
        if workflow.is_main_process:
            _provide_withdrawn(params.studies)
    attach(workflow, PARAMS, raw, phantoms)
    return params


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
    with _bare_messages():
        _refuse_other_settings(workflow, settings)
        if not workflow.is_main_process:
            return  # a single job, which the main process judged and will record
        ensure_writable(STATE / "state.json")
        secure()
        refresh = functools.partial(_refresh, raw)
        refresh()
        finish = Finish(settings, raw, refresh)
        knowledge = Knowledge(folders)
    snakemake.workflow.FilePersistence = functools.partial(
        Records, knowledge=knowledge, finish=finish
    )


@contextmanager
def _bare_messages() -> Iterator[None]:
    """End on a user's mistake with the message alone.

    An exception would be printed with the lines of the Snakefile, where the mistake is not.
    """
    try:
        yield
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


def _refuse_other_settings(workflow: Workflow, settings: Path) -> None:
    """Raise UserError where settings come from elsewhere, or records would go elsewhere."""
    if workflow.config_settings.config or workflow.config_settings.configfiles:
        raise UserError(
            "--config and --configfile are not for this workflow: DVC would not know of them",
            remedy=f"edit {settings}, or copy one of presets/ over it",
        )
    if workflow.workflow_settings.persistence_backend != PersistenceBackend.FILE:
        raise UserError(
            "--persistence-backend is not for this workflow: its records are shared as files",
            remedy="leave it out",
        )


def _refresh(raw: Mapping[str, str]) -> None:
    """Notice what was added to, changed in or taken from folders of raw data."""
    for table, folder in raw.items():
        try:
            inventory.refresh(Path(folder), Path(table), STATE / f"{table.replace('/', '-')}.json")
        except UserError as error:
            # Only a run that needs these files has to stop, which Snakemake sees to.
            logger.warning(str(error))
