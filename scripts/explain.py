"""Draw what the chosen network is shown, and where it finds what it calls positive."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from triage import command
from triage.data.image_store import Images
from triage.figures import explained, style
from triage.figures.settings import ExplainSettings
from triage.files import read_json
from triage.settings import parse
from triage.training import distributed


def main(arguments: argparse.Namespace) -> None:
    """Explain the first run of the chosen arm; of an ensemble, that of the first arm."""
    torch.set_num_threads(arguments.threads)
    distributed.claim(arguments.device)
    winner = read_json(arguments.winner)["arm"]
    runs = list(zip(arguments.checkpoints, arguments.predictions, strict=True))
    own = [run for run in runs if run[0].parent.parent.name == winner]
    checkpoint, predictions = (own or runs)[0]
    source = explained.Source.read(
        checkpoint,
        [predictions / "test.csv", predictions / "val.csv"],
        Images.open(arguments.arrays, arguments.tables),
        distributed.local_device(arguments.device),
        parse(ExplainSettings, arguments.settings),
    )
    with style.styled():
        for target, figure in explained.draw(source, arguments.figures):
            style.save(figure, target)
    command.log.info("explained: %s", checkpoint.parent)


if __name__ == "__main__":
    options = command.parser(__doc__)
    options.add_argument("--settings", required=True, help="ExplainSettings as JSON")
    options.add_argument("--winner", type=Path, required=True)
    options.add_argument("--checkpoints", type=Path, nargs="+", required=True, help="one a run")
    options.add_argument(
        "--predictions", type=Path, nargs="+", required=True, help="run folders, as checkpoints"
    )
    options.add_argument("--arrays", type=Path, nargs="+", required=True)
    options.add_argument("--tables", type=Path, nargs="+", required=True)
    options.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    options.add_argument(
        "--figures",
        type=Path,
        nargs="+",
        required=True,
        help=f"<{'|'.join(explained.FIGURES)}>.png",
    )
    command.run(main, options)
