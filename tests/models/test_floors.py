"""What networks have to be ahead of: as scikit-learn has them, in tensors."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from triage.figures.heatmaps import heatmaps
from triage.models import FLOORS, ModelSettings, build
from triage.task import Task

OPTIONS = {"random_forest": {"trees": 20, "depth": 3}, "logistic_regression": {}}


def pictures(count, classes=2, seed=0):
    """Noise with a bright square, whose place says the class."""
    random = np.random.default_rng(seed)
    images = random.normal(100, 30, (count, 1, 24, 20)).astype(np.float32)
    labels = random.integers(0, classes, count)
    for image, label in zip(images, labels, strict=True):
        image[0, 5:10, 5 * label : 5 * label + 5] += 40
    return torch.from_numpy(images), labels


def fitted(name, images, targets, exclusive=False, seed=1):
    torch.manual_seed(0)
    floor = build(ModelSettings(name, "none", OPTIONS[name]), 1, targets.shape[1])
    floor.features.look(images)
    floor.fit(floor.features(images).numpy(), targets, exclusive, seed, 1)
    return floor


def test_features_are_thumbnails_and_shares_of_intensities():
    images, _ = pictures(50)
    floor = build(ModelSettings("logistic_regression", "none", {"thumbnail": 4, "bins": 5}), 1, 1)
    floor.features.look(images)
    small, shares = floor.features(images).split([16, 5], dim=1)
    assert small.mean() == pytest.approx(float(images.mean()), rel=0.02)
    assert shares.sum(1).tolist() == pytest.approx([1] * 50)
    assert shares.mean(0).tolist() == pytest.approx([0.2] * 5, abs=0.01)
    edges = [-np.inf, *floor.features.edges[:, 0].tolist(), np.inf]
    counted = np.histogram(images[0].numpy(), edges)[0] / images[0].numel()
    assert shares[0].tolist() == pytest.approx(counted.tolist(), abs=1e-3)


def test_the_forest_is_that_of_scikit_learn():
    images, labels = pictures(120)
    floor = fitted("random_forest", images, labels[:, None].astype(float))
    features = floor.features(images).numpy()
    forest = RandomForestRegressor(
        20, max_depth=3, min_samples_leaf=2, max_features="sqrt", random_state=1
    ).fit(features, labels)
    expected = (forest.predict(features) * 20 + 0.5) / 21
    found = torch.sigmoid(floor(images)[:, 0])
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_logistic_regression_is_that_of_scikit_learn():
    images, labels = pictures(120, classes=3)
    targets = np.eye(3)[labels]
    floor = fitted("logistic_regression", images, targets, exclusive=True)
    features = StandardScaler().fit_transform(floor.features(images).numpy())
    model = LogisticRegression(C=0.1, max_iter=1000).fit(features, labels)
    found = Task.MULTICLASS.probabilities(Task.MULTICLASS.logits(floor(images).double().numpy()))
    assert found == pytest.approx(model.predict_proba(features), abs=1e-3)


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize("task", Task)
def test_floors_learn_every_task_with_unknown_labels(name, task):
    classes = 2 if task is Task.BINARY else 3
    images, labels = pictures(200, classes)
    targets = np.eye(classes)[labels] if classes == 3 else labels[:, None].astype(float)
    known = targets.copy()
    if task is not Task.MULTICLASS:
        known[::5] = np.nan
    floor = fitted(name, images, known, task is Task.MULTICLASS)
    again = fitted(name, images, known, task is Task.MULTICLASS)
    new, truth = pictures(200, classes, seed=9)
    logits = floor(new)
    assert torch.equal(logits, again(new))
    found = task.probabilities(task.logits(logits.double().numpy()))
    assert ((found > 0) & (found < 1)).all()
    for column in range(targets.shape[1]):
        positive = truth == (1 if task is Task.BINARY else column)
        assert roc_auc_score(positive, found[:, column]) > 0.75
    if task is Task.MULTICLASS:
        assert np.exp(logits.numpy()).sum(1) == pytest.approx(1) or name != "random_forest"


@pytest.mark.parametrize("name", FLOORS)
def test_floors_have_heat_maps(name):
    images, labels = pictures(100)
    floor = fitted(name, images, labels[:, None].astype(float))
    maps = heatmaps(floor, images[labels == 1][:2], 0)
    assert maps.shape == (2, 24, 20)
    assert maps.min() >= 0
    assert maps[:, 5:10, 5:10].mean() > maps[:, 12:].mean()


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize("exclusive", [False, True])
def test_a_class_without_training_images_is_never_likely(name, exclusive):
    images, labels = pictures(60)
    targets = np.eye(3)[labels]
    found = torch.softmax(fitted(name, images, targets, exclusive)(images), dim=1)
    assert (found[:, 2] < found[:, :2].amax(1) / 2).all()
