"""Options of the training step: memory format, precision, optimizer kernel, compilation."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

import bench
import training
from triage.models import ModelSettings

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "not channels-last": {"channels_last": False},
    "bfloat16": {"precision": "bfloat16"},
    "compiled": {"compile": True},
}
NETWORKS = {
    "resnet18": (ModelSettings("resnet18"), 3, 128, 16),
    "cnn5": (ModelSettings("cnn5", options={"size": 128}), 1, 128, 32),
}


def steps(made: training.Training, window: Any) -> Callable[[], None]:
    return partial(made.resident, window)


def optimizers() -> list[tuple[object, ...]]:
    """Adam's step alone, on the weights of resnet18."""
    from triage.models import build
    from triage.training import optimizers as own

    network = build(ModelSettings("resnet18"), 3, 1)
    weights = list(network.parameters())
    for each in weights:
        each.grad = torch.randn_like(each)
    settings = training.recipe("braintriage", "resnet18").optimizer
    ours = own.make(weights, settings)
    loop = torch.optim.Adam(weights, lr=1e-9, foreach=False)
    together = torch.optim.Adam(weights, lr=1e-9, foreach=True)
    contestants = {
        "fused (ours)": lambda: own.step(ours, 1e-9, torch.zeros(())),
        "torch, foreach": together.step,
        "torch, a loop": loop.step,
    }
    times = bench.interleaved(contestants, rounds=9)
    first = times["fused (ours)"]
    return [
        (name, 1e3 * each.processor_seconds, bench.ratio(each, first, "processor"))
        for name, each in times.items()
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=64)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--device", default="cpu")
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--compiled", action="store_true", help="takes minutes; needs a compiler")
    arguments = options.parse_args()
    on = "processor" if arguments.device == "cpu" and arguments.threads == 1 else "wall"
    rows: list[tuple[object, ...]] = []
    for network, (model, channels, size, batch) in NETWORKS.items():
        contestants = {}
        for name, changes in VARIANTS.items():
            if name == "compiled" and not arguments.compiled:
                continue
            recipe = training.recipe(
                "braintriage", "resnet18", model=model, batch_size=batch, **changes
            )
            made = training.prepare(
                recipe, arguments.images, channels, size, arguments.threads, arguments.device
            )
            contestants[name] = steps(made, next(made.windows()))
            contestants[name]()  # compiles, and finds its kernels
        times = bench.interleaved(contestants, arguments.rounds)
        for name, each in times.items():
            gain = bench.ratio(times["default"], each, on)
            rows.append((network, name, arguments.images / each.seconds, gain))
    bench.report(
        "step",
        "The step: options",
        f"Steps on one batch that is there already, on {arguments.device}, {arguments.threads}"
        " thread(s). Speed against the default: channels-last, float32, not compiled.",
        bench.table(["network", "option", "images/s", "speed"], rows),
        "Adam's step alone, on the weights of resnet18:",
        bench.table(["kernel", "ms on a processor", "against ours"], optimizers()),
    )


if __name__ == "__main__":
    main()
