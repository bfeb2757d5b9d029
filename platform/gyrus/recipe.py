"""How a model is trained: the same fields in a terminal, in the API and inside the job."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Architecture = Literal["cnn", "mobilenetv2", "resnet50"]
RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Recipe(BaseModel):
    """The recipe of a training run.

    `batch` and `learning_rate` are those of the whole group of workers: a run is the same run
    however many workers share it, but for what each of them does alone: dropout, and batch
    normalisation's statistics in training. `weights` is `none`, `imagenet` or a Keras weights file,
    for MobileNetV2 and ResNet50; `alpha` is MobileNetV2's width, `filters` those of the CNN's first
    block. `frozen_epochs` is how long a pretrained base rests before its last layers train too;
    `patience` is after how many epochs without progress a run stops.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Architecture = "cnn"
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    epochs: Annotated[int, Field(ge=1, le=1000)] = 50
    batch: Annotated[int, Field(ge=1, le=4096)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    weights: str = "none"
    alpha: Annotated[float, Field(gt=0, le=2)] = 1.0
    filters: Annotated[int, Field(ge=4, le=128)] = 16
    frozen_epochs: Annotated[int, Field(ge=0, le=1000)] = 2
    patience: Annotated[int, Field(ge=1, le=1000)] = 10
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _every_worker_has_work(self) -> Self:
        if self.batch < self.workers:
            raise ValueError(f"a batch of {self.batch} is too small for {self.workers} workers")
        return self
