"""scikit-learn's logistic regression on thumbnails and histograms."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from triage.constraints import Bins, Positive, Thumbnail
from triage.models.floor import Features, Floats, Floor

UNSEEN = -20.0  # the logit of a class without training images, or of one that all have not


class LogisticRegression(Floor):
    """A weight for each feature and class: ``weight`` [outputs, width], ``bias`` [outputs]."""

    weight: Tensor
    bias: Tensor

    def __init__(self, features: Features, outputs: int, penalty: float) -> None:
        super().__init__(features)
        self.penalty = penalty
        self.register_buffer("weight", torch.zeros(outputs, features.width))
        self.register_buffer("bias", torch.zeros(outputs))

    def judge(self, features: Tensor) -> Tensor:
        return functional.linear(features, self.weight, self.bias)

    def fit(
        self, features: Floats, targets: Floats, exclusive: bool, seed: int, threads: int
    ) -> None:
        mean, deviation = features.mean(0, dtype=float), features.std(0, dtype=float)
        deviation[deviation < 1e-6] = np.inf  # what is the same everywhere says nothing
        scaled = (features - mean) / deviation
        if exclusive:
            known = ~np.isnan(targets).any(1)
            found = [self._fitted(scaled[known], targets[known].argmax(1), targets.shape[1])]
        else:
            known_of = ~np.isnan(targets).T
            pairs = [
                self._fitted(scaled[known], column[known], 2)
                for known, column in zip(known_of, targets.T, strict=True)
            ]
            found = [(weight[1:] - weight[:1], bias[1:] - bias[:1]) for weight, bias in pairs]
        weight = np.concatenate([each for each, _ in found]) / deviation
        bias = np.concatenate([each for _, each in found])
        self.weight.copy_(torch.from_numpy(weight))
        self.bias.copy_(torch.from_numpy(bias - weight @ mean))

    def _fitted(self, features: Floats, labels: Floats, classes: int) -> tuple[Floats, Floats]:
        """Weights [classes, width] and biases [classes] for labels from 0 to ``classes``."""
        from sklearn.linear_model import LogisticRegression as Model

        weight, bias = np.zeros((classes, features.shape[1])), np.full(classes, UNSEEN)
        present = np.unique(labels).astype(int)
        bias[present] = 0
        if len(present) > 1:
            model = Model(C=1 / self.penalty, max_iter=1000).fit(features, labels)
            chosen = present if len(present) > 2 else present[1:]
            weight[chosen], bias[chosen] = model.coef_, model.intercept_
        return weight, bias


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    thumbnail: Thumbnail = 8,
    bins: Bins = 16,
    penalty: Positive = 10.0,
) -> LogisticRegression:
    """``logistic_regression``: no network, but what one has to be ahead of.

    It sees thumbnails of ``thumbnail`` x ``thumbnail`` pixels and the shares of pixels in ``bins``
    ranges of intensity; ``penalty`` weighs the squares of its weights, of scaled features.
    """
    return LogisticRegression(Features(channels, thumbnail, bins), outputs, penalty)
