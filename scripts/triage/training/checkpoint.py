"""Checkpoints: tensors and plain data, which ``torch.load(weights_only=True)`` reads."""

from __future__ import annotations

import dataclasses
import json
import pickle
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from triage.data.reference import Reference
from triage.data.shards import Decoding
from triage.errors import UserError
from triage.files import damaged, write_tensors
from triage.models import ModelSettings, build
from triage.models.combined import Combined, Freezing
from triage.models.sequence import SequenceModel
from triage.settings import convert
from triage.task import Task
from triage.training.normalise import Normalisation
from triage.training.settings import Input, Sequence

FORMAT = 3

# What reading of a damaged file raises: of the archive, of what is stored in it, of torch.
UNREADABLE = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Stored:
    """The store's images: the size of the largest, and their type."""

    height: int
    width: int
    dtype: str


# The parts of a checkpoint that are objects here and plain data in the file.
KINDS: dict[str, Any] = {
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
        return self.sequence is not None

    def network(self, freezing: Freezing = "trained") -> nn.Module:
        """The network with its weights."""
        network = build(self.model, self.channels, len(self.outputs))
        if self.sequence is not None:
            network = combine(network, self.sequence, len(self.outputs), freezing)
        network.load_state_dict(self.weights)
        return network

    def save(self, path: Path) -> None:
        """Write the checkpoint; equal checkpoints give equal bytes."""
        content = {
            field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)
        }
        write_tensors({"format": FORMAT} | content, path)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint. Raises UserError when it is missing, damaged or none of ours."""
        content = _read(path)
        if content.pop("format", None) != FORMAT:
            raise UserError("is no checkpoint of this project", where=path, remedy="remake it")
        content["outputs"] = tuple(content["outputs"])
        for name, kind in KINDS.items():
            content[name] = convert(kind, content[name], name)
        return cls(**content)


def combine(cnn: nn.Module, settings: Sequence, outputs: int, freezing: Freezing) -> Combined:
    """A slice network with a new sequence model over its features."""
    width = cast(int, cnn.width)
    sequence = SequenceModel(width, outputs, settings.hidden, settings.layers, settings.pooling)
    return Combined(cnn, sequence, freezing)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint of this project, or in a file of a plain state, as torchvision
    publishes them."""
    content = _read(path)
    weights: dict[str, Tensor] = content.get("weights", content)
    if not weights or not all(isinstance(each, Tensor) for each in weights.values()):
        raise UserError("holds no network weights", where=path, remedy="give a state dict")
    return weights


def _read(path: Path) -> dict[str, Any]:
    """What a file holds; each part of it is compared with its checksum first."""
    step = "pretrained" if path.parent.name == "pretrained" else "training"
    try:
        _verify(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError("is not there", where=path, remedy="make it first") from error
    except UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise damaged(path, f"it can't be read ({reason})", step) from error
    if not isinstance(content, dict):
        raise UserError("holds no network weights", where=path, remedy="give a state dict")
    return content


def _verify(path: Path) -> None:
    # torch writes checksums of all that it stores, but does not look at them when it reads.
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if (part := archive.testzip()) is not None:
                raise ValueError(f"{part} is not what was written")


def _plain(value: Any) -> Any:
    """Tensors on the CPU without what they share their memory with; all else as JSON has it."""
    if isinstance(value, dict) and any(isinstance(each, Tensor) for each in value.values()):
        return {name: each.detach().cpu().contiguous().clone() for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    return json.loads(json.dumps(value))
