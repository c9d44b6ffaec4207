"""The losses: cross-entropy on logits, of each class for itself or of classes that exclude each
other; weighted, blind to unknown labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from triage.command import log
from triage.errors import UserError
from triage.task import Task
from triage.training.settings import Loss


@dataclass(frozen=True)
class Labels:
    """Targets [rows, outputs], and the weight of each, or of each row, [rows, 1]."""

    targets: Tensor
    weights: Tensor

    def rows(self, chosen: Tensor | slice) -> Labels:
        return Labels(self.targets[chosen], self.weights[chosen])


class Objective(Protocol):
    """What is minimised: the weighted mean over all known labels of a batch,
    sum(weight x element) / sum(weight), as torch's own weighted losses compute it.

    ``targets`` [cases, outputs] are 0, 1 or NaN for unknown.
    """

    def weights(self, targets: Tensor) -> Tensor:
        """The weight of each label [cases, outputs] (or case, [cases, 1]): 0 where unknown."""

    def elements(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each label or case before weighting; of unknown ones any finite number."""

    def right(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """How many of the known labels or cases are called rightly, and how many there are."""


def objective_for(task: Task, settings: Loss, targets: Tensor, outputs: Sequence[str]) -> Objective:
    """The objective of a task, with the class balance of the training part ``targets``."""
    kind = Exclusive if task is Task.MULTICLASS else Independent
    return kind(settings, targets, outputs)


def mean_loss(objective: Objective, logits: Tensor, targets: Tensor) -> float:
    """The mean loss of logits [cases, outputs], weighted as the objective does."""
    weights = objective.weights(targets)
    return float((objective.elements(logits, targets) * weights).sum() / weights.sum())


class Exclusive:
    """Softmax cross-entropy: each case has one of the classes ``outputs``.

    With inverse weights a case weighs cases / (classes x cases of its class). A class without
    training cases stays unweighted, with a warning.
    """

    def __init__(self, settings: Loss, targets: Tensor, outputs: Sequence[str]) -> None:
        self.weight_of = torch.ones(targets.shape[1], device=targets.device)
        if settings.class_weights == "inverse":
            counts = (targets == 1).sum(0)
            _report(counts == 0, outputs)
            self.weight_of = torch.where(
                counts > 0, counts.sum() / (len(counts) * counts.clamp(min=1)), 1.0
            )
        self.smoothing = settings.label_smoothing

    def weights(self, targets: Tensor) -> Tensor:
        return (targets.nan_to_num(0.0) @ self.weight_of)[:, None]

    def elements(self, logits: Tensor, targets: Tensor) -> Tensor:
        true = targets.nan_to_num(0.0).argmax(1)
        weighted = functional.cross_entropy(
            logits.float(),
            true,
            self.weight_of,
            label_smoothing=self.smoothing,
            reduction="none",
        )
        return (weighted / self.weight_of[true])[:, None]

    def right(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        known = ~targets.isnan().any(1)
        called = logits.argmax(1) == targets.nan_to_num(0.0).argmax(1)
        return (called & known).sum(), known.sum()


class Independent:
    """Binary cross-entropy of each class for itself, with the class balance of the training part.

    One of several classes that is absent, or always there, stays unweighted, with a warning;
    raises UserError where weights are asked for and it is the only one.
    """

    def __init__(self, settings: Loss, targets: Tensor, outputs: Sequence[str]) -> None:
        positive = (targets == 1).sum(0)
        negative = (targets == 0).sum(0)
        if settings.class_weights != "none" or settings.pos_weight != "none":
            one_sided = (positive == 0) | (negative == 0)
            _report(one_sided, outputs)
            # Equal counts give equal weights.
            positive = torch.where(one_sided, 1, positive)
            negative = torch.where(one_sided, 1, negative)
        known = positive + negative
        ones = torch.ones(targets.shape[1], device=targets.device)
        inverse = settings.class_weights == "inverse"
        self.weight_of_positive = negative / known if inverse else ones
        self.weight_of_negative = positive / known if inverse else ones
        balanced = settings.pos_weight == "balanced"
        self.factor_of_positive = negative / positive if balanced else None
        self.smoothing = settings.label_smoothing

    def weights(self, targets: Tensor) -> Tensor:
        weights = torch.where(targets > 0.5, self.weight_of_positive, self.weight_of_negative)
        return torch.where(targets.isnan(), 0.0, weights)

    def elements(self, logits: Tensor, targets: Tensor) -> Tensor:
        targets = targets.nan_to_num(0.0)
        if self.smoothing:
            targets = targets * (1 - self.smoothing) + 0.5 * self.smoothing
        return functional.binary_cross_entropy_with_logits(
            logits.float(), targets, pos_weight=self.factor_of_positive, reduction="none"
        )

    def right(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        known = ~targets.isnan()
        called = (logits > 0) == (targets > 0.5)
        return (called & known).sum(), known.sum()


def _report(absent: Tensor, outputs: Sequence[str]) -> None:
    names = [name for name, alone in zip(outputs, absent.tolist(), strict=True) if alone]
    if not names:
        return
    what = f"the training part has no case with, or none without, {', '.join(names)}"
    if len(outputs) == 1:
        raise UserError(
            f"{what}; class weights need both",
            where="recipe.loss",
            remedy="add cases, or set class_weights and pos_weight to none",
        )
    log.warning("%s: not weighted", what)
