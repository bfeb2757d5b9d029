"""Probes: how well what shows no tumour tells whether there is one.

A model can score as well by looking at the same (Geirhos et al. 2020, 'Shortcut learning'), so that
its own figures say little unless they are clearly better.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from gyrus.datasets.files import FileFacts
from gyrus.evaluation.measures import binary_figures
from gyrus.evaluation.resampling import estimates
from gyrus.metrics import Estimate

FOLDS = 5
FEWEST = 2 * FOLDS
"""So many groups with a tumour and so many without are needed for a probe."""

RING = 8
"""Pixels at each side of a preprocessed image that count as its border."""

TILES = 7
"""Parts of each side of the border."""

Features = NDArray[np.float64]


def file_features(facts: Sequence[FileFacts]) -> Features:
    """What files look like from outside, (N, F): bytes, shape, bytes a pixel, mode and format."""
    size, width, height = (
        np.array([getattr(one, name) for one in facts], dtype=np.float64)
        for name in ("size", "width", "height")
    )
    columns = [size, width, height, width / height, size / (width * height)]
    for name in ("mode", "format"):
        values = np.array([getattr(one, name) for one in facts])
        columns += [(values == value).astype(np.float64) for value in np.unique(values)]
    return np.column_stack(columns)


def border_features(image: NDArray[np.uint8]) -> Features:
    """What the rim of a preprocessed image looks like, (F,).

    How far its padding reaches at each side, and mean and deviation of parts of its outer ring.
    """
    bright = image > 0
    rows, columns = np.asarray(bright.any(1)), np.asarray(bright.any(0))
    edges = (rows, rows[::-1], columns, columns[::-1])
    padding = [float(edge.argmax()) for edge in edges]
    sides = [image[:RING], image[-RING:], image[:, :RING].T, image[:, -RING:].T]
    tiles = [tile for side in sides for tile in np.split(side, TILES, axis=1)]
    figures = [figure for tile in tiles for figure in (tile.mean(), tile.std())]
    return np.array(padding + figures, dtype=np.float64)


def probe(
    features: Features, truth: NDArray[np.bool_], groups: NDArray[np.str_]
) -> Estimate | None:
    """The AUROC of features (N, F), tumour or not, by grouped cross-validation.

    The interval is of a bootstrap over groups. None if there are too few of them.
    """
    if min(len(np.unique(groups[truth == value])) for value in (False, True)) < FEWEST:
        return None
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    forest = RandomForestClassifier(100, min_samples_leaf=3, random_state=0, n_jobs=-1)
    scores = cross_val_predict(
        forest, features, truth, groups=groups, cv=folds, method="predict_proba"
    )[:, 1]
    return estimates(lambda weights: binary_figures(truth, scores, weights), groups)["auroc"]
