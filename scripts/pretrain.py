"""Pretrained weights: those that torchvision publishes, or learned offline."""

from __future__ import annotations

import json
from pathlib import Path

from triage import command
from triage.files import ensure_writable
from triage.models.pretrained import Download, Pretext, Published
from triage.settings import parse
from triage.training import pretext, tensor_files
from triage.training.job import PretrainArguments, prepare
from triage.training.limit import TimeLimit
from triage.training.loop import State
from triage.training.published import download, from_file
from triage.training.state import Keeper, run_digest


def main(arguments: PretrainArguments, weights: Path) -> None:
    """Write the weights as a plain state dict."""
    ensure_writable(weights)
    source = json.loads(arguments.settings)["source"]
    if source == "pretext":
        _learn(arguments, weights)
    elif source == "download":
        _write(download(parse(Download, arguments.settings)), weights)
    else:
        _write(from_file(parse(Published, arguments.settings)), weights)


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


if __name__ == "__main__":
    command.run(main)
