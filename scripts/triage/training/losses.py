"""The loss of all studies: binary cross-entropy on logits, weighted, blind to unknown labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from triage.command import log
from triage.errors import UserError
from triage.training.settings import Loss


class Objective:
    """The loss that ``settings`` describe, with the class balance of the training part.

    ``targets`` [cases, outputs] are 0, 1 or NaN for unknown. The loss of a batch is the weighted
    mean over all known labels, sum(weight x element) / sum(weight), as torch's own weighted
    losses compute it. One of several classes that is absent, or always there, stays unweighted,
    with a warning; raises UserError where weights are asked for and it is the only one.
    """

    def __init__(self, settings: Loss, targets: Tensor, outputs: Sequence[str]) -> None:
        positive = (targets == 1).sum(0)
        negative = (targets == 0).sum(0)
        if settings.class_weights != "none" or settings.pos_weight != "none":
            one_sided = (positive == 0) | (negative == 0)
            _report_one_sided(one_sided, outputs)
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


def _report_one_sided(one_sided: Tensor, outputs: Sequence[str]) -> None:
    names = [name for name, alone in zip(outputs, one_sided.tolist(), strict=True) if alone]
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
