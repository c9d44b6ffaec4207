"""Dense layers at the end of a network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from triage.models.dropout import FastDropout


class Head(nn.Module):
    """Dense layers fc1, fc2, ... with ReLU between them; the last one gives the logits.

    ``features`` is what the layer before the last one gives, [batch, width]: the feature vector
    of an image. Without hidden layers it is the input itself.
    """

    def __init__(
        self, inputs: int, outputs: int, hidden: Sequence[int] = (), dropout: float = 0.0
    ) -> None:
        super().__init__()
        widths = [inputs, *hidden, outputs]
        self.depth = len(widths) - 1
        self.width = widths[-2]
        for i in range(self.depth):
            self.add_module(f"fc{i + 1}", nn.Linear(widths[i], widths[i + 1]))
        self.dropout = FastDropout(dropout)

    @property
    def last(self) -> nn.Module:
        """The layer that gives the logits."""
        return self.get_submodule(f"fc{self.depth}")

    def features(self, x: Tensor) -> Tensor:
        for i in range(1, self.depth):
            if i > 1:
                x = self.dropout(functional.relu(x))
            x = self.get_submodule(f"fc{i}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        if self.depth > 1:
            x = functional.relu(x)
        return self.last(self.dropout(x))
