"""What happens before Snakemake builds its graph of jobs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from params import Params
from triage.data import inventory
from triage.errors import UserError

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

PARAMS = Path("params.yaml")
STATE = Path(".snakemake/engines")


def read_params(workflow: Workflow) -> Params:
    """The settings in ``params.yaml``, once all that the graph is judged by has been looked at.

    Raises WorkflowError, which Snakemake prints without a traceback.
    """
    try:
        _refuse_other_settings(workflow)
        params = Params.read(PARAMS)
        if workflow.is_main_process:
            _refresh_inventories(params)
    except UserError as error:
        raise WorkflowError(str(error)) from None
    return params


def _refuse_other_settings(workflow: Workflow) -> None:
    settings = workflow.config_settings
    if settings.config or settings.configfiles:
        raise UserError(
            "--config and --configfile are not for this workflow: DVC would not know of them",
            remedy=f"edit {PARAMS}, or copy one of presets/ over it",
        )


def _refresh_inventories(params: Params) -> None:
    """Notice what was added to, changed in or taken from the folders of real raw data."""
    for study in params.studies:
        if params.is_phantom(study):
            continue
        try:
            raw, table = Path(params.raw(study)), Path(f"data/{study}/inventory.csv")
            inventory.refresh(raw, table, STATE / f"raw-{study}.json")
        except UserError as error:
            # Only a run that needs this study has to stop, which Snakemake sees to.
            logger.warning(str(error))
