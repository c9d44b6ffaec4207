"""A job as both engines see it, in plain data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from triage_workflow.engines.contents import Contents
from triage_workflow.engines.lock import Origin


@dataclass(eq=False)
class Job:
    """What Snakemake runs at once: a rule with its wildcards filled in.

    ``command`` is a digest of the rule's command, ``params`` are its parameters as they are
    recorded, and ``before`` are the jobs that make its inputs. Of ``ancient`` inputs the content
    counts for nothing, since that of others stands for it.
    """

    rule: str
    study: str
    command: str
    params: tuple[str, ...]
    code: str
    inputs: tuple[str, ...]
    ancient: frozenset[str]
    outputs: tuple[str, ...]
    is_stale: bool
    before: Sequence[Job] = field(repr=False)

    @property
    def name(self) -> str:
        """The path that stands for the job: the first of its outputs."""
        return min(self.outputs)

    def read(self, contents: Contents) -> dict[str, str]:
        """The checksums of its inputs, empty for ancient ones."""
        return contents.of(self.inputs) | dict.fromkeys(self.ancient, "")

    def origin(self, inputs: dict[str, str], outputs: dict[str, str]) -> Origin:
        """What is recorded once it has made ``outputs`` from ``inputs`` (paths and checksums)."""
        return Origin(self.rule, self.command, self.params, inputs, outputs)


def stale(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if job.is_stale]


def files(jobs: Iterable[Job]) -> list[str]:
    """The outputs of ``jobs``, sorted."""
    return sorted(path for job in jobs for path in job.outputs)


def command_digest(command: str | None) -> str:
    """A digest of a rule's command that does not mind how it is laid out; empty without one."""
    if command is None:
        return ""
    return hashlib.sha256(" ".join(command.split()).encode()).hexdigest()[:16]
