"""Which epoch is kept, and when training stops."""

import math

import numpy as np
import pytest

from training_parts import LAST, same
from training_runs import cohort, dense, fit, recipe, samples
from triage.errors import UserError
from triage.training.loop import Trainer
from triage.training.selection import EarlyStopping, Selection
from triage.training.settings import Select, Stopping
from triage.training.state import Keeper


def test_early_stopping_keeps_the_best_weights(tmp_path):
    # Validation labels are the opposite, so that training makes it worse and worse.
    features, targets = cohort()
    val = samples(features, 1 - targets)
    changes = {"stopping": {"patience": 3}, "select": {"by": "loss"}, "epochs": 20}
    stopped = fit(dense(), tmp_path / "a", val=val, **changes)
    losses = [row["val_loss"] for row in stopped.history]
    assert len(losses) < 20
    assert stopped.epoch == 1 + int(np.argmin(losses)) == len(losses) - 3
    short = fit(dense(), tmp_path / "b", val=val, epochs=stopped.epoch, **LAST)
    assert same(stopped.weights, short.weights)


def stopping(**changes):
    return EarlyStopping(
        Stopping(**{"by": "loss", "patience": 2, "min_delta": 0.0, "min_epochs": 0} | changes)
    )


def test_stopping_waits_for_min_delta_and_min_epochs():
    plain, patient = stopping(min_delta=0.1), stopping(min_epochs=5)
    for epoch, loss in enumerate([1.0, 0.95, 0.92, 0.85], start=1):
        plain.observe({"val_loss": loss})
        patient.observe({"val_loss": 1.0})
        assert plain.stops(epoch) == (epoch == 3)
        assert not patient.stops(epoch)
    assert patient.stops(5)


def test_stopping_may_watch_another_score():
    watched = stopping(by="f1", patience=1)
    watched.observe({"val_loss": 1.0, "val_f1": 0.5})
    watched.observe({"val_loss": 2.0, "val_f1": 0.6})
    assert not watched.stops(2)
    watched.observe({"val_loss": 0.1, "val_f1": math.nan})
    assert watched.stops(3)


def test_equal_scores_are_decided_by_the_loss():
    selection = Selection(Select("accuracy"))
    rows = [(0.8, 0.5), (0.8, 0.4), (0.7, 0.1), (0.8, 0.4), (math.nan, 0.0)]
    better = [
        selection.improves(epoch, {"val_accuracy": accuracy, "val_loss": loss})
        for epoch, (accuracy, loss) in enumerate(rows)
    ]
    assert better == [True, True, False, False, False]
    assert selection.epoch == 1


def test_choosing_an_epoch_needs_validation(tmp_path):
    train = samples(*cohort())
    with pytest.raises(UserError, match="set it to last"):
        Trainer(dense(), train, None, recipe(), 1, ("a",), Keeper(tmp_path / "state"))
    assert fit(dense(), tmp_path, train, **LAST).epoch == 3


def test_choosing_by_auc_needs_both_classes_in_validation(tmp_path):
    features, _ = cohort()
    val = samples(features, np.ones((20, 1), np.float32))
    with pytest.raises(UserError, match="all validation cases are of one class"):
        fit(dense(), tmp_path, val=val, select={"by": "auc"})
    assert math.isnan(fit(dense(), tmp_path, val=val).history[0]["val_auc"])
