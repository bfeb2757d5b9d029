"""What trains on what in a part of a run."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from gyrus.datasets import Dataset
from training_jobs.distributed import DistributedModel
from training_jobs.models.head import head_part, pooling_part

EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Stage:
    """A part of a run: what trains, on features if not on images, and what it is validated on."""

    frozen: bool
    part: keras.Model
    features: NDArray[np.float32] | None
    validation: NDArray[Any]
    validation_rows: NDArray[np.int64]


def make_stage(
    group: DistributedModel,
    dataset: Dataset,
    rows: NDArray[np.int64],
    *,
    rank: int,
    frozen: bool,
) -> Stage:
    """All on the images of `rows`, or the head of a base that rests on their features.

    Nothing of the base changes then, nor do the images, so features are computed once.
    """
    model, images, validated = group.model, dataset.images[..., None], dataset.split("validation")
    if not frozen:
        return Stage(frozen, model, None, images, validated)
    base = pooling_part(model)
    trained, validation = (
        group.compute(base, images, some, rank=rank, batch=EVALUATION_BATCH)
        for some in (rows, validated)
    )
    return Stage(frozen, head_part(model), trained, validation, np.arange(len(validation)))
