"""A step that comes out the same as before makes nothing after it stale.

Snakemake plans everything that follows a job that has to run, and then runs all of it. Here each
job that becomes ready is judged once more, by what its inputs have become: a change of code that
changes no manifest retrains nothing. `dvc repro` does the same from stage to stage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from snakemake.logging import logger

if TYPE_CHECKING:
    from snakemake.dag import DAG
    from snakemake.jobs import Job


def stop_where_the_same(dag: DAG, is_stale: Callable[[Job], bool]) -> None:
    """Let the run of ``dag`` leave out what turns out to be up to date, when it is ready."""
    finish = dag.finish
    judged: set[Any] = set()

    async def finish_and_look(job: Job, **options: Any) -> Any:
        answer = await finish(job, **options)
        # What is left out makes others ready in its turn; each is judged, and finished, once.
        while waiting := set(dag.ready_jobs) - judged:
            ready = waiting.pop()
            judged.add(ready)
            if not ready.is_group() and _is_up_to_date(ready, dag, is_stale):
                logger.info(f"Up to date, as its inputs came out the same: {min(ready.output)}")
                dag.register_running({ready})
                dag.workflow.scheduler.finished_jobs += 1
                await finish(ready, **options)
        return answer

    dag.finish = finish_and_look


def _is_up_to_date(job: Job, dag: DAG, is_stale: Callable[[Job], bool]) -> bool:
    """Whether a planned job would not be planned by what is known now."""
    if not job.output or job.temp_output or job.is_checkpoint:
        return False
    reason = dag.reason(job)
    if reason.forced or any(path in dag.forcefiles for path in job.output):
        return False
    return not is_stale(job)
