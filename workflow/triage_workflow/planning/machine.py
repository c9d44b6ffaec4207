"""How large a network and a batch may be: by the number of images, and by this machine's memory."""

from __future__ import annotations

import os
import subprocess

from triage_workflow.planning.block import Because

# Bytes that training in float32 keeps of a pixel of an image (measured at 64 and 224 pixels),
# and of weights with gradients and Adam's means.
NEEDS = {"resnet18": (450, 179e6), "resnet34": (660, 341e6), "resnet50": (1770, 376e6)}
ENOUGH = {"resnet18": 0, "resnet34": 5_000, "resnet50": 50_000}  # images to train on
SHARE = 0.25  # of the memory that a batch may take: there is more than images and weights
LEAST, MOST = 4, 64  # images of a batch, where memory lets
STEPS = 20  # batches of an epoch, at least


def memory() -> float:
    """The bytes that training can have: those of the first GPU or else of this machine."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return float(found.stdout.split()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def network(images: int, side: int, memory: float) -> tuple[Because, Because]:
    """The architecture and the batch size for so many images of ``side`` pixels, with reasons."""
    fitting = [name for name in NEEDS if images >= ENOUGH[name] and _room(name, side, memory) >= 8]
    chosen = fitting[-1] if fitting else next(iter(NEEDS))
    room, few = _room(chosen, side, memory), max(LEAST, images / STEPS)
    batch = 1
    while batch * 2 <= min(MOST, room, few):
        batch *= 2
    reason = (
        f"{STEPS} batches an epoch" if few < room else f"fits {memory / 2**30:.0f} GB of memory"
    )
    if batch == MOST:
        reason = f"more is rarely better; {memory / 2**30:.0f} GB of memory would hold it"
    return (
        Because(chosen, f"{images} images of {side} pixels a side"),
        Because(batch, reason),
    )


def _room(name: str, side: int, memory: float) -> float:
    """The images of a batch that fit."""
    of_pixel, of_weights = NEEDS[name]
    return (SHARE * memory - of_weights) / (of_pixel * side**2)
