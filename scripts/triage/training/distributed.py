"""Several processes on one run, as torchrun starts them; without it, one process is all.

Each process takes its share of every batch, so the batch, its order and its gradient are those of
one process. The first process writes the results.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor, distributed

from triage import process
from triage.command import log
from triage.errors import UserError
from triage.training import gpus

RANK = int(os.environ.get("RANK", "0"))
WORLD = int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def group(device: torch.device) -> Iterator[None]:
    """The processes joined for the time of the block."""
    if WORLD == 1:
        yield
        return
    process.end_with_parent()  # else it would train on, beside the next start of the job
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def claim(kind: str, count: int = 1) -> None:
    """Take ``count`` GPUs for this process alone, unless it works for a process that has them.

    Must come before CUDA is used: then it is too late to choose.
    """
    if kind != "cpu" and "LOCAL_RANK" not in os.environ:
        gpus.lease(max(1, count), _gpus_there())


def _gpus_there() -> int:
    """How many GPUs there are to choose from, found out without CUDA in this process: it reads
    CUDA_VISIBLE_DEVICES when it starts, and then it is too late to choose."""
    if torch.version.hip or not torch.backends.cuda.is_built():
        return torch.cuda.device_count()
    if not _has_driver():
        return 0
    if gpus.VISIBLE in os.environ:
        return len(gpus.choice(os.environ, 0))
    return _counted_apart()


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")  # loaded, not started
    except OSError:
        return False
    return True


def _counted_apart() -> int:
    """The number of GPUs, by another process: torch may start CUDA to find out."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(torch.cuda.device_count).result()


def launch(count: int) -> None:
    """Where ``count`` processes are wanted, become torchrun, which starts this program in each.

    Returns in those processes, and where one is enough.
    """
    if count > 1 and "LOCAL_RANK" not in os.environ:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        os.execv(sys.executable, [sys.executable, *launcher, *sys.argv])


def local_device(kind: str) -> torch.device:
    """The device ``auto``, ``cpu`` or ``cuda`` of this process.

    Raises UserError where a GPU is asked for and none can be used.
    """
    if kind == "cpu" or (kind == "auto" and not _finds_gpu()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            f"no GPU can be used ({_why_not()})",
            where="--device cuda",
            remedy="look with nvidia-smi whether there is one, install a torch that is built for "
            "its driver's CUDA (pytorch.org), or take --device cpu",
        )
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def _finds_gpu() -> bool:
    if torch.cuda.is_available():
        return True
    if there := torch.cuda.device_count():
        message = "warning: of %d GPU(s) none can be used (%s): the processor is, which is slower"
        log.warning(message, there, _why_not())
    return False


def _why_not() -> str:
    try:
        torch.cuda.init()
    except Exception as error:  # whatever torch and the driver say
        return str(error).splitlines()[0]
    return "torch does not say why"


def is_main_process() -> bool:
    """Whether this process is the one that writes."""
    return RANK == 0


def share(start: int, end: int) -> tuple[int, int]:
    """This process's part of the rows from ``start`` to ``end``."""
    size = end - start
    return start + size * RANK // WORLD, start + size * (RANK + 1) // WORLD


def all_reduce(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place."""
    if WORLD > 1:
        distributed.all_reduce(tensor)
    return tensor
