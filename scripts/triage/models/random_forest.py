"""scikit-learn's random forest on thumbnails and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from triage.constraints import Bins, Count, Depth, Thumbnail, Trees
from triage.models.floor import Features, Floats, Floor


class RandomForest(Floor):
    """Trees of one depth, whose nodes are numbered row by row; a node that was not split sends all
    to its left.

    ``feature`` and ``threshold`` [trees, nodes]: what is above goes to the right. ``leaf`` [trees,
    leaves, outputs]: the share of each class there.
    """

    feature: Tensor
    threshold: Tensor
    leaf: Tensor
    exclusive: Tensor

    def __init__(
        self, features: Features, outputs: int, trees: int, depth: int, least: int
    ) -> None:
        super().__init__(features)
        self.depth = depth
        self.least = least
        nodes = 2**depth - 1
        self.register_buffer("feature", torch.zeros(trees, nodes, dtype=torch.int64))
        self.register_buffer("threshold", torch.full((trees, nodes), torch.inf))
        self.register_buffer("leaf", torch.zeros(trees, nodes + 1, outputs))
        self.register_buffer("exclusive", torch.tensor(False))

    def judge(self, features: Tensor) -> Tensor:
        trees, leaves, outputs = self.leaf.shape
        place = torch.zeros(trees, len(features), dtype=torch.int64, device=features.device)
        for _ in range(self.depth):
            value = features.T.gather(0, self.feature.gather(1, place))
            place = 2 * place + 1 + (value > self.threshold.gather(1, place))
        reached = (place - (leaves - 1))[..., None].expand(-1, -1, outputs)
        shares = self.leaf.gather(1, reached).sum(0)
        # As if one more tree did not know: a class that no tree has seen there is not impossible.
        unsure = torch.where(self.exclusive, 1 / outputs, 0.5)
        present = (shares + unsure) / (trees + 1)
        return present.log() - torch.where(self.exclusive, 0, torch.log1p(-present))

    def fit(
        self, features: Floats, targets: Floats, exclusive: bool, seed: int, threads: int
    ) -> None:
        from sklearn.ensemble import RandomForestRegressor

        # The squared error of shares is Gini's impurity, of one class or of several at once. What
        # is unknown counts as the class's share among all that are known.
        known = ~np.isnan(targets)
        shares = (np.nan_to_num(targets).sum(0) + 0.5) / (known.sum(0) + 1)
        learnt = np.where(known, targets, shares)
        forest = RandomForestRegressor(
            len(self.leaf),
            max_depth=self.depth,
            min_samples_leaf=self.least,
            max_features="sqrt",
            random_state=seed,
            n_jobs=threads,
        ).fit(features, learnt.squeeze(1) if learnt.shape[1] == 1 else learnt)
        self.exclusive.fill_(exclusive)
        for number, each in enumerate(forest.estimators_):
            self._take(number, each.tree_)

    def _take(self, number: int, tree: Any) -> None:
        """Copy one of scikit-learn's trees, row by row; what is no node there is its leaf above."""
        at = np.zeros(1, np.int64)
        for level in range(self.depth):
            row = slice(2**level - 1, 2 ** (level + 1) - 1)
            left, right = tree.children_left[at], tree.children_right[at]
            is_split = left >= 0
            feature = np.where(is_split, tree.feature[at], 0)
            threshold = np.where(is_split, _rounded_down(tree.threshold[at]), np.inf)
            self.feature[number, row] = torch.from_numpy(feature)
            self.threshold[number, row] = torch.from_numpy(threshold)
            below = np.stack([left, right], axis=1)
            at = np.where(is_split[:, None], below, at[:, None]).reshape(-1)
        self.leaf[number] = torch.from_numpy(tree.value[at, :, 0])


def _rounded_down(thresholds: Floats) -> Floats:
    """In float32, so that the same float32 are above them."""
    found = thresholds.astype(np.float32)
    return np.where(found > thresholds, np.nextafter(found, np.float32(-np.inf)), found)


def build(
    name: str,
    channels: int,
    outputs: int,
    *,
    thumbnail: Thumbnail = 8,
    bins: Bins = 16,
    trees: Trees = 200,
    depth: Depth = 8,
    least: Count = 2,
) -> RandomForest:
    """``random_forest``: no network, but what one has to be ahead of.

    It sees thumbnails of ``thumbnail`` x ``thumbnail`` pixels and the shares of pixels in ``bins``
    ranges of intensity. ``trees`` have at most ``depth`` splits one below the other, and ``least``
    training images in each leaf.
    """
    return RandomForest(Features(channels, thumbnail, bins), outputs, trees, depth, least)
