"""Probabilities that mean what they say, and the distance beyond which they mean nothing."""

import numpy as np
from numpy.typing import NDArray

from gyrus.evaluation.outcomes import Doubles, Flags, Floats, Names

BINS = 15

STRANGE = 0.02
"""The share of brain images that may be taken for none."""


def softmax(logits: Floats) -> Floats:
    """Probabilities (N, K) of logits (N, K)."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True), np.float32)


def log_loss(probabilities: Floats, allowed: Flags) -> float:
    """The mean of -log of the summed probability (N, K) of the classes that each label allows."""
    return float(-np.mean(np.log(np.maximum((probabilities * allowed).sum(1), 1e-7))))


def fit_temperature(logits: Floats, allowed: Flags) -> float:
    """The temperature that calibrates the logits best (Guo et al. 2017), between 1/4 and 8."""
    candidates = np.geomspace(0.25, 8, 241)
    losses = [log_loss(softmax(logits / t), allowed) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def bins_of(scores: Doubles) -> NDArray[np.int64]:
    """The bin (N,) of each probability: `BINS` of equal width."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


def conformal_limit(distances: Floats, groups: Names, error: float) -> float:
    """The distance that images like these exceed with probability `error` at most.

    What is exchangeable are groups, so the error of a group is the mean over its images
    (Angelopoulos et al. 2022; for groups of one image the split-conformal quantile of Vovk et al.
    2005). Of fewer than 1/`error` - 1 groups it is the largest distance.
    """
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(-distances)
    beyond = (1 / sizes[inverse[order]]).cumsum()
    most = error * (len(sizes) + 1) - 1 + 1e-9
    return float(distances[order][np.searchsorted(beyond, most, side="right")])
