"""Made-up answers of a model."""

import numpy as np

from gyrus.bundle import Rule
from gyrus.evaluation.calibration import softmax
from gyrus.evaluation.outcomes import Outcomes

CLASSES = ["glioma", "meningioma", "notumor", "pituitary"]
RULE = Rule(
    classes=CLASSES,
    tumour_classes=["glioma", "meningioma", "pituitary"],
    threshold=0.3,
    upper_threshold=0.6,
    distance_limit=0.95,
)


def draw_outcomes(count: int, *, skill: float = 2.0, groups: int = 0, seed: int = 0) -> Outcomes:
    """Outcomes of images in `groups` groups (one each, if 0); with no skill the model guesses."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CLASSES), count)
    allowed = np.eye(len(CLASSES), dtype=np.bool_)[labels]
    logits = rng.normal(size=allowed.shape) + skill * allowed
    return Outcomes(
        probabilities=softmax(logits.astype(np.float32)),
        distances=rng.random(count).astype(np.float32),
        allowed=allowed,
        truth=labels != CLASSES.index("notumor"),
        groups=(rng.integers(0, groups, count) if groups else np.arange(count)).astype(np.str_),
        sources=np.where(np.arange(count) % 2, "one", "other"),
    )
