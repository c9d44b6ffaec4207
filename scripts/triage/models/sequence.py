"""A bidirectional LSTM over the feature vectors of a volume's slices."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from triage.models import recurrent

Pooling = Literal["final", "last", "attention"]


class SequenceModel(nn.Module):
    """Logits [batch, outputs] from features [batch, slices, inputs].

    ``pooling`` says what of the LSTM is read. ``final``: the last state of each direction, so that
    either has seen all slices. ``last``: the output at the last slice, as published, whose
    backward half has seen that slice alone. ``attention``: a learned weighted mean of all outputs.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int, layers: int, pooling: Pooling):
        super().__init__()
        self.pooling = pooling
        self.lstm = nn.LSTM(inputs, hidden, layers, batch_first=True, bidirectional=True)
        if pooling == "attention":
            self.attention = nn.Linear(2 * hidden, 1)
        self.fc = nn.Linear(2 * hidden, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.fc(self._pooled(recurrent.read(self.lstm, features)))

    def _pooled(self, out: Tensor) -> Tensor:
        if self.pooling == "final":
            # Not from the states that come beside it: torch 2.11 exports those in another shape.
            size = self.lstm.hidden_size
            return torch.cat([out[:, -1, :size], out[:, 0, size:]], dim=1)
        if self.pooling == "last":
            return out[:, -1]
        weights = self.attention(out).softmax(dim=1)
        return (weights * out).sum(dim=1)
