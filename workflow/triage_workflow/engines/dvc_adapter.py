"""The door to DVC: what it does not document is used in this file, and nowhere else.

DVC takes long to import, so it runs in processes of its own, beside other work. As a program, this
file commits stages: it reads from standard input, as JSON, the paths that are `stale` and those
that are `made` and fresh, and prints the stages that it committed.
"""

from __future__ import annotations

import copy
import fcntl
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from configobj import ConfigObj

from triage_workflow.engines import versions

from triage.errors import UserError
from triage.files import write_text

VERSIONS = ">=3.66,<3.68"

LOCK = Path("dvc.lock")
# What `dvc status` says of a stage: kinds of change, and what is changed in what way.
Status = dict[str, list[dict[str, Any] | str]]


def is_here() -> bool:
    """Whether this folder is under DVC."""
    return Path(".dvc").is_dir()


def is_running_us() -> bool:
    """Whether this process was started by `dvc repro`, which keeps its own books."""
    return bool(os.environ.get("DVC_STAGE"))


def cache_number() -> int:
    """What is another number once DVC's own cache was deleted; 0 where there is none."""
    try:
        return Path(".dvc/cache/files/md5").stat().st_ino
    except OSError:
        return 0


def start_status() -> subprocess.Popen[str]:
    """Ask DVC for its status, which takes a second or two, beside other work."""
    versions.require("dvc", VERSIONS)
    return _start([sys.executable, "-m", "dvc", "status", "--json"])


def read_status(asked: subprocess.Popen[str]) -> Status:
    """The answer. Raises UserError where DVC itself stops."""
    answer, complaint = asked.communicate()
    try:
        status: Status = json.loads(answer)
    except json.JSONDecodeError as error:
        raise UserError(f"can't tell its status: {_last(complaint)}", where="DVC") from error
    return status


@contextmanager
def committer() -> Iterator[subprocess.Popen[str]]:
    """The program that commits stages, started; it waits for ``commit``, and ends without it."""
    versions.require("dvc", VERSIONS)
    process = _start([sys.executable, "-m", "triage_workflow.engines.dvc_adapter"])
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def commit(process: subprocess.Popen[str], stale: set[str], made: set[str]) -> list[str]:
    """Have every stage committed that is fresh, but that DVC believes changed; their names.

    Raises UserError where DVC itself stops.
    """
    request = {"stale": sorted(stale), "made": sorted(made - stale)}
    answer, complaint = process.communicate(json.dumps(request))
    if process.returncode != 0:
        raise UserError(f"could not be told of this run: {_last(complaint)}", where="DVC")
    # DVC itself prints as well; the answer is the last line.
    names: list[str] = json.loads(answer.splitlines()[-1])
    return names


def main_checkout(folder: Path) -> Path:
    """The project that a folder of `dvc exp run --temp` or `--queue` was copied from, or itself."""
    apart = (above for above in folder.parents if folder.is_relative_to(above / ".dvc/tmp/exps"))
    return next(apart, folder)


def say_whether_git_is_here() -> None:
    """Tell DVC so, for this copy alone: without git, as from a ZIP, it would refuse to start."""
    local = Path(".dvc/config.local")
    has_git = any((above / ".git").exists() for above in (Path.cwd(), *Path.cwd().parents))
    if not is_here() or (has_git and not local.exists()):
        return
    config = ConfigObj(str(local), encoding="utf-8", interpolation=False)
    core = config.setdefault("core", {})
    if has_git != (core.get("no_scm") == "true"):
        return
    if has_git:
        del core["no_scm"]
    else:
        core["no_scm"] = "true"
    config.filename, config.encoding = None, None  # gives the lines as text
    write_text("\n".join(config.write()) + "\n", local)


def repair_rwlock() -> None:
    """Remove DVC's list of locks if DVC was killed while it wrote it: it would not start again."""
    path = Path(".dvc/tmp/rwlock")
    with suppress(OSError), open(path.with_suffix(".lock"), "rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)  # else DVC is writing it now
        try:
            json.loads(path.read_bytes())
        except ValueError:
            path.unlink()


def _start(command: list[str]) -> subprocess.Popen[str]:
    say_whether_git_is_here()
    # This very package, also in a copy of the project whose environment has another one's.
    own = str(Path(__file__).parents[2])
    search = os.pathsep.join(filter(None, [own, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # Whatever the locale, since the folder may have a name that it can't write.
        env=os.environ | {"PYTHONPATH": search, "PYTHONUTF8": "1"},
    )


def _last(complaint: str) -> str:
    return (complaint.strip().splitlines() or ["it gave no reason"])[-1]


def _commit(repo: Any, stale: list[str], made: list[str]) -> list[str]:
    committed: dict[Any, list[Any]] = {}
    for stage in repo.index.stages:
        outs = [repo.fs.relpath(out.fs_path, repo.root_dir) for out in stage.outs]
        if not stage.cmd or any(_within(out, stale) for out in outs):
            continue
        if not all(_within(out, made) for out in outs) or not _is_there(stage):
            continue
        if stage.changed():
            stage.save()
            stage.commit(relink=False)
            committed.setdefault(stage.dvcfile, []).append(stage)
    for file, stages in committed.items():
        file.dump_stages(stages, update_pipeline=False)
    return [stage.addressing for stages in committed.values() for stage in stages]


def _within(out: str, paths: Iterable[str]) -> bool:
    return any(path == out or path.startswith(f"{out}/") for path in paths)


def _is_there(stage: Any) -> bool:
    return all(each.exists for each in (*stage.deps, *stage.outs))


def main() -> None:
    """Answer one request."""
    from dvc.dependency import param
    from dvc.repo import Repo

    # DVC reads params.yaml anew for each stage; it doesn't change in the meantime. Each stage has
    # a copy: what two share would be written once, and as a reference to it elsewhere.
    read = functools.cache(param.load_path)
    param.load_path = lambda *arguments: copy.deepcopy(read(*arguments))
    with Repo() as repo:
        _ = repo.index.stages
        request = json.load(sys.stdin)
        with repo.lock:
            names = _commit(repo, request["stale"], request["made"])
    print(json.dumps(names))


if __name__ == "__main__":
    main()
