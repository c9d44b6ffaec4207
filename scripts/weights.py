"""Pretrained weights: from a file that torchvision publishes, or learned offline."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from triage import command
from triage.errors import UserError
from triage.files import sha256, write_tensors
from triage.settings import parse
from triage.training.checkpoint import read_weights
from triage.training.pretext import PretextSettings, learn


@dataclass(frozen=True)
class FileSettings:
    """``sha256``: the file's, or the beginning of it."""

    source: Literal["imagenet"]
    architecture: str
    file: str
    sha256: str


def main(arguments: argparse.Namespace) -> None:
    """Write the weights as a plain state dict."""
    torch.set_num_threads(arguments.threads)
    if json.loads(arguments.settings)["source"] == "pretext":
        weights = learn(parse(PretextSettings, arguments.settings))
    else:
        weights = _from_file(parse(FileSettings, arguments.settings))
    contiguous = {name: each.contiguous() for name, each in weights.items()}
    write_tensors(contiguous, arguments.output)


def _from_file(settings: FileSettings) -> dict[str, torch.Tensor]:
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
    options = command.parser(__doc__)
    options.add_argument("--settings", required=True, help="a block of weights, as JSON")
    options.add_argument("--output", type=Path, required=True)
    command.run(main, options)
