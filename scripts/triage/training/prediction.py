"""A trained network applied to cases: of a study's store, or of new files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triage.data.image_store import Images
from triage.task import Task
from triage.training.cases import Cases
from triage.training.checkpoint import Checkpoint
from triage.training.images import ImageData
from triage.training.inference import AT_ONCE, predict
from triage.training.precision import Autocast

Floats = NDArray[np.float64]
Flip = Literal["horizontal", "vertical"]
AXES: dict[str, int] = {"horizontal": -1, "vertical": -2}


@dataclass(frozen=True)
class Predicted:
    """The logits [cases, images, outputs]; of a whole volume there is one.

    ``numbers`` [images] are those of the slices. Images that are flipped as well are images more.
    """

    logits: Floats
    numbers: NDArray[np.int64]


class Predictor:
    """A network of a checkpoint on its device, with the checkpoint's preprocessing.

    It sees images as they are, and with ``flips`` in every reflection that these make as well.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, flips: Sequence[Flip] = ()
    ) -> None:
        self.checkpoint = checkpoint
        self.device = device
        network = checkpoint.network().to(device)
        axes = sorted({AXES[each] for each in flips})
        chosen = chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1))
        self.views = [Flipped(network, each) if each else network for each in chosen]

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
        full = Autocast(self.device, "float32")
        logits = [predict(network, samples, batch, full) for network in self.views]
        shape = (len(self.views), len(cases), -1, len(outputs))
        found = torch.stack(logits).double().cpu().numpy().reshape(shape)
        seen = checkpoint.task.logits(np.concatenate(found, axis=1))
        return Predicted(seen, np.tile(data.numbers, len(self.views)))


class Flipped(nn.Module):
    """A network that is shown images flipped along some axes."""

    def __init__(self, network: nn.Module, axes: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.axes = tuple(axes)

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.network(images.flip(self.axes)))


def scores(logit: float, task: Task) -> dict[str, str]:
    """A logit and its probability, as tables of predictions have them."""
    probability = task.probabilities(np.asarray(logit))
    return {"logit": f"{logit:.9g}", "probability": f"{probability:.9g}"}
