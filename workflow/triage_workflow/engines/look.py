"""A look at the whole workflow from outside of a run: what Snakemake thinks of it right now."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.exceptions import RuleException, WorkflowError
from snakemake.settings.enums import Quietness
from snakemake.settings.types import (
    DAGSettings,
    OutputSettings,
    ResourceSettings,
    StorageSettings,
    WorkflowSettings,
)
from snakemake.workflow import DAG
from snakemake_interface_common.exceptions import ApiError

from triage_workflow.engines.graph import whole_graph
from triage_workflow.engines.records import Records

from triage.errors import UserError


@dataclass(frozen=True)
class View:
    """The graph of all jobs, and the records that it was judged by."""

    dag: DAG
    records: Records


@contextmanager
def whole_workflow() -> Iterator[View]:
    """Read the workflow in this folder and judge all its files. Changes nothing but caches.

    Raises UserError where the workflow itself stops with a message.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)
    with SnakemakeApi(settings) as api:
        try:
            source = api.workflow(
                ResourceSettings(cores=1),
                storage_settings=StorageSettings(),
                workflow_settings=WorkflowSettings(),
            )
            source.dag(DAGSettings())
            workflow = source._workflow
            workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
            dag = whole_graph(workflow)
        except ApiError as error:
            raise UserError(str(error), remedy="go to the top folder of the project") from error
        except (WorkflowError, RuleException) as error:
            raise UserError(str(error)) from error
        except SystemExit as end:  # a mistake in the settings
            raise UserError(str(end.code).removeprefix("error: ")) from end
        yield View(dag, workflow.persistence)
        workflow.persistence.knowledge.contents.save()
