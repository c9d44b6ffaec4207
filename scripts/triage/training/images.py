"""From the image store to samples: which slices, on which device, normalised and augmented how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from triage.data.image_store import Images
from triage.errors import UserError
from triage.training.augment import Augmentation
from triage.training.cases import Cases
from triage.training.normalise import Normalisation, Normaliser
from triage.training.pixels import Pixels
from triage.training.samples import ImageSamples
from triage.training.settings import Augment, Input, Only


class ImageData:
    """The chosen slices of some cases, on the device where they fit; samples are views of it."""

    def __init__(
        self,
        images: Images,
        names: Iterable[str],
        settings: Input,
        normalisation: Normalisation,
        device: torch.device,
        channels_last: bool = True,
    ) -> None:
        ordered = sorted(set(names))
        if not ordered:
            raise UserError("has no cases for this step", where="the split")
        chosen = slice_numbers(settings)
        self.places = images.rows(ordered, chosen)  # [cases, slices]
        self.slices = self.places.shape[1]
        self.numbers = np.asarray(range(self.slices) if chosen is None else chosen)
        self.row_of = {name: i for i, name in enumerate(ordered)}
        stored = (images.height, images.width)
        self.pixels = Pixels(images, self.places.reshape(-1), stored, settings, device)
        volumes = np.arange(len(ordered)).repeat(self.slices)
        self.normaliser = Normaliser(normalisation, self.pixels, volumes)
        self.channels_last = channels_last

    def samples(
        self,
        cases: Cases,
        outputs: Sequence[str],
        whole: bool,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> ImageSamples:
        """Samples of whole volumes, or of single images in the order of cases, then slices."""
        rows = np.array([self.row_of[name] for name in cases.names], np.int64)
        index = rows[:, None] * self.slices + np.arange(self.slices)
        numbers = np.broadcast_to(self.numbers, index.shape)
        names, targets = list(cases.names), cases.targets(outputs)
        if not whole:
            names = [name for name in names for _ in range(self.slices)]
            targets = targets.repeat(self.slices, axis=0)
            index, numbers = index.reshape(-1, 1), numbers.reshape(-1, 1)
        return ImageSamples(
            self.pixels,
            self.normaliser,
            index,
            numbers,
            names,
            targets,
            self._augmentation(augment, seed),
            whole,
            self.channels_last,
        )

    def _augmentation(self, settings: Augment | None, seed: int) -> Augmentation | None:
        if settings is None:
            return None
        return Augmentation(settings, seed, self.pixels.size, self.pixels.ceiling)


def slice_numbers(settings: Input) -> Sequence[int] | None:
    """The numbers of the chosen slices, or None for all there are."""
    if settings.slices is None:
        return None
    return settings.slices.only if isinstance(settings.slices, Only) else range(*settings.slices)
