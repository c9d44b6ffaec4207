"""A trained network applied to cases: of a study's store, or of new files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from triage.data.image_store import Images
from triage.task import Task
from triage.training.cases import Cases
from triage.training.checkpoint import Checkpoint
from triage.training.images import ImageData
from triage.training.inference import AT_ONCE, predict
from triage.training.precision import Autocast

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Predicted:
    """The logits [cases, images, outputs]; of a whole volume there is one.

    ``numbers`` [images] are those of the slices.
    """

    logits: Floats
    numbers: NDArray[np.int64]


class Predictor:
    """A network of a checkpoint on its device, with the checkpoint's preprocessing."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.checkpoint = checkpoint
        self.device = device
        self.network = checkpoint.network().to(device)

    def __call__(self, images: Images, cases: Cases) -> Predicted:
        """What the network says of ``cases``, whose images are among ``images``."""
        checkpoint, outputs = self.checkpoint, self.checkpoint.outputs
        if not len(cases):
            return Predicted(np.empty((0, 1, len(outputs))), np.empty(0, np.int64))
        data = ImageData(
            images, cases.names, checkpoint.input, checkpoint.normalisation, self.device
        )
        samples = data.samples(cases, outputs, checkpoint.over_volumes)
        batch = max(1, AT_ONCE // samples.images_each)
        logits = predict(self.network, samples, batch, Autocast(self.device, "float32"))
        shape = (len(cases), -1, len(outputs))
        found = checkpoint.task.logits(logits.double().cpu().numpy().reshape(shape))
        return Predicted(found, data.numbers)


def scores(logit: float, task: Task) -> dict[str, str]:
    """A logit and its probability, as tables of predictions have them."""
    probability = task.probabilities(np.asarray(logit))
    return {"logit": f"{logit:.9g}", "probability": f"{probability:.9g}"}
