"""Repair snakemake.lock, dvc.lock and steps.json after a merge that conflicted, or after damage.

Where the two sides of a merge differ about a job, snakemake.lock keeps the side that fits the
files at hand, else ours, and DVC runs its stage again. That is safe: both engines compare
contents, so that what fits neither side is stale, and Snakemake remakes only that.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from triage_workflow.engines.contents import Contents
from triage_workflow.engines.dvc_adapter import LOCK as DVC_LOCK
from triage_workflow.engines.graph import STEPS, digests, write_digests
from triage_workflow.engines.lock import LOCK, Lock, Origin, repair, sides
from triage_workflow.engines.running import STATE
from triage_workflow.engines.snakemake_adapter import whole_workflow
from triage_workflow.engines.stages import Stages

from triage import command, yaml_text
from triage.errors import UserError
from triage.files import parse_json, plain, write_text

MERGED = "merged, to be run again"


def main() -> None:
    """Write these files anew, as far as they need it."""
    repaired, disputed = _snakemake()
    done = {LOCK: repaired, DVC_LOCK: _dvc(disputed), STEPS: _steps()}
    names = [str(path) for path, needed in done.items() if needed]
    if not names:
        print("All of them are whole.")
        return
    print(f"Repaired {', '.join(names)}. Next:")
    print(f"  git add {' '.join(names)}, and finish the merge if there is one")
    print("  dvc checkout, then snakemake or dvc repro, which make what fits neither side")


def _snakemake() -> tuple[bool, set[str]]:
    """Whether the lock needed it, and the files about which the two sides differ."""
    text = _text(LOCK)
    try:
        Lock.parse(text or Lock().text())
    except UserError:
        contents = Contents(STATE / "contents.json")

        def agrees(origin: Origin) -> bool:
            return all(contents.sha256(path) == sum_ for path, sum_ in origin.outputs.items())

        lock, disputed = repair(text, agrees)
        lock.write()
        contents.save()
        return True, disputed
    return False, set()


def _dvc(disputed: set[str]) -> bool:
    """Take our side, and let DVC run again every stage about which the two sides differ.

    Git merges line by line, so that such an entry may say what neither side has seen. Its files
    stay ours; its command, which DVC compares as well, is taken out.
    """
    text = _text(DVC_LOCK)
    both = [_dvc_content(side) for side in sides(text)]
    ours, theirs = both[0].get("stages", {}), both[-1].get("stages", {})
    stages = Stages.read()
    doubtful = {name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]}
    doubtful |= {stage.address for path in disputed if (stage := stages.of(path))} & ours.keys()
    if len(both) == 1 and not doubtful:
        return False
    for name in doubtful:
        ours[name]["cmd"] = MERGED
    content = both[0] | {"stages": theirs | ours}
    write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), DVC_LOCK)
    return True


def _dvc_content(text: str) -> dict[str, Any]:
    try:
        content = yaml_text.parse(text)
    except yaml.YAMLError as error:
        remedy = f"take it back as a whole: git checkout --ours {DVC_LOCK}"
        raise UserError("can't be repaired", where=DVC_LOCK, remedy=remedy) from error
    return content if isinstance(content, dict) else {}


def _steps() -> bool:
    """Write it anew: neither side knows what both together read.

    Where settings or code are in conflict as well, one side will do until then, for DVC to read.
    """
    text = _text(STEPS)
    whole = next(each for each in [*sides(text), "{}"] if _is_json(each or "{}"))
    if whole == text:
        return False
    write_text(whole.rstrip("\n") + "\n", STEPS)
    with suppress(UserError), whole_workflow() as view:
        write_digests(digests(view.jobs))
    return True


def _is_json(text: str) -> bool:
    try:
        parse_json(text)
    except ValueError:
        return False
    return True


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    try:
        return plain(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"can't be read ({error.strerror})", where=path) from error


if __name__ == "__main__":
    command.run(main)
