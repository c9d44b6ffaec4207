"""A slice network and a sequence model over its features, as one network over volumes."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from triage.models.heads import Head
from triage.models.sequence import SequenceModel

Freezing = Literal["frozen", "drifting", "trained"]


class Combined(nn.Module):
    """Logits [batch, outputs] from volumes [batch, slices, channels, height, width].

    ``freezing`` says what happens to the slice network in training. ``frozen``: nothing, it stays
    in evaluation mode and gets no gradients. ``drifting``: its weights are fixed, but its batch
    norm goes on learning statistics and uses those of the batch, as published. ``trained``: it
    learns as well.
    """

    def __init__(self, cnn: nn.Module, sequence: SequenceModel, freezing: Freezing) -> None:
        super().__init__()
        self.cnn = cnn
        self.sequence = sequence
        self.freezing = freezing
        # The last layer gives single slices their logits, and has no part in the features.
        unused = cnn if freezing != "trained" else cast(Head, cnn.get_submodule("head")).last
        unused.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Combined:
        super().train(mode)
        if self.freezing == "frozen":
            self.cnn.eval()
        return self

    def features(self, volumes: Tensor) -> Tensor:
        """The feature vectors [batch, slices, width] of the volumes' slices."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.freezing == "trained"):
            slices: Tensor = self.cnn.features(volumes.flatten(0, 1))  # type: ignore[operator]
        return slices.unflatten(0, volumes.shape[:2])

    def forward(self, volumes: Tensor) -> Tensor:
        return self.sequence(self.features(volumes).float())
