"""What ends Snakemake with a bare message, such as options that DVC would not know of."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake.settings.enums import PersistenceBackend

from triage.errors import NO_ROOM, UserError, unwritable

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


@contextmanager
def bare_messages() -> Iterator[None]:
    """End on a user's mistake, or on a full disk, with the message alone.

    An exception would be printed with the lines of the Snakefile, where the mistake is not.
    """
    try:
        yield
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise SystemExit(f"error: {unwritable(error.filename or '.snakemake', error)}") from None


def refuse_foreign(place: Path) -> None:
    """Raise UserError where nothing can be written to ``place``, even to look at the workflow."""
    there = next(each for each in (place, *place.absolute().parents) if each.is_dir())
    if not os.access(there, os.W_OK):
        here = Path.cwd()
        raise UserError(
            "nothing can be written there by you, and even a look takes notes",
            where=there,
            remedy="make the folder writable, or look at a copy:"
            f" cp -r {shlex.quote(str(here))} COPY; cd COPY;"
            " docs/engines.md says how two users share one folder",
        )


def refuse_elsewhere(workflow: Workflow) -> None:
    """Raise UserError where settings come from elsewhere, or records would go elsewhere."""
    if workflow.config_settings.config or workflow.config_settings.configfiles:
        raise UserError(
            "--config and --configfile are not for this workflow: DVC would not know of them",
            remedy="edit params.yaml, or copy one of presets/ over it",
        )
    if workflow.workflow_settings.persistence_backend != PersistenceBackend.FILE:
        raise UserError(
            "--persistence-backend is not for this workflow: its records are shared as files",
            remedy="leave it out",
        )


def refuse_guesses(workflow: Workflow) -> None:
    """Raise UserError where an option would take files for fresh that may not be."""
    if workflow.touch:
        raise UserError(
            "--touch takes stale files for fresh, and DVC would not know why",
            remedy="accept a change that does not matter:"
            ' python workflow/accept.py STEP --reason "…"',
        )
    if workflow.execution_settings and workflow.execution_settings.keep_incomplete:
        raise UserError(
            "--keep-incomplete leaves what failed jobs made, and it looks like results",
            remedy="leave it out; what a training has reached is kept in scratch/ anyway",
        )
