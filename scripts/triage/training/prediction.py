"""A trained network applied to cases: of a study's store, or of new files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import cast

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
from triage.training.settings import Flip

Floats = NDArray[np.float64]
AXES: dict[str, int] = {"horizontal": -1, "vertical": -2}


@dataclass(frozen=True)
class Predicted:
    """The logits [cases, images, outputs]; of a whole volume there is one.

    ``numbers`` [images] are those of the slices.
    """

    logits: Floats
    numbers: NDArray[np.int64]


class Predictor:
    """A network of a checkpoint on its device, with the checkpoint's preprocessing.

    It sees images as they are, and with ``flips`` in every reflection that these make as well: then
    its probabilities are the means over them.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, flips: Sequence[Flip] = ()
    ) -> None:
        self.checkpoint = checkpoint
        self.device = device
        network = checkpoint.network().to(device)
        self.views = [Flipped(network, each) if each else network for each in reflections(flips)]

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
        views = torch.stack([each.reshape(-1, len(outputs)) for each in logits], dim=1)
        seen = checkpoint.task.pooled(views.double().cpu().numpy())
        return Predicted(seen.reshape(len(cases), -1, len(outputs)), data.numbers)


def reflections(flips: Sequence[Flip]) -> list[tuple[int, ...]]:
    """The axes along which an image is flipped for each of its views; none for the first."""
    axes = sorted({AXES[each] for each in flips})
    return list(chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1)))


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
