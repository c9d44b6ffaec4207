"""What a network is trained on: batches of images, of whole volumes or of cached features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from triage.training import draws
from triage.training.augment import Augmentation
from triage.training.balance import Plan
from triage.training.draws import Keys
from triage.training.normalise import Normaliser
from triage.training.pixels import Pixels, moved

Integers = NDArray[np.int64]
Bounds = Sequence[tuple[int, int]]


class Samples(Protocol):
    """Samples with their targets [samples, outputs]: 0, 1, or NaN for unknown."""

    keys: Keys
    targets: Tensor
    images_each: int

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
    their volume. An augmentation by case changes all slices of a case alike.
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
        self.augmentation = augmentation if augmentation and augmentation.active else None
        self.whole = whole
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.names = names
        self.case_keys = draws.keys(names)
        self.slice_keys = draws.combine(self.case_keys[:, None], numbers)
        self.keys = self.case_keys if whole else self.slice_keys[:, 0]
        self.targets = torch.from_numpy(targets).to(pixels.device)

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, plan: Plan, bounds: Bounds, epoch: int | None) -> Iterator[Tensor]:
        indices = [self.index[plan.rows[a:b]].reshape(-1) for a, b in bounds]
        tables = self._parameters(plan, bounds, epoch)
        places = moved(indices, self.pixels.device)
        for images, place, table in zip(self.pixels.batches(indices), places, tables, strict=True):
            if table is not None and self.augmentation is not None:
                images = self.augmentation.apply(images, table)
            images = self.normaliser(images, place).contiguous(memory_format=self.memory_format)
            yield images.unflatten(0, (-1, self.index.shape[1])) if self.whole else images

    def _parameters(self, plan: Plan, bounds: Bounds, epoch: int | None) -> Iterator[Tensor | None]:
        """The parameters of the augmentation, drawn for the whole epoch and moved there at once."""
        if self.augmentation is None or epoch is None:
            return iter([None] * len(bounds))
        slices = self.index.shape[1]
        by_case = self.augmentation.settings.per == "case"
        keys = self.case_keys[:, None] if by_case else self.slice_keys
        keys = draws.combine(keys[plan.rows], plan.copies[:, None])
        chosen = np.broadcast_to(plan.augmented[:, None], keys.shape)
        table = self.augmentation.draw(epoch, keys.reshape(-1), chosen.reshape(-1))
        if by_case and slices > 1:
            table = table.repeat_interleave(slices, 0)
        table = table.to(self.pixels.device)
        return iter([table[a * slices : b * slices] for a, b in bounds])


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
        self.names = names
        self.keys = draws.keys(names)
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
        keys = draws.combine(self.keys[plan.rows], plan.copies)
        which = 1 + np.floor(draws.uniform(self.seed, epoch, "draw", keys) * augmented)
        return np.where(plan.augmented, which, 0).astype(np.int64)
