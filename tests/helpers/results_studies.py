"""Studies of each kind, and the pictures that each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from triage.task import Task

EXPLORED = ("counts.svg", "cases.png", "intensities.svg", "intensities_apart.png", "twins.png")
EXPLORED_VOLUMES = ("patients.png", "spots.png")
DRAWN = (
    *("curves.svg", "roc.svg", "precision_recall.svg", "reliability.svg", "scores.svg"),
    *("confusion.svg", "seeds.svg", "mistakes.png"),
)
DRAWN_PICTURES = ("votes.svg", "balancing.svg", "search.svg", "chain.svg")
DRAWN_VOLUMES = ("slices.svg",)


@dataclass(frozen=True)
class Study:
    """What kind of study it is.

    ``slices`` above 1 makes volumes of ``roles``; ``tested``: cases of a test part are labelled.
    """

    name: str
    classes: tuple[str, ...]
    roles: tuple[str, ...]
    slices: int
    task: Task = Task.BINARY
    channels: int = 3
    size: int = 64
    tested: bool = True

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.task.outputs(self.classes)

    @property
    def told(self) -> dict[str, Any]:
        return {"title": f"About {self.name}", "question": "What is it?", "limits": ["That it is."]}

    @property
    def pictures(self) -> list[str]:
        more = self.slices > 1
        explored = EXPLORED + EXPLORED_VOLUMES * more
        drawn = DRAWN + (DRAWN_VOLUMES if more else DRAWN_PICTURES)
        drawn += ("findings.svg",) * (self.task is Task.MULTILABEL)
        return [*(f"explore/{name}" for name in explored), *(f"figures/{name}" for name in drawn)]


BRAIN = Study("braintriage", ("normal", "abnormal"), ("T1", "T2", "T2-FLAIR"), 12)
LESIONS = Study("melanoma", ("NV", "MEL"), ("image",), 1)
CHEST = Study(
    "xray_heads",
    ("Effusion", "Mass", "No Finding"),
    ("image",),
    1,
    task=Task.MULTILABEL,
    channels=1,
)
SKIN = Study(
    "skin", ("nevus", "melanoma", "keratosis", "scar"), ("image",), 1, task=Task.MULTICLASS
)


def label_of(study: Study, i: int) -> str:
    if study.task is Task.MULTILABEL and i % 5 == 0:
        return "|".join(study.classes[:2])
    return study.classes[i % len(study.classes)]


def image_of(study: Study, rng: np.random.Generator, label: str) -> np.ndarray:
    """Something like a head [slices, channels, size, size], with a bright spot if positive."""
    y, x = np.mgrid[-1 : 1 : study.size * 1j, -1 : 1 : study.size * 1j]
    z = np.linspace(-0.8, 0.8, study.slices)[:, None, None] if study.slices > 1 else 0 * x[None]
    head = (x / 0.75) ** 2 + (y / 0.9) ** 2 + z**2 < 1
    brain = (x / 0.6) ** 2 + (y / 0.75) ** 2 + z**2 / 0.8 < 1
    tissue = 90 * head + 60 * brain + 20 * np.sin(9 * x + rng.uniform(0, 6)) * brain
    stack = np.stack([tissue * (1 - 0.2 * c) for c in range(study.channels)], axis=1)
    if label == study.classes[-1]:
        cy, cx, cz = rng.uniform(-0.4, 0.4, 3)
        spot = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2 < 0.02
        stack += 80 * spot[:, None]
    stack += np.abs(rng.normal(0, 8, stack.shape))
    return np.clip(stack, 0, 255).astype(np.int16 if study.slices > 1 else np.uint8)
