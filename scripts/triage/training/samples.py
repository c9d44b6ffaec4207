"""What a network is trained on: batches of images, of whole volumes or of cached features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triage.training import rng
from triage.training.augment import Augmentation, Parameters
from triage.training.balance import Plan
from triage.training.normalise import Normaliser
from triage.training.pixels import Pixels, moved
from triage.training.rng import Keys

Integers = NDArray[np.int64]
Bounds = Sequence[tuple[int, int]]


class Samples(Protocol):
    """Samples with their targets [samples, outputs]: 0, 1, or NaN for unknown.

    ``size`` (height, width) is that of their pictures, where they are pictures.
    """

    keys: Keys
    targets: Tensor
    images_each: int
    size: tuple[int, int] | None

    def __len__(self) -> int: ...

    def batches(self, plan: Plan, bounds: Bounds, epoch: int | None) -> Iterator[Tensor]:
        """The inputs of the parts ``bounds`` of a plan, one batch each.

        They are augmented as the epoch wants it; without an epoch they are as they are.
        """
        ...


def batches(start: int, end: int, size: int) -> list[tuple[int, int]]:
    """The rows from ``start`` to ``end`` in batches of ``size``; the last may be smaller."""
    return [(i, min(i + size, end)) for i in range(start, end, size)]


class ImageSamples:
    """Samples of one image each (``whole`` false), or of the images of a whole volume.

    A batch is [batch, channels, height, width], or [batch, slices, channels, height, width].
    ``index`` [samples, slices] points into the pixels; ``numbers`` are the slices' numbers in
    their volume. An augmentation by case changes all slices of a case alike, but for the grain of
    noise.
    """

    def __init__(
        self,
        pixels: Pixels,
        normaliser: Normaliser,
        index: Integers,
        numbers: Integers,
        names: Sequence[str],
        targets: NDArray[np.float32],
        augmentation: Augmentation | None,
        whole: bool,
        channels_last: bool,
    ) -> None:
        self.pixels = pixels
        self.normaliser = normaliser
        self.index = index
        self.images_each = index.shape[1]
        self.size: tuple[int, int] | None = pixels.size
        self.augmentation = augmentation if augmentation and augmentation.active else None
        self.whole = whole
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.names = names
        self.case_keys = rng.keys(names)
        self.slice_keys = rng.combine(self.case_keys[:, None], numbers)
        self.keys = self.case_keys if whole else self.slice_keys[:, 0]
        self.targets = torch.from_numpy(targets).to(pixels.device)

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, plan: Plan, bounds: Bounds, epoch: int | None) -> Iterator[Tensor]:
        indices = [self.index[plan.rows[a:b]].reshape(-1) for a, b in bounds]
        drawn = self._parameters(plan, bounds, epoch)
        places = moved(indices, self.pixels.device)
        for images, place, each in zip(self.pixels.batches(indices), places, drawn, strict=True):
            if each is not None and self.augmentation is not None:
                images = self.augmentation.apply(images, each)
            images = self.normaliser(images, place).contiguous(memory_format=self.memory_format)
            yield images.unflatten(0, (-1, self.index.shape[1])) if self.whole else images

    def _parameters(
        self, plan: Plan, bounds: Bounds, epoch: int | None
    ) -> Iterator[Parameters | None]:
        """The parameters of each part, drawn for the whole epoch and moved there at once."""
        if self.augmentation is None or epoch is None:
            yield from [None] * len(bounds)
            return
        images = rng.combine(self.slice_keys[plan.rows], plan.copies[:, None])
        if self.augmentation.settings.per == "case":
            keys, each = rng.combine(self.case_keys[plan.rows], plan.copies), 1
        else:
            keys, images, each = images.reshape(-1), images.reshape(-1, 1), images.shape[1]
        chosen = plan.augmented.repeat(each)
        drawn = self.augmentation.draw(epoch, keys, chosen, images).to(self.pixels.device)
        for a, b in bounds:
            yield drawn.rows(a * each, b * each)


class FeatureSamples:
    """Samples of cached features [draws, samples, slices, width]; draw 0 is without augmentation.

    In an epoch each case takes one of the augmented draws, where there are any. A batch is
    [batch, slices, width].
    """

    def __init__(
        self,
        features: Tensor,
        names: Sequence[str],
        targets: NDArray[np.float32],
        seed: int,
    ) -> None:
        self.features = features
        self.images_each = 1
        self.size: tuple[int, int] | None = None
        self.names = names
        self.keys = rng.keys(names)
        self.targets = torch.from_numpy(targets).to(features.device)
        self.seed = seed

    def __len__(self) -> int:
        return self.features.shape[1]

    def batches(self, plan: Plan, bounds: Bounds, epoch: int | None) -> Iterator[Tensor]:
        chosen = plan.rows + len(self) * self._draws(plan, epoch)
        index = torch.from_numpy(chosen).to(self.features.device)
        features = self.features.flatten(0, 1)
        for a, b in bounds:
            yield features.index_select(0, index[a:b])

    def _draws(self, plan: Plan, epoch: int | None) -> Integers:
        augmented = self.features.shape[0] - 1
        if epoch is None or augmented == 0:
            return np.zeros(len(plan), np.int64)
        keys = rng.combine(self.keys[plan.rows], plan.copies)
        which = 1 + np.floor(rng.uniform(self.seed, epoch, "draw", keys) * augmented)
        return np.where(plan.augmented, which, 0).astype(np.int64)
