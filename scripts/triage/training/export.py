"""A trained network with its preprocessing as one ONNX file.

Cropping, scaling, normalisation, and the mean over slices and members are part of the graph, so
that a program that runs it can't get them wrong.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triage.data.image_store import Images
from triage.errors import UserError
from triage.files import atomic
from triage.task import Task
from triage.training.checkpoint import Checkpoint
from triage.training.images import slice_numbers
from triage.training.pixels import resized
from triage.training.prediction import reflections
from triage.training.settings import Flip

INPUT, OUTPUT = "images", "probability"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


class Deployed(nn.Module):
    """Probabilities [cases, outputs] from images as they are decoded, in float32.

    They are [cases, channels, height, width], or [cases, slices, ...] of volumes, filled up with
    zeros or cut about their centre to ``size``. Several checkpoints give the mean of their
    probabilities, and ``flips``, by arm, the mean over the reflections that are shown as well.
    """

    def __init__(
        self, checkpoints: Sequence[Checkpoint], flips: Mapping[str, Sequence[Flip]]
    ) -> None:
        super().__init__()
        members = [Member(each, flips.get(each.arm, ())) for each in checkpoints]
        self.members = nn.ModuleList(members)
        self.of_volumes = checkpoints[0].reference.ranges["slices"][1] > 1
        self.channels = checkpoints[0].channels
        cuts = [member.cut for member in members]
        self.size = (max(height for height, _ in cuts), max(width for _, width in cuts))
        self.slices = max(_slices(each) for each in checkpoints)

    @property
    def shape(self) -> list[int]:
        """The shape of one case."""
        return [*([self.slices] * self.of_volumes), self.channels, *self.size]

    def forward(self, images: Tensor) -> Tensor:
        volumes = images if self.of_volumes else images.unsqueeze(1)
        return torch.stack([member(volumes) for member in self.members]).mean(0)


class Member(nn.Module):
    """One network with its preprocessing: probabilities from [cases, slices, channels, h, w]."""

    mean: Tensor
    std: Tensor

    def __init__(self, checkpoint: Checkpoint, flips: Sequence[Flip]) -> None:
        super().__init__()
        self.views = reflections(flips)
        self.network = checkpoint.network().eval()
        self.over_volumes = checkpoint.over_volumes
        exclusive = checkpoint.task is Task.MULTICLASS
        self.activation = nn.Softmax(-1) if exclusive else nn.Sigmoid()
        chosen = slice_numbers(checkpoint.input)
        self.chosen = None if chosen is None else list(chosen)
        stored, crop, size = checkpoint.stored, checkpoint.input.crop, checkpoint.input.resize
        whole = (stored.height, stored.width)
        self.cut = whole if crop is None else (min(whole[0], crop), min(whole[1], crop))
        self.size = (size, size) if size else self.cut
        # As when training images are kept: what is made smaller is rounded.
        shrinks = math.prod(self.size) < math.prod(self.cut)
        self.rounds = shrinks and np.dtype(stored.dtype).kind in "iu"
        mean, std = checkpoint.normalisation.mean, checkpoint.normalisation.std
        self.own = mean is None or std is None
        self.register_buffer("mean", torch.tensor(mean or [0.0])[:, None, None])
        self.register_buffer("std", torch.tensor(std or [1.0])[:, None, None])

    def forward(self, volumes: Tensor) -> Tensor:
        if self.chosen is not None:
            volumes = volumes[:, self.chosen]
        slices = self._normalised(self._resized(self._cropped(volumes)))
        views = [self._seen(slices.flip(each) if each else slices) for each in self.views]
        return torch.stack(views).mean(0) if len(views) > 1 else views[0]

    def _seen(self, slices: Tensor) -> Tensor:
        if self.over_volumes:
            return self.activation(self.network(slices))
        logits = self.network(slices.flatten(0, 1))
        return self.activation(logits).unflatten(0, (-1, slices.shape[1])).mean(1)

    def _cropped(self, volumes: Tensor) -> Tensor:
        (height, width), (own_height, own_width) = self.cut, volumes.shape[-2:]
        top, left = (own_height - height) // 2, (own_width - width) // 2
        return volumes[..., top : top + height, left : left + width]

    def _resized(self, volumes: Tensor) -> Tensor:
        if self.size == self.cut:
            return volumes
        shrunk = resized(volumes.flatten(0, 1), self.size)
        shrunk = shrunk.round() if self.rounds else shrunk
        return shrunk.unflatten(0, (-1, volumes.shape[1]))

    def _normalised(self, volumes: Tensor) -> Tensor:
        if not self.own:
            return (volumes - self.mean) / self.std
        mean = volumes.mean((1, 3, 4), keepdim=True)
        std = (volumes - mean).square().mean((1, 3, 4), keepdim=True).sqrt()
        # A volume of one value throughout becomes 0 throughout.
        return (volumes - mean) / torch.where(std > 1e-6 * mean.abs(), std, 1)


def check_packages() -> None:
    """Raise UserError where a package is missing that export needs."""
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise UserError(
            f"needs {', '.join(missing)}",
            where="export",
            remedy='install them: pip install --constraint constraints.txt --editable ".[export]"',
        )


def write_onnx(model: Deployed, description: Mapping[str, Any], target: Path) -> None:
    """Write ``model`` as ONNX, any number of cases at once, with the description in it."""
    example = torch.rand(2, *model.shape) * 100
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=dynamic,
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    assert program is not None
    _forget_sources(program.model)
    for name, value in description.items():
        text = value if isinstance(value, str) else json.dumps(value)
        program.model.metadata_props[name] = text
    with atomic(target) as partial:
        program.save(partial)


def _forget_sources(model: Any) -> None:
    """Take out which lines of which files each node comes from: paths of this machine."""
    for node in model.graph.all_nodes():
        for each in (node, *node.outputs):
            each.metadata_props.clear()


def run_onnx(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """The probabilities [cases, outputs] that onnxruntime gets from a file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (found,) = session.run([OUTPUT], {INPUT: images})
    return np.asarray(found)


def stored_images(model: Deployed, images: Images, cases: Sequence[str]) -> NDArray[np.float32]:
    """Cases of a store as the graph wants them."""
    chosen = range(model.slices) if model.of_volumes else None
    found = images.read(images.rows(cases, chosen), model.size)
    return (found if model.of_volumes else found[:, 0]).astype(np.float32)


def _slices(checkpoint: Checkpoint) -> int:
    """How many slices a case must have, from the first on."""
    chosen = slice_numbers(checkpoint.input)
    return max(chosen) + 1 if chosen is not None else int(checkpoint.reference.ranges["slices"][1])
