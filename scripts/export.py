"""Export a study's chosen network with its preprocessing as ONNX, checked, and described.

The run is the winner's that is best on validation; of an ensemble, all its members. Its
probabilities of some cases must be those of the workflow.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triage import command
from triage.arguments import Paths
from triage.data.readers import SEQUENCES
from triage.errors import UserError
from triage.evaluation.chosen import chosen_run
from triage.files import read_json, sha256, write_json
from triage.training.cases import read_cases
from triage.training.checkpoint import Checkpoint
from triage.training.export import (
    INPUT,
    OUTPUT,
    Deployed,
    check_packages,
    run_onnx,
    stored_images,
    write_onnx,
)
from triage.training.job import NetworkArguments, prepare
from triage.training.prediction import Predictor

CASES = 8  # that are compared
TOLERANCE = 1e-4  # of a probability
CHANNELS = {"grey": ["grey"], "rgb": ["red", "green", "blue"]}
DECODING = {
    "grey": "one channel of grey, 0 to 255 (colours weighed as by ITU-R BT.601)",
    "rgb": "three channels, 0 to 255; a grey picture three times",
    "volume": "slices from feet to head on the grid of the last sequence, axes turned to LPS",
}


@dataclass(frozen=True)
class ExportSettings:
    """``members``: of each run of an ensemble, the runs whose mean it is, as ``<arm>/<run>``."""

    members: dict[str, tuple[str, ...]]


def main(
    arguments: NetworkArguments,
    settings: ExportSettings,
    winner: Path,
    metrics: Paths,
    checkpoints: Paths,
    parts: Paths,
    model: Path,
    description: Path,
) -> None:
    check_packages()
    run = chosen_run(winner, metrics)
    device = prepare(arguments)
    name = f"{run.parent.name}/{run.stem}"
    of_run = {"/".join(path.parts[-3:-1]): path for path in checkpoints}
    paths = [of_run[each] for each in settings.members.get(name, (name,))]
    networks = [Checkpoint.load(path) for path in paths]
    flips = read_json(run).get("flips", {})
    deployed = Deployed(networks, flips)
    described = describe(deployed, networks, paths, run)
    write_onnx(deployed, described, model)

    images = arguments.images()
    cases = read_cases(parts).first(CASES)
    found = run_onnx(model, stored_images(deployed, images, cases.names))
    task = networks[0].task
    predictors = [Predictor(each, device, flips.get(each.arm, ())) for each in networks]
    logits = [task.pooled(each(images, cases).logits) for each in predictors]
    expected = task.probabilities(task.pooled(np.stack(logits, axis=1)))
    difference = float(np.abs(found - expected).max(initial=0))
    if not difference <= TOLERANCE:
        raise UserError(
            f"gives other probabilities, by up to {difference:.3g}",
            where=model,
            remedy="try other versions of torch and onnxscript: see constraints.txt",
        )
    checked = {
        "cases": len(cases),
        "largest_difference": difference,
        "tolerance": TOLERANCE,
        "onnxruntime": importlib.metadata.version("onnxruntime"),
    }
    write_json(described | {"checked": checked}, description)
    command.log.info(
        "%s: %s, of %d network(s); %d cases differ by at most %.1e",
        *(model, name, len(paths), len(cases), difference),
    )


def describe(
    model: Deployed, checkpoints: list[Checkpoint], paths: list[Path], run: Path
) -> dict[str, Any]:
    """What a program must know to use the model."""
    first = checkpoints[0]
    mode, size = first.images.mode, first.images.size
    steps = [f"decode: {DECODING[mode]}"]
    if size is not None:
        steps.append(f"scale to {size} x {size} pixels, bicubic, smoothed (Pillow's BICUBIC)")
    height, width = model.size
    steps.append(f"cut, or fill up with zeros, about the centre to {height} x {width} pixels")
    if model.of_volumes:
        steps.append(f"take slices 0 to {model.slices - 1}")
    steps.append("as float32, not normalised: all further steps are part of the model")
    metrics = read_json(run)
    named = CHANNELS | {"volume": list(first.images.channels or SEQUENCES)}
    roles = named[mode] if len(named[mode]) == first.channels else list(range(first.channels))
    axes = ["case", *(["slice"] * model.of_volumes), "channel", "row", "column"]
    return {
        "study": first.study,
        "arm": run.parent.name,
        "run": run.stem,
        "input": {"name": INPUT, "shape": ["cases", *model.shape], "axes": axes, "channels": roles},
        "preprocessing": steps,
        "output": {"name": OUTPUT, "classes": list(first.outputs), "task": first.task},
        "operating_point": metrics["operating_point"],
        "thresholds": {
            name: {point: each["threshold"] for point, each in choice["operating_points"].items()}
            for name, choice in metrics["choices"].items()
        },
        "checkpoints": {path.as_posix(): sha256(path) for path in paths},
        "warning": "Not validated for clinical use.",
    }


if __name__ == "__main__":
    command.run(main)
