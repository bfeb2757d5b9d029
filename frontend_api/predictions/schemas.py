"""Bodies of the prediction endpoints."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from frontend_api.predictions.repository import Prediction
from frontend_api.serve_client import Crop, ServedModel


class Links(BaseModel):
    """Where the rest of a prediction is."""

    self: str
    image: str
    heatmap: str | None


class PredictionOut(BaseModel):
    """A prediction. It is no diagnosis.

    `decision` is `uncertain` between the model's two thresholds, where it errs too often to decide,
    and for an image unlike those that it was trained on. `crop` is the part of the upload that the
    model saw.
    """

    id: str
    created_at: datetime
    label: str
    label_is_tumour: bool | None = Field(
        description="Whether the model counts `label` among tumours; null where it was not kept."
    )
    decision: Literal["tumour", "no_tumour", "uncertain"]
    probabilities: dict[str, float]
    confidence: float = Field(description="The probability of `label`.")
    tumour_probability: float
    threshold: float = Field(description="Below this tumour probability it says `no_tumour`.")
    upper_threshold: float | None = Field(
        description="From this tumour probability on it says `tumour`, and between the two "
        "`uncertain`; null where it was not kept."
    )
    crop: Crop
    model: ServedModel
    explained: bool
    links: Links

    @classmethod
    def of(cls, row: Prediction) -> Self:
        """The body for a stored prediction."""
        address = f"/v1/predictions/{row.id}"
        explained = row.cam_shape is not None
        return cls.model_validate(
            {
                "id": row.id,
                "created_at": row.created_at,
                "label": row.label,
                "label_is_tumour": row.label_is_tumour,
                "decision": row.decision,
                "probabilities": dict(zip(row.classes, row.probabilities, strict=True)),
                "confidence": row.confidence,
                "tumour_probability": row.tumour_probability,
                "threshold": row.threshold,
                "upper_threshold": row.upper_threshold,
                "crop": row.crop,
                "model": {
                    "version": row.model_version,
                    "digest": row.model_digest,
                    "architecture": row.model_architecture,
                    "synthetic": row.model_synthetic,
                },
                "explained": explained,
                "links": {
                    "self": address,
                    "image": f"{address}/image.png",
                    "heatmap": f"{address}/heatmap.png" if explained else None,
                },
            }
        )


class PredictionPage(BaseModel):
    """A page of predictions, newest first."""

    items: list[PredictionOut]
    next_cursor: str | None
