"""What the training images are like in a few numbers, so that an image unlike them is noticed.

Each number of a new image is compared with the range that it has among the training images. The
check finds what was never shown to the network: another kind of picture, inverted or wrongly
scaled grey values, a turned head. It does not find an unusual patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triage.data.image_store import Images

Stack = npt.NDArray[np.generic]
Template = tuple[tuple[float, ...], ...]

MOST_CASES = 400  # that the ranges are taken from
SLACK = 0.5  # of a range, by which an image may lie outside of it
LEAST = 0.02  # of the value itself, where training images are all alike
SIDE, SLICES = 64, 8  # pixels and slices that are looked at, at most
CELLS = 8  # of the mean image, along a side


@dataclass(frozen=True)
class Reference:
    """Of the training images: the ``ranges`` (lowest, highest) of each number by its name, and the
    mean image of CELLS x CELLS cells a channel, as ``template`` [channels][cells].
    """

    ranges: dict[str, tuple[float, float]]
    template: Template

    @classmethod
    def of(cls, images: Images, cases: Sequence[str]) -> Reference:
        """The reference of these cases, or of MOST_CASES of them, evenly spread."""
        looks = [_Look(images.stack(case)) for case in evenly(cases)]
        total = np.sum([look.cells for look in looks], axis=0)
        # Each is compared with the mean of the others, as a new one is.
        others = max(1, len(looks) - 1)
        numbers = [look.numbers((total - look.cells) / others) for look in looks]
        ranges = {
            name: (min(each[name] for each in numbers), max(each[name] for each in numbers))
            for name in numbers[0]
        }
        template = total / len(looks)
        return cls(ranges, tuple(tuple(map(float, channel)) for channel in template))

    def unlike(self, stack: Stack) -> list[str]:
        """In words, what of a case [slices, channels, height, width] is out of range.

        Empty where nothing is, and where there are other channels than the reference has.
        """
        if stack.shape[1] != len(self.template):
            return [f"{stack.shape[1]} channels; training images have {len(self.template)}"]
        found = _Look(stack).numbers(np.array(self.template))
        return [
            f"{name} {found[name]:.4g}; training images have {low:.4g} to {high:.4g}"
            for name, (low, high) in self.ranges.items()
            if not _is_near(found[name], low, high)
        ]


def evenly(cases: Sequence[str]) -> list[str]:
    """These cases, or MOST_CASES of them, evenly spread."""
    chosen = sorted(cases)
    if len(chosen) > MOST_CASES:
        places = np.linspace(0, len(chosen) - 1, MOST_CASES).round().astype(int)
        chosen = [chosen[place] for place in places]
    return chosen


def _is_near(value: float, low: float, high: float) -> bool:
    slack = max(SLACK * (high - low), LEAST * max(abs(low), abs(high)))
    return low - slack <= value <= high + slack


class _Look:
    """A case, thinned out."""

    def __init__(self, stack: Stack) -> None:
        self.shape = stack.shape
        slices, _, height, width = stack.shape
        chosen = np.unique(np.linspace(0, slices - 1, min(slices, SLICES)).round().astype(int))
        down, across = (max(1, -(-side // SIDE)) for side in (height, width))
        self.pixels = stack[chosen][:, :, ::down, ::across].astype(np.float64)
        self.cells = np.stack([_cells(plane) for plane in self.pixels.mean(axis=0)])

    def numbers(self, template: npt.NDArray[np.float64]) -> dict[str, float]:
        """The numbers that are compared: of the whole, and of each channel."""
        slices, channels, height, width = self.shape
        found = {"slices": float(slices), "height": float(height), "width": float(width)}
        for channel in range(channels):
            values = self.pixels[:, channel]
            low, high = np.percentile(values, (1, 99))
            name = f"channel {channel + 1}: " if channels > 1 else ""
            found |= {
                f"{name}mean": float(values.mean()),
                f"{name}std": float(values.std()),
                f"{name}darkest": float(low),
                f"{name}brightest": float(high),
                f"{name}roughness": _roughness(values),
                f"{name}likeness to the mean image": _likeness(
                    self.cells[channel], template[channel]
                ),
            }
        if channels > 1:
            found["colour"] = float(np.ptp(self.pixels.mean(axis=(0, 2, 3))))
        return found


def _cells(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The means of CELLS x CELLS parts of an image."""
    rows = [part.mean(axis=0) for part in np.array_split(plane, CELLS)]
    return np.array([part.mean() for row in rows for part in np.array_split(row, CELLS)])


def _roughness(values: npt.NDArray[np.float64]) -> float:
    """How much neighbours differ, as a share of their std: near 1 for noise, 0 for a blur."""
    std = values.std()
    return float(np.abs(np.diff(values, axis=-1)).mean() / std) if std else 0.0


def _likeness(cells: npt.NDArray[np.float64], template: npt.NDArray[np.float64]) -> float:
    """The correlation of an image's cells with those of the mean image."""
    if not (np.ptp(cells) and np.ptp(template)):
        return 0.0
    return float(np.corrcoef(cells, template)[0, 1])
