"""Rows and comparisons that tests of training share."""

import torch

from triage.training.settings import Balance

LAST = {"select": {"by": "last"}}
SGD = {"optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.0, "momentum": 0.9}}


def same(first, second):
    return all(first[name].equal(each) for name, each in second.items())


def close(first, second, tolerance=1e-5):
    return all(torch.allclose(first[name], each, atol=tolerance) for name, each in second.items())


def settings(method, augment="all"):
    return Balance(method, augment)
