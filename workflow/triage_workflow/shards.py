"""How many shards the images of a study lie in: as set, or by their size when it is first run.

What was decided is kept in a file that is committed, so that a study that grows is not dealt anew,
and a clone comes to the same. Those of external sets lie beside it: their folders are DVC's.
"""

from __future__ import annotations

from pathlib import Path

from triage_workflow.params import EXTERNAL, Params
from triage_workflow.params.declared import MOST_SHARDS

from triage.errors import UserError
from triage.files import plain, write_text

_SHARD = 256e6  # bytes


def count(params: Params, study: str) -> int:
    """The number of shards of a study. Raises UserError where the file that keeps it is damaged."""
    number = params.study(study)["images"]["shards"]
    kept = None if number or params.is_phantom(study) else _kept(study)
    return number or kept or 1


def provide(params: Params) -> None:
    """Decide for studies of real data of which neither the settings nor a file says the number.

    Nothing is decided as long as raw files are missing. Raises UserError as ``count`` does.
    """
    for study in params.sources:
        unset = params.study(study)["images"]["shards"] is None and not params.is_phantom(study)
        if unset and _kept(study) is None:
            _decide(params, study)


def _decide(params: Params, study: str) -> None:
    from triage.data import inventory, survey  # here: they take longer to load than all else

    images = params.study(study)["images"]
    try:
        paths = [entry.path for entry in inventory.read(Path(f"data/{study}/inventory.csv"))]
    except UserError:
        return  # missing or damaged: a run that needs it says so
    channels = 3 if images["mode"] == "rgb" else 1
    size = survey.stored(Path(params.raw(study)), paths, images["size"], channels)
    if size is not None:
        write_text(f"{min(max(round(size / _SHARD), 1), MOST_SHARDS)}\n", _file(study))


def _file(study: str) -> Path:
    owner, _, external = study.partition(EXTERNAL)
    return Path(f"data/{owner}/shards{'-' * bool(external)}{external}.txt")


def _kept(study: str) -> int | None:
    path = _file(study)
    if not path.exists():
        return None
    text = plain(path).read_text(encoding="utf-8", errors="replace").strip()
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_SHARDS:
        return int(text)
    raise UserError(
        f"is no number of shards, from 1 to {MOST_SHARDS}: {text[:40]!r}",
        where=path,
        remedy="take it from git, or set images.shards to the number of files"
        f" data/{study}/images/shard-*.npy",
    )
