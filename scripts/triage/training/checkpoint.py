"""Checkpoints: tensors and plain data, which ``torch.load(weights_only=True)`` reads."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from triage.data.reference import Reference
from triage.data.shards import Decoding
from triage.errors import UserError
from triage.models import OVER_VOLUMES, ModelSettings, build
from triage.models.combined import Combined, Freezing
from triage.models.sequence import SequenceModel
from triage.settings import convert
from triage.task import Task
from triage.training import tensor_files
from triage.training.normalise import Normalisation
from triage.training.settings import Input, Sequence

FORMAT = 3
_REMEDY = "remake it, or get it again from where it came from"


@dataclass(frozen=True)
class Stored:
    """The store's images: the size of the largest, and their type."""

    height: int
    width: int
    dtype: str


# The parts of a checkpoint, which are plain data in the file; the others are kept as they are.
KINDS: dict[str, Any] = {
    **dict.fromkeys(("study", "arm", "stage"), str),
    **dict.fromkeys(("fold", "seed", "channels", "epoch"), int),
    "outputs": tuple[str, ...],
    "task": Task,
    "model": ModelSettings,
    "sequence": Sequence | None,
    "images": Decoding,
    "stored": Stored,
    "input": Input,
    "normalisation": Normalisation,
    "reference": Reference,
}


@dataclass(frozen=True)
class Checkpoint:
    """A trained network, and all that is needed to use it alone.

    ``weights`` is its state; a network over volumes has the parts ``cnn.*`` and ``sequence.*``.
    ``outputs`` name its logits, which ``task`` says how to read. ``epoch`` is the one whose weights
    were kept. ``images`` and ``stored`` say how files became the images it learnt from, and
    ``reference`` what these are like. ``cases`` are those it has seen, by partition, with those of
    the networks it started from. ``record`` says how it came about: settings, code digest,
    versions, checksums of the data.
    """

    study: str
    arm: str
    stage: str
    fold: int
    seed: int
    task: Task
    outputs: tuple[str, ...]
    channels: int
    model: ModelSettings
    sequence: Sequence | None
    images: Decoding
    stored: Stored
    input: Input
    normalisation: Normalisation
    reference: Reference
    weights: dict[str, Tensor]
    epoch: int
    cases: dict[str, list[str]]
    record: dict[str, Any]

    @property
    def over_volumes(self) -> bool:
        """Whether the network takes whole volumes, not single images."""
        return self.sequence is not None or self.model.architecture in OVER_VOLUMES

    def network(self, freezing: Freezing = "trained") -> nn.Module:
        """The network with its weights."""
        network = self._build(freezing)
        network.load_state_dict(self.weights)
        return network

    def _build(self, freezing: Freezing = "trained") -> nn.Module:
        network = build(self.model, self.channels, len(self.outputs))
        if self.sequence is None:
            return network
        return combine(network, self.sequence, len(self.outputs), freezing)

    def save(self, path: Path) -> None:
        """Write the checkpoint; equal checkpoints give equal bytes."""
        content = {
            field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)
        }
        tensor_files.write({"format": FORMAT} | content, path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint. Raises UserError when it is missing, damaged or none of ours."""
        content = tensor_files.read(path)
        if content.pop("format", None) != FORMAT:
            raise UserError("is no checkpoint of this project", where=path, remedy="remake it")
        names = {field.name for field in dataclasses.fields(cls)}
        if content.keys() != names:
            wrong = ", ".join(sorted(map(str, content.keys() ^ names)))
            raise UserError(f"lacks, or has too much: {wrong}", where=path, remedy=_REMEDY)
        for name, kind in KINDS.items():
            content[name] = convert(kind, content[name], f"{path}: {name}")
        cases = convert(dict[str, tuple[str, ...]], content["cases"], f"{path}: cases")
        content["cases"] = {partition: list(names) for partition, names in cases.items()}
        if not isinstance(content["weights"], dict):
            raise UserError("weights are no table of tensors", where=path, remedy=_REMEDY)
        found = cls(**content)
        found._refuse_misfits(path)
        return found

    def _refuse_misfits(self, path: Path) -> None:
        """Compare the weights with those of a network that takes up no memory."""
        with torch.device("meta"):
            wanted = {name: each.shape for name, each in self._build().state_dict().items()}
        given = {
            name: each.shape if isinstance(each, Tensor) else None
            for name, each in self.weights.items()
        }
        if wrong := [n for n in {**wanted, **given} if wanted.get(n) != given.get(n)]:
            raise UserError(
                f"{len(wrong)} of its weights are not those of its network, first {wrong[0]}",
                where=path,
                remedy=_REMEDY,
            )


def combine(cnn: nn.Module, settings: Sequence, outputs: int, freezing: Freezing) -> Combined:
    """A slice network with a new sequence model over its features."""
    width = cast(int, cnn.width)
    sequence = SequenceModel(width, outputs, settings.hidden, settings.layers, settings.pooling)
    return Combined(cnn, sequence, freezing)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint of this project, or in a file of a plain state, as torchvision
    publishes them."""
    content = tensor_files.read(path)
    weights: dict[str, Tensor] = content.get("weights", content)
    if not weights or not all(isinstance(each, Tensor) for each in weights.values()):
        raise UserError("holds no network weights", where=path, remedy="give a state dict")
    return weights


def _plain(value: Any) -> Any:
    """Tensors on the CPU without what they share their memory with; all else as JSON has it."""
    if isinstance(value, dict) and any(isinstance(each, Tensor) for each in value.values()):
        return {name: each.detach().cpu().contiguous().clone() for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.loads(json.dumps(value))
