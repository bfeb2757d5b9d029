"""Bodies of the model endpoints."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel

from gyrus.registry import ModelVersion


class ModelOut(BaseModel):
    """A registered model. `synthetic`: it was trained on generated images only.

    `metrics` are those of the test split for tumour or not, each with the ends of its 95 % interval
    as `<name>_low` and `<name>_high`.
    """

    version: int
    digest: str
    architecture: str
    classes: list[str]
    metrics: dict[str, float]
    dataset: str
    synthetic: bool
    created_at: datetime
    champion: bool

    @classmethod
    def of(cls, model: ModelVersion) -> Self:
        """The body for a registered model."""
        card = model.card
        return cls(
            version=model.version,
            digest=model.digest,
            architecture=card.architecture,
            classes=card.classes,
            metrics=card.metrics.flat(),
            dataset=card.dataset,
            synthetic=card.synthetic,
            created_at=model.created_at,
            champion=model.champion,
        )


class ModelPage(BaseModel):
    """The registered models, newest first."""

    items: list[ModelOut]
    next_cursor: str | None
