"""What a training run is asked to do."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Architecture = Literal["cnn", "mobilenetv2", "resnet50"]


class TrainConfig(BaseModel):
    """The recipe of a run; written into its folder as `config.json`, from where it resumes.

    `batch` and `learning_rate` are those of the whole group of workers: a run is the same run
    however many workers share it, but for what each of them does alone: dropout, and batch
    normalisation's statistics in training. `weights` is `none`, `imagenet` or the path of a Keras
    weights file, for MobileNetV2 and ResNet50; `alpha` is MobileNetV2's width, `filters` those of
    the CNN's first block. `frozen_epochs` is how long a pretrained base rests before its last
    layers train too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    dataset: Path
    storage: Path
    model: Architecture = "cnn"
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    epochs: Annotated[int, Field(ge=1, le=1000)] = 50
    batch: Annotated[int, Field(ge=1, le=4096)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    weights: str = "none"
    alpha: Annotated[float, Field(gt=0, le=2)] = 1.0
    filters: Annotated[int, Field(ge=4, le=128)] = 16
    frozen_epochs: Annotated[int, Field(ge=0)] = 2
    patience: Annotated[int, Field(ge=1)] = 10
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("dataset", "storage")
    @classmethod
    def _from_the_root(cls, path: Path) -> Path:
        """Workers run in other folders."""
        return path.expanduser().resolve()

    @model_validator(mode="after")
    def _every_worker_has_work(self) -> Self:
        if self.batch < self.workers:
            raise ValueError(f"a batch of {self.batch} is too small for {self.workers} workers")
        return self

    @property
    def folder(self) -> Path:
        """The run's own folder."""
        return self.storage / self.run

    @property
    def pretrained(self) -> bool:
        """Whether the base starts from weights that were trained elsewhere."""
        return self.model != "cnn" and self.weights != "none"
