"""How often Snakemake looks for jobs that can start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


_BY_DEFAULT = (100, 1)  # jobs in so many seconds


def quicken(workflow: Workflow) -> None:
    """Look for jobs when one has ended, and not besides, where they run on this machine.

    Snakemake (9.27) limits how many jobs start in a second, for which it looks again a second after
    each look. Each job that ends adds a look, and so one more in every second that follows, until
    it does little else. Here the cores are limit enough, unless somebody set another.
    """
    limit = workflow.scheduler.job_rate_limiter
    if workflow.local_exec and limit and (limit.max_jobs, limit.timespan) == _BY_DEFAULT:
        workflow.scheduler.job_rate_limiter = None
