"""Probabilities that mean what they say."""

import numpy as np
from numpy.typing import NDArray

from gyrus.evaluation.outcomes import Doubles, Flags, Floats

BINS = 15


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
