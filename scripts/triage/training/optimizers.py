"""Adam, AdamW and SGD on torch's fused kernels: one call a step for all weights.

``torch.optim`` runs the same kernels, but importing what it wraps its steps in takes over a
second, which a short job feels. The results are equal bit for bit (a test holds this).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from triage.training import settings

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Optimizer(ABC):
    """Changes ``weights`` by their gradients."""

    def __init__(self, weights: Sequence[nn.Parameter], options: settings.Optimizer) -> None:
        self.weights: list[Tensor] = list(weights)
        self.options = options
        self.param_groups = [{"params": self.weights}]  # where GradScaler looks for gradients
        self.state: dict[str, list[Tensor]] = {}

    def zero_grad(self) -> None:
        for each in self.weights:
            each.grad = None

    def step(self, rate: float, is_bad: Tensor) -> None:
        """Take a step; where ``is_bad`` is 1 on the device, everything stays as it was."""
        if len(self.gradients) < len(self.weights):
            raise RuntimeError("some weights have no gradient: the network does not use them")
        with torch.no_grad():
            self._step(rate, is_bad.float())

    @property
    def gradients(self) -> list[Tensor]:
        return [each.grad for each in self.weights if each.grad is not None]

    def restore(self, state: dict[str, list[Tensor]]) -> None:
        """Go on from a ``state``."""
        for name, tensors in state.items():
            for own, each in zip(self.state[name], tensors, strict=True):
                own.copy_(each)

    @abstractmethod
    def _step(self, rate: float, is_bad: Tensor) -> None:
        """Change the weights in place, unless ``is_bad``."""

    def _zeros(self) -> list[Tensor]:
        return [torch.zeros_like(each) for each in self.weights]


class Adam(Optimizer):
    """Adam with weight decay in the gradient, or AdamW with weight decay apart from it."""

    def __init__(self, weights: Sequence[nn.Parameter], options: settings.Optimizer) -> None:
        super().__init__(weights, options)
        counts = [torch.zeros((), device=each.device) for each in self.weights]
        self.state = {"means": self._zeros(), "squares": self._zeros(), "steps": counts}
        self.kernel: Any = torch._fused_adamw_ if options.name == "adamw" else torch._fused_adam_

    def _step(self, rate: float, is_bad: Tensor) -> None:
        steps = self.state["steps"]
        torch._foreach_add_(steps, 1)
        self.kernel(
            self.weights,
            self.gradients,
            self.state["means"],
            self.state["squares"],
            [],
            steps,
            lr=rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=self.options.weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
            grad_scale=None,
            found_inf=is_bad,
        )
        torch._foreach_sub_(steps, [is_bad] * len(steps))


class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum where it is set."""

    def __init__(self, weights: Sequence[nn.Parameter], options: settings.Optimizer) -> None:
        super().__init__(weights, options)
        self.state = {"momenta": self._zeros() if options.momentum else []}

    def _step(self, rate: float, is_bad: Tensor) -> None:
        torch._fused_sgd_(
            self.weights,
            self.gradients,
            self.state["momenta"],
            weight_decay=self.options.weight_decay,
            momentum=self.options.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,  # momenta begin at zero, also where the first step is skipped
            grad_scale=None,
            found_inf=is_bad,
        )


def make(weights: Sequence[nn.Parameter], options: settings.Optimizer) -> Optimizer:
    """The optimizer that the settings name."""
    return Sgd(weights, options) if options.name == "sgd" else Adam(weights, options)
