"""How good a model is: calibration and threshold on one split, final figures on another."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from gyrus.datasets import Dataset

Floats = NDArray[np.float32]

RESAMPLES = 1000
"""Bootstrap resamples behind each 95 % interval."""


def softmax(logits: Floats) -> Floats:
    """Probabilities (N, K) of logits (N, K)."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True), np.float32)


def log_loss(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    """The mean negative log-likelihood."""
    picked = probabilities[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(picked, 1e-7))))


def tumour_probability(probabilities: Floats, dataset: Dataset) -> Floats:
    """The summed probability (N,) of the classes that are tumours."""
    return np.asarray(probabilities[:, dataset.tumour_indices].sum(1), np.float32)


def fit_temperature(logits: Floats, labels: NDArray[np.int64]) -> float:
    """The temperature that calibrates the logits best (Guo et al. 2017), between 1/4 and 8."""
    candidates = np.geomspace(0.25, 8, 241)
    losses = [log_loss(softmax(logits / t), labels) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def choose_threshold(tumour: Floats, truth: NDArray[np.bool_]) -> float:
    """The threshold with the highest Youden index; of several, the one nearest to 0.5."""
    values = np.unique(np.concatenate([[0.0], tumour, [1.0]]))
    candidates = np.append((values[1:] + values[:-1]) / 2, 0.5)
    called = tumour[None, :] >= candidates[:, None]
    sensitivity = (called & truth).sum(1) / max(truth.sum(), 1)
    specificity = (~called & ~truth).sum(1) / max((~truth).sum(), 1)
    best = np.flatnonzero(np.isclose(sensitivity + specificity, (sensitivity + specificity).max()))
    return float(candidates[best[np.argmin(np.abs(candidates[best] - 0.5))]])


def conformal_limit(distances: Floats, error: float = 0.01) -> float:
    """The distance that an image like these exceeds with probability `error` at most.

    The split-conformal quantile (Vovk et al. 2005). Of fewer than 1/`error` - 1 images it is the
    largest distance, and the probability 1/(n + 1).
    """
    rank = int(np.ceil((len(distances) + 1) * (1 - error)))
    return float(np.sort(distances)[min(rank, len(distances)) - 1])


def final_metrics(
    probabilities: Floats,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    dataset: Dataset,
    threshold: float,
) -> dict[str, float]:
    """AUROC (tumour or not), accuracy, sensitivity and specificity, each with a 95 % interval.

    The intervals are percentiles of a bootstrap that draws whole groups: images of one patient, or
    copies of one image, are not independent.
    """
    tumour = tumour_probability(probabilities, dataset)
    truth = np.isin(labels, dataset.tumour_indices)

    def figures(rows: NDArray[np.int64]) -> dict[str, float]:
        t, called = truth[rows], tumour[rows] >= threshold
        if t.all() or not t.any():
            return {}
        return {
            "auroc": float(roc_auc_score(t, tumour[rows])),
            "accuracy": float(np.mean(probabilities[rows].argmax(1) == labels[rows])),
            "sensitivity": float(np.mean(called[t])),
            "specificity": float(np.mean(~called[~t])),
        }

    result = figures(np.arange(len(labels)))
    _, inverse = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(inverse == group) for group in range(inverse.max() + 1)]
    rng = np.random.default_rng(0)
    draws = [
        figures(np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))]))
        for _ in range(RESAMPLES)
    ]
    for name in list(result):
        low, high = np.percentile([draw[name] for draw in draws if draw], (2.5, 97.5))
        result |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return result | {"test_images": float(len(labels))}
