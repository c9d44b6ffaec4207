"""Networks applied to samples, without learning."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from triage.errors import UserError
from triage.training import balance, distributed
from triage.training.precision import Autocast
from triage.training.samples import Samples, batches

AT_ONCE = 64  # images, at least


@torch.inference_mode()
def predict(
    network: nn.Module,
    samples: Samples,
    batch: int,
    autocast: Autocast,
    after_batch: Callable[[], None] = lambda: None,
) -> Tensor:
    """The logits [samples, outputs] of ``network`` in evaluation mode, in the samples' order.

    ``batch`` samples are taken at once, or more where they are small.
    """
    was_training = network.training
    network.eval()
    logits = torch.zeros(samples.targets.shape, device=samples.targets.device)
    size = max(batch, AT_ONCE // samples.images_each)
    shares = [distributed.share(*bounds) for bounds in batches(0, len(samples), size)]
    bounds = [(start, end) for start, end in shares if start < end]
    plan = balance.in_order(len(samples))
    inputs = samples.batches(plan, bounds, None)
    for (start, end), part in zip(bounds, inputs, strict=True):
        with autocast():
            logits[start:end] = network(part)
        after_batch()
    network.train(was_training)
    return distributed.all_reduce(logits)


@torch.inference_mode()
def refuse_misfit(network: nn.Module, samples: Samples) -> None:
    """Raise UserError where a library's network can't take the first of ``samples``."""
    (batch,) = samples.batches(balance.in_order(1), [(0, 1)], None)
    try:
        network.eval()(batch)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        shape = " x ".join(map(str, batch.shape[1:]))
        raise UserError(
            f"the network can't take images of {shape} ({str(error).splitlines()[0]})",
            where="recipe.model.options",
            remedy="another network, or larger images: images.size, input.resize, input.slices",
        ) from error


@torch.inference_mode()
def features(network: nn.Module, samples: Samples, draw: int | None) -> Tensor:
    """The feature vectors [samples, slices, width] of volumes, on the CPU.

    ``network`` is a slice network in evaluation mode. ``draw`` is the number of an augmented
    draw, or None for the volumes as they are.
    """
    apply = cast(Callable[[Tensor], Tensor], network.features)
    found = []
    bounds = batches(0, len(samples), max(1, AT_ONCE // samples.images_each))
    plan = balance.in_order(len(samples), augmented=draw is not None)
    for part in samples.batches(plan, bounds, draw):
        found.append(apply(part.flatten(0, 1)).unflatten(0, part.shape[:2]).cpu())
    return torch.cat(found)
