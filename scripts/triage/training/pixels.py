"""Images as batches on the device, from shards on disk.

Where they fit, the images of a run are read once into one integer tensor on the device, and a
batch is an index into it. Where they do not, each batch is gathered from the memory-mapped shards
by a thread that reads ahead. Nothing loops over single images.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from triage.command import log
from triage.training.settings import Input

Integers = NDArray[np.int64]

CHUNK = 64 << 20  # bytes read at once
PREFETCHED = 3  # batches that are read before they are asked for
SHARE_OF_MEMORY = 0.5  # of what is free, for images that stay in memory
UNBOUND = 1 << 62


class Source(Protocol):
    """What is needed of the image store."""

    def read(self, positions: Integers, size: tuple[int, int]) -> NDArray[np.generic]:
        """The images [n, channels, height, width] at ``positions``, centred, of ``size``."""


class Pixels:
    """The images at ``positions`` of a store, as the settings of the input want them.

    ``size`` is (height, width) of what ``batch`` gives; ``stored`` that of the largest image.
    """

    def __init__(
        self,
        source: Source,
        positions: Integers,
        stored: tuple[int, int],
        settings: Input,
        device: torch.device,
        share: float = SHARE_OF_MEMORY,
    ) -> None:
        self.source = source
        self.positions = positions
        self.device = device
        self.cut = _cut(stored, settings.crop)
        self.size = (settings.resize, settings.resize) if settings.resize else self.cut
        # Enlarged images are enlarged batch by batch, since they take more memory than before.
        self.kept = min(self.size, self.cut, key=math.prod)
        sample = self._read(positions[:1])
        self.channels = sample.shape[1]
        self.ceiling = 255.0 if sample.dtype == torch.uint8 else None
        self.is_unsigned = source.read(positions[:1], self.cut).dtype == np.uint16
        needed = sample.nbytes * len(positions)
        self.resident = needed <= share * free_memory(device)
        self.images = self._read_all(sample) if self.resident else None
        if not self.resident:
            log.info("images need %.1f GB: read from disk batch by batch", needed / 1e9)

    def __len__(self) -> int:
        return len(self.positions)

    def batches(self, indices: list[Integers]) -> Iterator[Tensor]:
        """For each index into ``positions`` the images [n, channels, height, width], as floats."""
        if self.images is not None:
            for part in moved(indices, self.device):
                yield self._finished(self.images.index_select(0, part))
            return
        for images in _prefetch(self._fetch, indices):
            yield self._finished(images.to(self.device, non_blocking=True))

    def _fetch(self, index: Integers) -> Tensor:
        images = self._read(self.positions[index])
        return images.pin_memory() if self.device.type == "cuda" else images

    def _read(self, positions: Integers) -> Tensor:
        """Images as they are kept: the store's integers, cut out, made smaller if asked for."""
        images = self.source.read(positions, self.cut)
        if images.dtype == np.uint16:
            images = images.view(np.int16)  # torch does little with uint16; undone in _finished
        tensor = torch.from_numpy(np.ascontiguousarray(images))
        if self.kept == self.cut:
            return tensor
        shrunk = resized(_as_floats(tensor, images.dtype == np.uint16), self.kept)
        return shrunk.round().to(tensor.dtype) if not tensor.is_floating_point() else shrunk

    def _read_all(self, sample: Tensor) -> Tensor:
        shape = (len(self.positions), *sample.shape[1:])
        images = torch.empty(shape, dtype=sample.dtype, device=self.device)
        step = max(1, CHUNK // sample.nbytes)
        for start in range(0, len(self.positions), step):
            part = self._read(self.positions[start : start + step])
            images[start : start + step].copy_(part)
        return images

    def _finished(self, images: Tensor) -> Tensor:
        images = _as_floats(images, self.is_unsigned)
        return images if self.size == self.kept else resized(images, self.size)


def moved(indices: list[Integers], device: torch.device) -> tuple[Tensor, ...]:
    """The indices on ``device``, in one go: the program would wait for each."""
    everything = np.concatenate(indices) if indices else np.empty(0, np.int64)
    return torch.from_numpy(everything).to(device).split([len(each) for each in indices])


def free_memory(device: torch.device) -> int:
    """Bytes that are free for a process of this job: of the GPU, or of the machine."""
    if device.type == "cuda":
        # What torch keeps for later use is free for what it makes next.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(_free_of_machine(), _free_of_groups()) // processes


def _free_of_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        amounts = dict(line.split(":", 1) for line in lines)
        return int(amounts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 4 << 30  # not Linux: a cautious guess


def _free_of_groups() -> int:
    """What the control groups leave, by which schedulers and containers bound a job's memory."""
    root = Path("/sys/fs/cgroup")
    try:
        entries = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return UNBOUND
    own = next((each.removeprefix("0::/") for each in entries if each.startswith("0::/")), "")
    group = root / own
    enclosing = [each for each in (group, *group.parents) if root in (each, *each.parents)]
    return min(map(_free_of_group, enclosing), default=UNBOUND)


def _free_of_group(group: Path) -> int:
    try:
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return UNBOUND
    return UNBOUND if limit == "max" else int(limit) - used


def _cut(stored: tuple[int, int], crop: int | None) -> tuple[int, int]:
    return stored if crop is None else (min(stored[0], crop), min(stored[1], crop))


def _as_floats(images: Tensor, is_unsigned: bool) -> Tensor:
    if is_unsigned:
        images = images.to(torch.int32) & 0xFFFF
    return images.float()


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images [n, channels, height, width] of another size, smoothed where they shrink."""
    return functional.interpolate(
        images, size, mode="bilinear", align_corners=False, antialias=True
    )


def _prefetch(fetch: Callable[[Integers], Tensor], indices: list[Integers]) -> Iterator[Tensor]:
    """The results of ``fetch`` in order, fetched ahead by a thread."""
    waiting: deque[Future[Tensor]] = deque()
    with ThreadPoolExecutor(1) as thread:
        try:
            for index in indices:
                waiting.append(thread.submit(fetch, index))
                if len(waiting) > PREFETCHED:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            thread.shutdown(cancel_futures=True)
