"""How a model is trained: the same fields in a terminal, in the API and inside the job."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Architecture = Literal["cnn", "mobilenetv2", "resnet50"]
Precision = Literal["auto", "float32", "mixed_bfloat16"]
Fold = Annotated[
    str, Field(pattern=r"^([1-9][0-9]?/[1-9][0-9]?|source:[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")
]
"""`2/5` is the second of five folds, `source:mri` all images that came from the set `mri`.

A run with a fold tests on it, trains on the rest, and registers no model; empty for others.
"""

NAMED_WEIGHTS = frozenset({"none", "imagenet"})
"""What `weights` may be beside a file."""

OUR_OWN = "Value error, "
"""What pydantic puts before the words of a check of ours."""

MISS_RATE = 0.015
"""So many tumours are called `no_tumour` at most: recall comes first."""

RunName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Recipe(BaseModel):
    """The recipe of a training run.

    `batch` and `learning_rate` are those of the whole group of workers: a run is the same run
    however many workers share it, but for what each of them does alone: dropout, and batch
    normalisation's statistics in training. With `min_workers` a run that loses some of its
    `workers` goes on with as few, and with all when there is room for them; 0 means that it waits
    for all. `weights` is `none`, `imagenet` or a Keras weights file, for MobileNetV2 and ResNet50;
    `alpha` is MobileNetV2's width, `filters` those of the CNN's first block. `frozen_epochs` is how
    long a pretrained base rests before its last layers train too; `patience` is after how many
    epochs without progress a run stops, but for those in which a base rests. `precision` `auto` is
    bfloat16 on GPUs that are made for it, float32 elsewhere; the model that comes of it is float32.
    `miss_rate` is the share of tumours that the lower threshold may call `no_tumour`, as a mean
    over groups.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Architecture = "cnn"
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    min_workers: Annotated[int, Field(ge=0, le=64)] = 0
    epochs: Annotated[int, Field(ge=1, le=1000)] = 50
    batch: Annotated[int, Field(ge=1, le=4096)] = 32
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    weights: str = "none"
    alpha: Annotated[float, Field(gt=0, le=2)] = 1.0
    filters: Annotated[int, Field(ge=4, le=128)] = 16
    frozen_epochs: Annotated[int, Field(ge=0, le=1000)] = 2
    patience: Annotated[int, Field(ge=1, le=1000)] = 10
    precision: Precision = "auto"
    miss_rate: Annotated[float, Field(gt=0, lt=1)] = MISS_RATE
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _every_worker_has_work(self) -> Self:
        if self.batch < self.workers:
            raise ValueError(f"a batch of {self.batch} is too small for {self.workers} workers")
        if self.min_workers > self.workers:
            raise ValueError(f"{self.min_workers} workers at least are more than {self.workers}")
        return self

    @model_validator(mode="after")
    def _weights_are_of_use(self) -> Self:
        if self.model == "cnn" and self.weights != "none":
            raise ValueError(
                "weights are for mobilenetv2 and resnet50: the cnn starts from scratch"
            )
        return self

    @property
    def fewest_workers(self) -> int:
        """With so many workers the run goes on."""
        return self.min_workers or self.workers


def wrong_option(error: ValidationError) -> str:
    """What is wrong with a recipe, and by which option in a terminal, if by one alone."""
    wrong = error.errors()[0]
    where = "".join(f"--{part}: ".replace("_", "-") for part in wrong["loc"])
    return where + wrong["msg"].removeprefix(OUR_OWN)
