"""Time of the bootstrap of all metrics, beside a plain loop of scikit-learn's functions.

python benchmarks/bench_bootstrap.py [--cases 10000] [--rounds 2000]

The loop is timed on a few rounds and extrapolated.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from sklearn import metrics as reference

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from threadpoolctl import threadpool_limits

from triage.evaluation.bootstrap import group_counts
from triage.evaluation.metrics import Decision, Probability, Ranking

LOOPED, REPEATS = 10, 3
TARGET = 2.0  # seconds for 2,000 rounds of 10,000 cases on two cores


def blocks(labels: np.ndarray, probabilities: np.ndarray, rounds: int) -> float:
    """Seconds of all rounds, in whole blocks of resamples."""
    start = time.perf_counter()
    measures = (
        Ranking(labels, probabilities),
        Decision(labels, probabilities > 0.5),
        Probability(labels, probabilities, 10),
    )
    with threadpool_limits(1, "blas"):
        for counts in group_counts(len(labels), rounds, seed=0):
            for measure in measures:
                measure.measure(counts)
    return time.perf_counter() - start


def loop(labels: np.ndarray, probabilities: np.ndarray, rounds: int) -> float:
    """Seconds of all rounds, one at a time with scikit-learn; extrapolated."""
    rng = np.random.default_rng(0)
    start = time.perf_counter()
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
    return (time.perf_counter() - start) / LOOPED * rounds


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=2_000)
    arguments = options.parse_args()
    rng = np.random.default_rng(0)
    truth = (rng.random(arguments.cases) < 0.4).astype(float)
    predicted = 1 / (1 + np.exp(-rng.normal(2 * truth - 1, 1)))
    busy = time.process_time()
    ours = min(blocks(truth, predicted, arguments.rounds) for _ in range(REPEATS))
    busy = (time.process_time() - busy) / REPEATS
    theirs = loop(truth, predicted, arguments.rounds)
    print(f"{arguments.rounds} rounds of 11 metrics on {arguments.cases} cases")
    print(f"  blocks of resamples      {ours:8.2f} s   (target {TARGET} s for 2000 x 10000)")
    print(f"    of it on the processor {busy:8.2f} s   (less than the above where others run)")
    print(f"  loop of scikit-learn     {theirs:8.2f} s   (from {LOOPED} rounds)")
    print(f"  ratio                    {theirs / ours:8.1f}")
