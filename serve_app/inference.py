"""From the bytes of an image to the answer, without a word about HTTP or Ray."""

import base64
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from gyrus.bundle import ONNX, Card, verify
from gyrus.errors import GyrusError, InvalidBundle
from gyrus.imaging import SIZE, Crop, decode, encode_png, preprocess
from serve_app.engine import Engine, Output, open_engine
from serve_app.settings import ServeSettings


class ModelConfig(BaseModel):
    """Which model to serve: where its bundle is, the bundle's digest, the version's number.

    `source` is a folder, or an artifact of an MLflow server (`mlflow-artifacts:/…`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    version: int

    @property
    def is_local(self) -> bool:
        """Whether the source is a folder."""
        return not urlparse(self.source).scheme


@dataclass(frozen=True)
class Model:
    """A model that is ready to answer."""

    engine: Engine
    card: Card
    config: ModelConfig

    def describe(self) -> dict[str, Any]:
        """What an answer says of the model that gave it."""
        return {
            "version": self.config.version,
            "digest": self.config.digest,
            "architecture": self.card.architecture,
            "synthetic": self.card.synthetic,
        }


@dataclass(frozen=True)
class Prepared:
    """What the model sees, (224, 224) uint8, and the window of the upload that it came from."""

    image: NDArray[np.uint8]
    crop: Crop


def load(config: ModelConfig, bundle: Path, settings: ServeSettings, *, explain: bool) -> Model:
    """Verify the bundle in a folder, open its graph and warm it up for one image and a full batch.

    Raises:
        InvalidBundle: a digest differs, or the graph does not do what the card says.
    """
    card = verify(bundle, config.digest)
    try:
        engine = open_engine(
            bundle / ONNX,
            runtime=settings.runtime,
            precision=settings.precision,
            threads=settings.threads,
        )
        for images in (1, settings.max_batch):
            outputs = engine.infer(np.zeros((images, SIZE, SIZE, 1), np.uint8), explain)
    except Exception as error:  # the runtimes have no exceptions of their own
        raise InvalidBundle(f"The graph in {bundle} cannot be run: {error}") from error
    expected = (settings.max_batch, len(card.classes))
    if outputs.probabilities.shape != expected or not np.isfinite(outputs.probabilities).all():
        raise InvalidBundle(
            f"The graph in {bundle} gives no probability for each of "
            f"the {len(card.classes)} classes of its card."
        )
    return Model(engine, card, config)


def prepare(data: bytes) -> Prepared:
    """Decode an upload and cut out what the model sees.

    Raises:
        InputError: what `gyrus.imaging.decode` finds wrong with it.
    """
    return Prepared(*preprocess(decode(data)))


def answer(model: Model, prepared: Prepared, output: Output, *, thumbnail: bool) -> dict[str, Any]:
    """The answer for one image: label, probabilities, decision, and `cam` if `output` has one.

    The values of `cam` are scaled so that the greatest of them, over all classes, is 1: then
    float16 keeps the shape of weak maps too.

    Raises:
        GyrusError: the model gave a number that is not finite.
    """
    numbers = [output.probabilities.sum(), output.distance]
    if output.cam is not None:
        numbers.append(output.cam.sum())
    if not np.isfinite(numbers).all():
        raise GyrusError("The model has no finite answer for this image. Tell who runs it.")
    card = model.card
    probabilities = dict(zip(card.classes, output.probabilities.tolist(), strict=True))
    label = max(probabilities, key=probabilities.__getitem__)
    said: dict[str, Any] = {
        "label": label,
        "label_is_tumour": label in card.tumour_classes,
        "probabilities": probabilities,
        "confidence": probabilities[label],
        "tumour_probability": card.tumour_probability(probabilities),
        "decision": card.decide(probabilities, output.distance),
        "threshold": card.threshold,
        "upper_threshold": card.upper_threshold,
        "distance": output.distance,
        "crop": dataclasses.asdict(prepared.crop),
        "model": model.describe(),
    }
    if output.cam is not None:
        scaled = (output.cam / (output.cam.max() or 1)).astype("<f2")
        said["cam"] = {"shape": list(scaled.shape), "data": _base64(scaled.tobytes())}
    if thumbnail:
        said["thumbnail"] = _base64(encode_png(prepared.image))
    return said


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
