"""`python -m loadtests.resplits`: which error rates the thresholds hold on a dataset.

The groups of the calibration and test splits, none of which a model has learned from, are dealt
into two halves many times. One half sets the thresholds and the distance limit, the other tells
what came of them.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from gyrus.bundle import ONNX, Card
from gyrus.evaluation.outcomes import Outcomes, tumour_scores
from gyrus.evaluation.report import ask
from gyrus.evaluation.thresholds import (
    MOST_UNCERTAIN,
    choose_thresholds,
    group_rate,
    limit_distance,
)
from loadtests.trained import trained

NAMES = ("misses", "false alarms", "uncertain", "too far")


def deal(
    outcomes: Outcomes, card: Card, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The rates of one deal, as `NAMES` has them, and those that were to be held, or NaN.

    A rate is the mean over groups of the mean over a group's images.
    """
    groups = np.unique(outcomes.groups)
    chosen = np.isin(outcomes.groups, rng.permutation(groups)[: len(groups) // 2])
    one, other = outcomes.of(chosen), outcomes.of(~chosen)
    found = choose_thresholds(
        tumour_scores(one, card), one.truth, one.groups, miss_rate=card.misses.asked
    )
    limit, too_far = limit_distance(one.distances, one.groups)
    scores = tumour_scores(other, card)
    missed, alarmed = scores < found.threshold, scores >= found.upper_threshold
    rates = (
        group_rate(missed[other.truth], other.groups[other.truth]),
        group_rate(alarmed[~other.truth], other.groups[~other.truth]),
        group_rate(~missed & ~alarmed, other.groups),
        group_rate(other.distances > limit, other.groups),
    )
    held = (found.misses.held, found.false_alarms.held, MOST_UNCERTAIN, too_far.held)
    return np.array(rates), np.array(held, np.float64)


def describe(rates: NDArray[np.float64], held: NDArray[np.float64]) -> str:
    """The rates of deals for people, of those in which one was held.

    All deals are of the same groups, so a mean over them is not known better for more of them.
    """
    those = np.isfinite(held)
    return (
        f"{rates[those].mean():.4f} (standard deviation over deals {rates[those].std():.4f}; held "
        f"to {held[those].mean():.4f} in {those.sum()} of {len(rates)})"
    )


def main() -> int:
    """Deal and print; 2 when there is nothing to deal."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.resplits", description=__doc__)
    parser.add_argument("--deals", type=int, default=200)
    given, bundle, card, dataset = trained(parser)
    rows = np.concatenate([dataset.split("calibration"), dataset.split("test")])
    outcomes = ask(bundle / ONNX, card, dataset, rows)
    rng = np.random.default_rng(0)
    deals = [deal(outcomes, card, rng) for _ in range(given.deals)]
    rates, held = (np.stack(part) for part in zip(*deals, strict=True))
    for name, some, asked in zip(NAMES, rates.T, held.T, strict=True):
        if np.isfinite(asked).any():
            print(f"{name:<13} {describe(some, asked)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
