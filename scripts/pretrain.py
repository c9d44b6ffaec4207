"""Pretrained weights: from a file that torchvision publishes, or learned offline."""

from __future__ import annotations

import json
from pathlib import Path

from triage import command
from triage.errors import UserError
from triage.files import ensure_writable, sha256
from triage.models.pretrained import Pretext, Published
from triage.settings import parse
from triage.training import pretext, tensor_files
from triage.training.checkpoint import read_weights
from triage.training.job import PretrainArguments, prepare
from triage.training.limit import TimeLimit
from triage.training.loop import State
from triage.training.state import Keeper, run_digest


def main(arguments: PretrainArguments, weights: Path) -> None:
    """Write the weights as a plain state dict."""
    ensure_writable(weights)
    if json.loads(arguments.settings)["source"] == "pretext":
        _learn(arguments, weights)
    else:
        _write(_from_file(parse(Published, arguments.settings)), weights)


def _learn(arguments: PretrainArguments, output: Path) -> None:
    settings = parse(Pretext, arguments.settings)
    device = prepare(arguments, trains=True)
    digest = run_digest(arguments.settings, arguments.code, [])
    path = arguments.scratch / f"pretrain-{output.stem}-{digest}.state"
    keeper = Keeper(path, arguments.save_every)
    trainer = pretext.trainer(settings, device, keeper, TimeLimit.of_job(arguments.time_limit))
    weights = trainer.run().weights
    with trainer.handing_over():
        _write(pretext.backbone(weights), output)


def _write(weights: State, path: Path) -> None:
    tensor_files.write({name: each.cpu().contiguous() for name, each in weights.items()}, path)


def _from_file(settings: Published) -> State:
    path = Path(settings.file)
    if not path.is_file():
        raise UserError(
            f"the weights of {settings.architecture} are not there",
            where=path,
            remedy=f"put torchvision's file {path.name} in {path.parent.resolve()},"
            " or take weights of source: pretext",
        )
    found = sha256(path)
    if not found.startswith(settings.sha256):
        raise UserError(
            f"has the SHA-256 {found}, not {settings.sha256}...",
            where=path,
            remedy="get the file again, or correct sha256 in params.yaml if it is the right one",
        )
    return read_weights(path)


if __name__ == "__main__":
    command.run(main)
