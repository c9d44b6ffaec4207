"""Training samples that are mixed, each with the next one of the epoch, and their labels with them.

mixup is a weighted mean of both (Zhang et al., ICLR 2018); cutmix lays a box of the other over the
sample (Yun et al., ICCV 2019). A sample keeps the larger share, so that in each epoch every one
has its turn, balancing holds, and accuracy is that of its own label. The loss is the mean of the
losses of both labels by their shares, of which an unknown one counts for nothing. What is mixed is
drawn by sample, and the next one is that of the epoch: batches and processes make no difference.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triage.training import rng
from triage.training.balance import Plan
from triage.training.losses import Labels
from triage.training.samples import Bounds, Samples
from triage.training.settings import Mix

Floats = NDArray[np.floating]
Boxes = NDArray[np.int64]


def mixed(settings: Mix | None, seed: int, epoch: int, plan: Plan, samples: Samples) -> Unmixed:
    """The samples of an epoch, mixed if ``settings`` say so."""
    if settings is None:
        return Unmixed(epoch, plan, samples)
    return Mixed(settings, seed, epoch, plan, samples)


class Unmixed:
    """The samples of one epoch as they are, in the order of ``plan``."""

    def __init__(self, epoch: int, plan: Plan, samples: Samples) -> None:
        self.epoch, self.plan, self.samples = epoch, plan, samples

    def batches(self, bounds: Bounds) -> Iterator[Tensor]:
        """The inputs of the parts ``bounds`` of the plan, one batch each, augmented."""
        return self.samples.batches(self.plan, bounds, self.epoch)

    def labels(self, known: Labels) -> tuple[Labels, ...]:
        """Of the labels of all samples, by row, those of the samples in the plan's order, and of
        what is mixed into each, weighing by their shares."""
        return (known.rows(torch.from_numpy(self.plan.rows).to(known.weights.device)),)


class Mixed(Unmixed):
    """The samples of one epoch, each mixed with the one after it, and the last with the first.

    ``shares`` [samples] are what stays of each; ``boxes`` [samples, 2, 2] are what cutmix covers,
    rows and columns, each from and to, in pixels.
    """

    def __init__(self, settings: Mix, seed: int, epoch: int, plan: Plan, samples: Samples) -> None:
        closed = np.append(np.arange(len(plan)), 0)
        closed_plan = Plan(plan.rows[closed], plan.copies[closed], plan.augmented[closed])
        super().__init__(epoch, closed_plan, samples)
        keys = rng.combine(samples.keys[plan.rows], plan.copies)

        def uniform(purpose: str) -> Floats:
            return rng.uniform(seed, epoch, purpose, keys)

        from scipy.special import betaincinv  # takes 0.1 s, and most trainings don't mix

        drawn = betaincinv(settings.alpha, settings.alpha, uniform("mix"))
        happens = uniform("whether mix") < settings.probability
        shares = np.where(happens, np.maximum(drawn, 1 - drawn), 1.0)
        self.boxes = None
        device = samples.targets.device
        if settings.method == "cutmix":
            assert samples.size is not None, "cutmix is for pictures"
            middles = np.stack([uniform("mix down"), uniform("mix right")], axis=1)
            boxes = _boxes(shares, middles, samples.size)
            shares = 1 - (boxes[:, 1] - boxes[:, 0]).prod(1) / np.prod(samples.size)
            self.boxes = torch.from_numpy(boxes).to(device)
        self.shares = torch.from_numpy(shares).float().to(device)

    def batches(self, bounds: Bounds) -> Iterator[Tensor]:
        inputs = super().batches([(start, end + 1) for start, end in bounds])
        for (start, end), each in zip(bounds, inputs, strict=True):
            yield self._mixed(each[:-1], each[1:], slice(start, end))

    def labels(self, known: Labels) -> tuple[Labels, ...]:
        (found,) = super().labels(known)
        share = self.shares[:, None]
        return (
            Labels(found.targets[:-1], found.weights[:-1] * share),
            Labels(found.targets[1:], found.weights[1:] * (1 - share)),
        )

    def _mixed(self, own: Tensor, others: Tensor, part: slice) -> Tensor:
        if self.boxes is None:
            weights = (1 - self.shares[part]).to(own.dtype)
            return own.lerp(others, weights.view(-1, *[1] * (own.ndim - 1)))
        start, end = self.boxes[part, :, :, None].unbind(1)  # [n, rows and columns, 1]
        rows, columns = (torch.arange(size, device=own.device) for size in own.shape[-2:])
        high = (rows >= start[:, 0]) & (rows < end[:, 0])
        wide = (columns >= start[:, 1]) & (columns < end[:, 1])
        covered = high[:, :, None] & wide[:, None]
        between = [1] * (own.ndim - 3)  # channels, and slices ahead of them
        return torch.where(covered.view(len(own), *between, *own.shape[-2:]), others, own)


def _boxes(shares: Floats, middles: Floats, size: tuple[int, int]) -> Boxes:
    """Boxes [n, from and to, rows and columns] that leave ``shares`` [n] of a picture of ``size``
    uncovered, or more where they reach over its edge."""
    sides = np.array(size)
    half = (np.sqrt(1 - shares)[:, None] * sides).astype(np.int64) // 2
    centres = (middles * sides).astype(np.int64)
    return np.stack([centres - half, centres + half], axis=1).clip(0, sides)
