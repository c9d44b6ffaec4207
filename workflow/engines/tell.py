"""Tell DVC which stages are up to date: those of whose files Snakemake calls none stale.

A program of its own, since DVC takes long to import. Reads from standard input, as JSON, the
paths that are `stale` and those that are `made` and fresh; prints the stages that it committed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from dvc.repo import Repo, locked


@locked
def tell(repo: Repo, stale: list[str], made: list[str]) -> list[str]:
    """Commit every stage that is fresh, but that DVC believes changed. Returns their names."""
    told: dict[Any, list[Any]] = {}
    for stage in repo.index.stages:
        outs = [repo.fs.relpath(out.fs_path, repo.root_dir) for out in stage.outs]
        if not stage.cmd or any(_within(out, stale) for out in outs):
            continue
        if not all(_within(out, made) for out in outs) or not _there(stage):
            continue
        if stage.changed():
            stage.save()
            stage.commit(relink=False)
            told.setdefault(stage.dvcfile, []).append(stage)
    for file, stages in told.items():
        file.dump_stages(stages, update_pipeline=False)
    return [stage.addressing for stages in told.values() for stage in stages]


def _within(out: str, paths: Iterable[str]) -> bool:
    return any(path == out or path.startswith(f"{out}/") for path in paths)


def _there(stage: Any) -> bool:
    return all(each.exists for each in (*stage.deps, *stage.outs))


if __name__ == "__main__":
    request = json.load(sys.stdin)
    with Repo() as opened:
        names = tell(opened, request["stale"], request["made"])
    print(json.dumps(names))
