"""Where in an image a network finds what it calls positive."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

COVERED = 8  # places a side that are covered one by one
FINE = 5  # rows and columns; a small picture has no more than 2 or 3 in the last layers


def heatmaps(network: nn.Module, images: Tensor, output: int) -> Tensor:
    """How much each place speaks for logit number ``output``, from 0 up [n, h, w].

    ``images`` is one batch of the network's input: [n, channels, h, w], or one volume
    [1, n, channels, h, w]. Grad-CAM (Selvaraju et al., ICCV 2017, p. 618) on the last feature map
    whose places matter and are enough to point somewhere, be it of a convolution or of a
    transformer's tokens; a network without one gets the size of its input's gradient, and a model
    without gradients how much less it finds where a place is covered.
    """
    count, size = images.shape[-4], images.shape[-2:]
    inputs = images.detach().requires_grad_(True)
    # On a GPU the recurrent layers of cuDNN have no gradient in evaluation mode.
    with _evaluating(network), _feature_maps(network, count, size) as found, _without_cudnn():
        logits = network(inputs)[:, output]
        if not logits.requires_grad:
            return _occluded(network, images, output, logits)
        logit = logits.sum()
        found.sort(key=lambda each: min(_places(each, size).shape[2:]) >= FINE)  # stable
        maps = next(_maps(logit, found[::-1], size), None)  # the last of the fine ones first
        if maps is None:
            (gradient,) = torch.autograd.grad(logit, inputs)
            maps = gradient.flatten(0, -4).abs().amax(dim=1)
    maps = maps.detach()[:, None]
    return functional.interpolate(maps, size, mode="bilinear")[:, 0]


@torch.no_grad()
def _occluded(network: nn.Module, images: Tensor, output: int, logits: Tensor) -> Tensor:
    """How much a logit falls where a place shows its image's mean (Zeiler and Fergus, ECCV 2014,
    p. 818)."""
    maps = images.new_zeros(len(images), COVERED, COVERED)
    rows, columns = (torch.arange(side) * COVERED // side for side in images.shape[-2:])
    mean = images.mean((-2, -1), keepdim=True)
    for i in range(COVERED):
        for j in range(COVERED):
            place = ((rows == i)[:, None] & (columns == j)).to(images.device)
            covered = network(torch.where(place, mean, images))[:, output]
            maps[:, i, j] = (logits - covered).relu()
    return functional.interpolate(maps[:, None], images.shape[-2:], mode="bilinear")[:, 0]


def _maps(logit: Tensor, features: list[Tensor], size: Sequence[int]) -> Iterator[Tensor]:
    """The Grad-CAM [n, rows, columns] of each feature map that has a gradient in its places."""
    for each in features:
        (gradient,) = torch.autograd.grad(logit, each, retain_graph=True, allow_unused=True)
        if gradient is not None and (places := _places(gradient, size)).any():
            weights = places.mean(dim=(2, 3), keepdim=True)
            yield (weights * _places(each, size)).sum(dim=1).relu()


def _places(features: Tensor, size: Sequence[int]) -> Tensor:
    """Features of pictures of ``size`` as [n, channels, rows, columns].

    Of tokens the class token is left out.
    """
    if features.dim() == 4:
        return features.movedim(3, 1) if _ends_with_channels(features, size) else features
    side = int((features.shape[1] - 1) ** 0.5)
    return features[:, 1:].transpose(1, 2).unflatten(2, (side, side))


def _ends_with_channels(features: Tensor, size: Sequence[int]) -> bool:
    """Whether features are [n, rows, columns, channels]: rows and columns keep the picture's
    proportions."""
    first, second, third = (max(1, each) for each in features.shape[1:])
    wanted = math.log(size[0] / size[1])
    return abs(math.log(first / second) - wanted) < abs(math.log(second / third) - wanted)


@contextmanager
def _feature_maps(network: nn.Module, count: int, size: Sequence[int]) -> Iterator[list[Tensor]]:
    """A list that is filled, in a pass through ``network``, with the feature maps of the images."""
    found: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: object) -> None:
        if isinstance(output, Tensor) and len(output) == count and _has_places(output, size):
            # A frozen part of a network may work without gradients; what follows it has some.
            found.append(output if output.requires_grad else output.requires_grad_())

    handles = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _has_places(output: Tensor, size: Sequence[int]) -> bool:
    if output.dim() == 4:
        return min(_places(output, size).shape[2:]) > 1
    tokens = output.shape[1] - 1 if output.dim() == 3 else 0
    return tokens > 1 and int(tokens**0.5) ** 2 == tokens


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


@contextmanager
def _without_cudnn() -> Iterator[None]:
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before
