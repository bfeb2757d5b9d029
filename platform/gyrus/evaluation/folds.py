"""How good a recipe is: models that were each tested on what they were not trained on."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from gyrus.evaluation.measures import evaluate
from gyrus.evaluation.outcomes import Outcomes
from gyrus.metrics import Evaluation

OUTCOMES = "outcomes.parquet"
"""What a run that held out a fold said of it, in the run's folder."""


class CrossValidation(BaseModel):
    """The figures of each fold, and those of all their images together.

    Each image is judged by the model that did not know it, with that model's temperature and
    thresholds.
    """

    folds: dict[str, Evaluation]
    together: Evaluation


def pool(runs: Mapping[str, Path], dataset: str) -> CrossValidation:
    """Read what the runs of folds said, by the name of the fold; `dataset` is the set's digest.

    Raises:
        InvalidDataset: a run's file is missing, damaged, or of another dataset.
    """
    parts = {fold: Outcomes.load(folder / OUTCOMES, dataset) for fold, folder in runs.items()}
    return CrossValidation(
        folds={fold: evaluate(part) for fold, part in parts.items()},
        together=evaluate(*parts.values()),
    )
