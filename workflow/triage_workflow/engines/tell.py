"""Tell DVC which stages are up to date: those of whose files Snakemake calls none stale.

A program of its own, since DVC takes long to import: it starts while Snakemake still looks. Reads
from standard input, as JSON, the paths that are `stale` and those that are `made` and fresh; prints
the stages that it committed.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from dvc.dependency import param
from dvc.repo import Repo
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml


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
        if not _replace_entries(file, stages):
            file.dump_stages(stages, update_pipeline=False)
    return [stage.addressing for stages in told.values() for stage in stages]


def _replace_entries(file: Any, stages: list[Any]) -> bool:
    """Write the entries of stages that dvc.lock has already; False where that can't be done.

    DVC itself reads and writes the whole file, which takes most of a second with five studies.
    What is written is read back first, and is what DVC would have written, or is not written.
    """
    path = Path(file.path).with_suffix(".lock")
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    entries = {stage.name: to_lockfile(stage) for stage in stages}
    new = old
    for name, entry in entries.items():
        block = re.compile(rf"^  {re.escape(name)}:\n(?:    .*\n)+", re.MULTILINE)
        text = textwrap.indent(dumps_yaml(entry), "  ")
        new, count = block.subn(text.replace("\\", r"\\"), new)
        if count != 1:
            return False
    content = _parsed(old)
    content["stages"] |= {name: entry[name] for name, entry in entries.items()}
    if _parsed(new) != content:
        return False
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(new, encoding="utf-8")
    partial.replace(path)
    return True


def _parsed(text: str) -> Any:
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _within(out: str, paths: Iterable[str]) -> bool:
    return any(path == out or path.startswith(f"{out}/") for path in paths)


def _there(stage: Any) -> bool:
    return all(each.exists for each in (*stage.deps, *stage.outs))


def main() -> None:
    """Answer one request."""
    # DVC reads params.yaml anew for each stage; it doesn't change in the meantime. Each stage has
    # a copy: what two share would be written once, and as a reference to it elsewhere.
    read = functools.cache(param.load_path)
    param.load_path = lambda *arguments: copy.deepcopy(read(*arguments))
    with Repo() as repo:
        _ = repo.index.stages
        request = json.load(sys.stdin)
        with repo.lock:
            names = tell(repo, request["stale"], request["made"])
    print(json.dumps(names))


if __name__ == "__main__":
    main()
