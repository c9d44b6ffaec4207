"""One step of the optimizer: forward, backward, and what guards it.

Nothing here waits for the device: losses and counts stay there, and a step whose loss or gradient
is not finite is skipped by the optimizer's own kernel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from triage.training import distributed, optimizers
from triage.training.batch_norm import share_batch_norm
from triage.training.losses import Labels, Objective
from triage.training.precision import Autocast
from triage.training.settings import Recipe
from triage.training.state import Resumable

COMPILED = Path("scratch/compiled")


def _compiled(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """``network``, compiled when it is used.

    torch keeps what it compiled as pickles in a folder of /tmp that another user may have made
    before; here, in one that is this user's.
    """
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        COMPILED.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(COMPILED.absolute())
    return cast(Callable[[Tensor], Tensor], torch.compile(network))


class Totals(Resumable):
    """Sums over the steps of an epoch and over all processes, on the device."""

    STATE = ("sums",)

    def __init__(self, device: torch.device) -> None:
        self.sums = torch.zeros(6, dtype=torch.float64, device=device)

    def add(self, sums: Tensor, is_bad: Tensor) -> None:
        """Count a step by its loss, weight, right and known labels, unless it was skipped."""
        sums = torch.where(is_bad > 0, 0, sums)
        self.sums += torch.cat([sums, torch.stack([torch.ones_like(is_bad), is_bad])])


@dataclass(frozen=True)
class Part:
    """A batch, or this process's share of it: inputs with their labels, and, where they are
    mixed, with those of what is mixed in."""

    inputs: Tensor
    labels: tuple[Labels, ...]


class Stepper:
    """Changes the weights of ``network`` by one step at a time."""

    def __init__(self, network: nn.Module, objective: Objective, recipe: Recipe) -> None:
        self.network = network
        self.objective = objective
        self.grad_clip_norm = recipe.grad_clip_norm
        self.parameters = [each for each in network.parameters() if each.requires_grad]
        self.device = self.parameters[0].device
        self.autocast = Autocast(self.device, recipe.precision)
        # From a modest scale, since steps that are skipped to find the right one count as skipped.
        self.scaler = torch.amp.GradScaler(
            self.device.type, init_scale=2.0**10, enabled=self.autocast.name == "float16"
        )
        self.optimizer = optimizers.make(network, recipe.optimizer)
        self.parallel = _parallel(network, self.device)
        self.forward: Callable[[Tensor], Tensor] = (
            _compiled(self.parallel) if recipe.compile else self.parallel
        )
        self.guard = BufferGuard(network)

    def seed(self, seed: int) -> None:
        """Make dropout a function of ``seed``."""
        # torch.manual_seed would also queue a call, with a traceback, for devices not in use.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.default_generators[self.device.index or 0].manual_seed(seed)

    def step(self, parts: Sequence[Part], weight: Tensor, rate: float, totals: Totals) -> Tensor:
        """Take one step on the sum over ``parts``, whose labels weigh ``weight`` in all.

        Gives the loss of each own label of the parts, [rows, outputs], or case, [rows, 1].
        """
        self.guard.remember()
        self.optimizer.zero_grad()
        done = [self._backward(part, weight, is_last=part is parts[-1]) for part in parts]
        elements = torch.cat([each for each, _ in done])
        is_bad, sums = self._check(elements, torch.stack([each for _, each in done]).sum(0))
        optimizers.step(self.optimizer, rate, is_bad)
        self.scaler.update()
        self.guard.restore(is_bad)
        totals.add(sums, is_bad)
        return elements

    def _backward(self, part: Part, weight: Tensor, is_last: bool) -> tuple[Tensor, Tensor]:
        """Add the gradient of a part; gives the loss of each own label, and the part's sums."""
        with self._waiting(is_last):
            with self.autocast():
                logits = self.forward(part.inputs)
            elements = [self.objective.elements(logits, each.targets) for each in part.labels]
            weights = [each.weights for each in part.labels]
            loss = sum_of(a * b for a, b in zip(elements, weights, strict=True))
            # The processes' gradients are averaged, and a sum is wanted.
            self.scaler.scale(loss / weight * distributed.WORLD).backward()
        return elements[0].detach(), self._sums(loss.detach(), logits.detach(), part)

    def _sums(self, loss: Tensor, logits: Tensor, part: Part) -> Tensor:
        """Loss, weight, right and known own labels of a part."""
        right = self.objective.right(logits, part.labels[0].targets)
        sums = [loss, sum_of(each.weights for each in part.labels), *right]
        return torch.stack([each.double() for each in sums])

    def _waiting(self, is_last: bool) -> AbstractContextManager[None]:
        """Gradients of several processes are summed once, with the last part."""
        if isinstance(self.parallel, DistributedDataParallel) and not is_last:
            return self.parallel.no_sync()
        return nullcontext()

    def _check(self, elements: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
        """Clips the gradient. Gives 1 where it or the loss is not finite, else 0, and the sums
        of all processes."""
        self.scaler.unscale_(self.optimizer)
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.grad_clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.grad_clip_norm, norm)
        is_bad = ~torch.isfinite(norm + elements.sum())
        found = distributed.all_reduce(torch.cat([is_bad.double()[None], sums]))
        return found[0].clamp(max=1), found[1:]


def sum_of(tensors: Iterable[Tensor]) -> Tensor:
    """The sum of all numbers of some tensors."""
    return reduce(torch.add, (each.sum() for each in tensors))


class BufferGuard:
    """Takes the running statistics of batch norm back where a step was skipped."""

    def __init__(self, network: nn.Module) -> None:
        self.buffers = [each for each in network.buffers() if each.is_floating_point()]
        self.sizes = [each.numel() for each in self.buffers]
        self.remembered: Tensor | None = None

    def remember(self) -> None:
        if self.buffers:
            self.remembered = self._flat()

    def restore(self, is_bad: Tensor) -> None:
        if self.remembered is None:
            return
        kept = torch.where(is_bad > 0, self.remembered, self._flat())
        parts = [
            part.view_as(buffer)
            for part, buffer in zip(kept.split(self.sizes), self.buffers, strict=True)
        ]
        torch._foreach_copy_(self.buffers, parts)

    def _flat(self) -> Tensor:
        return torch.cat([each.reshape(-1) for each in self.buffers])


def _parallel(network: nn.Module, device: torch.device) -> nn.Module:
    if distributed.WORLD == 1:
        return network
    share_batch_norm(network, device)
    devices = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(network, devices, broadcast_buffers=False)
