"""Several processes on one run, as torchrun starts them; without it, one process is all.

Each process takes its share of every batch, so the batch, its order and its gradient are those of
one process. The first process writes the results.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

RANK = int(os.environ.get("RANK", "0"))
WORLD = int(os.environ.get("WORLD_SIZE", "1"))
IS_FIRST = RANK == 0


@contextmanager
def group(device: torch.device) -> Iterator[None]:
    """The processes joined for the time of the block."""
    if WORLD == 1:
        yield
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def local_device(kind: str) -> torch.device:
    """The device ``auto``, ``cpu`` or ``cuda`` of this process."""
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cpu":
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def share(start: int, end: int) -> tuple[int, int]:
    """This process's part of the rows from ``start`` to ``end``."""
    size = end - start
    return start + size * RANK // WORLD, start + size * (RANK + 1) // WORLD


def summed(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    if WORLD > 1:
        distributed.all_reduce(tensor)
    return tensor
