"""The loss of all studies: binary cross-entropy on logits, weighted, blind to unknown labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from triage.errors import UserError
from triage.training.settings import Loss


class Objective:
    """The loss that ``settings`` describe, with the class balance of the training part.

    ``targets`` [cases, outputs] are 0, 1 or NaN for unknown. The loss of a batch is the weighted
    mean over all known labels, sum(weight x element) / sum(weight), as torch's own weighted
    losses compute it. Raises UserError when weights are asked for and a class is absent.
    """

    def __init__(self, settings: Loss, targets: Tensor, outputs: Sequence[str]) -> None:
        positive = (targets == 1).sum(0)
        negative = (targets == 0).sum(0)
        weighted = settings.class_weights != "none" or settings.positive_weights != "none"
        if weighted:
            _require_both(positive, negative, outputs)
        known = positive + negative
        ones = torch.ones(targets.shape[1], device=targets.device)
        inverse = settings.class_weights == "inverse"
        self.weight_of_positive = negative / known if inverse else ones
        self.weight_of_negative = positive / known if inverse else ones
        balanced = settings.positive_weights == "balanced"
        self.factor_of_positive = negative / positive if balanced else None
        self.smoothing = settings.label_smoothing

    def weights(self, targets: Tensor) -> Tensor:
        """The weight of each label [cases, outputs]: 0 where it is unknown."""
        weights = torch.where(targets > 0.5, self.weight_of_positive, self.weight_of_negative)
        return torch.where(targets.isnan(), 0.0, weights)

    def elements(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each label before weighting [cases, outputs]; unknown labels count as 0."""
        targets = targets.nan_to_num(0.0)
        if self.smoothing:
            targets = targets * (1 - self.smoothing) + 0.5 * self.smoothing
        return functional.binary_cross_entropy_with_logits(
            logits.float(), targets, pos_weight=self.factor_of_positive, reduction="none"
        )


def _require_both(positive: Tensor, negative: Tensor, outputs: Sequence[str]) -> None:
    for i, name in enumerate(outputs):
        if not positive[i] or not negative[i]:
            raise UserError(
                f"class weights need cases with and without {name}; the training part has "
                f"{int(positive[i])} and {int(negative[i])}",
                where="recipe.loss",
                remedy="add cases, or set class_weights and positive_weights to none",
            )
