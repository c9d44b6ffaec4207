"""Time of the bootstrap of all metrics, beside a plain loop of scikit-learn's functions.

python benchmarks/bench_bootstrap.py [--cases 10000] [--rounds 2000]

The loop is timed on a few rounds and extrapolated.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn import metrics as reference
from threadpoolctl import threadpool_limits

import bench
from triage.evaluation.bootstrap import group_counts
from triage.evaluation.metrics import Decision, Probability, Ranking

LOOPED, REPEATS = 10, 3


def blocks(labels: np.ndarray, probabilities: np.ndarray, rounds: int) -> None:
    """All rounds, in whole blocks of resamples."""
    measures = (
        Ranking(labels, probabilities),
        Decision(labels, probabilities > 0.5),
        Probability(labels, probabilities, 10),
    )
    with threadpool_limits(1, "blas"):
        for counts in group_counts(len(labels), rounds, seed=0):
            for measure in measures:
                measure.measure(counts)


def loop(labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Some of the rounds, one at a time with scikit-learn."""
    rng = np.random.default_rng(0)
    for _ in range(LOOPED):
        drawn = rng.integers(0, len(labels), len(labels))
        y, p = labels[drawn], probabilities[drawn]
        decided = p > 0.5
        for score in ("roc_auc_score", "average_precision_score", "brier_score_loss", "log_loss"):
            getattr(reference, score)(y, p)
        for score in ("accuracy", "balanced_accuracy", "precision", "recall", "f1"):
            getattr(reference, f"{score}_score")(y, decided)
        reference.recall_score(y, decided, pos_label=0)
        cell = np.minimum((p * 10).astype(int), 9)
        np.abs(np.bincount(cell, p - y, 10)).sum()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=2_000)
    arguments = options.parse_args()
    cases, rounds = arguments.cases, arguments.rounds
    rng = np.random.default_rng(0)
    truth = (rng.random(cases) < 0.4).astype(float)
    predicted = 1 / (1 + np.exp(-rng.normal(2 * truth - 1, 1)))
    times = bench.interleaved(
        {
            "blocks of resamples": lambda: blocks(truth, predicted, rounds),
            "loop of scikit-learn": lambda: loop(truth, predicted),
        },
        REPEATS,
    )
    ours, theirs = times.values()
    share = rounds / LOOPED
    rows = [
        ("blocks of resamples", ours.seconds, ours.processor_seconds, 1.0),
        (
            f"loop of scikit-learn, from {LOOPED} rounds",
            theirs.seconds * share,
            theirs.processor_seconds * share,
            bench.ratio(theirs, ours) * share,
        ),
    ]
    bench.report(
        "bootstrap",
        "Bootstrap of all metrics",
        f"{rounds:,} resamples of {cases:,} cases, 11 metrics.",
        bench.table(["", "seconds", "on the processor", "ratio"], rows),
    )


if __name__ == "__main__":
    main()
