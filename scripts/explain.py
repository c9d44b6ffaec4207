"""Draw what the chosen network is shown, and where it finds what it calls positive."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from triage import command
from triage.arguments import CORES, Paths
from triage.data.image_store import Images
from triage.figures import explained, style
from triage.figures.settings import ExplainSettings
from triage.files import read_json
from triage.training import distributed


def main(
    settings: ExplainSettings,
    winner: Path,
    checkpoints: Paths,
    predictions: Paths,
    arrays: Paths,
    tables: Paths,
    figures: Paths,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = CORES,
) -> None:
    """Explain the first run of the chosen arm; of an ensemble, the first of its networks."""
    torch.set_num_threads(threads)
    distributed.claim(device)
    arm = read_json(winner)["arm"]
    ensembles = (each for name, each in settings.members.items() if name.startswith(f"{arm}/"))
    members = next(ensembles, ())
    own = [
        path
        for path in checkpoints
        if path.parent.parent.name == arm or "/".join(path.parts[-3:-1]) in members
    ]
    checkpoint = (own or checkpoints)[0]
    run = checkpoint.parts[-3:-1]
    of_run = {path.stem: path for path in predictions if path.parts[-3:-1] == run}
    source = explained.Source.read(
        checkpoint,
        [of_run["test"], of_run["val"]],
        Images.open(arrays, tables),
        distributed.local_device(device),
        settings,
    )
    with style.styled():
        for target, figure in explained.draw(source, figures):
            style.save(figure, target)
    command.log.info("explained: %s", checkpoint.parent)


if __name__ == "__main__":
    command.run(main)
