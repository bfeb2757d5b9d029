"""The model bundle: an immutable folder with the graph, the Keras model, the card and plots."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gyrus.errors import InvalidBundle
from gyrus.metrics import Evaluation
from gyrus.model_card import model_card
from gyrus.plots import FOLDER as PLOTS
from gyrus.plots import NAMES
from gyrus.preprocessing import PREPROCESSING

CARD = "card.json"
ONNX = "model.onnx"
KERAS = "model.keras"
README = "README.md"

LONGEST_CLASS = 64
"""The gateway's database keeps no longer name of a class."""

ClassName = Annotated[str, Field(min_length=1, max_length=LONGEST_CLASS)]


class Risk(BaseModel):
    """A rate of errors: the one `asked` for, and the one that the thresholds hold.

    It is a mean over groups, of the share of a group's images, and they hold it on average over
    groups like the `groups` of the calibration split; None where they do not, because the share of
    `uncertain` could not be held then.
    """

    model_config = ConfigDict(extra="forbid")

    asked: float
    held: float | None
    groups: int


class Rule(BaseModel):
    """How probabilities become a decision.

    `classes` are in the order of the graph's outputs. A probability of a tumour below `threshold`
    is `no_tumour`, from `upper_threshold` on `tumour`, and between them `uncertain`; so is every
    image beyond `distance_limit` (Mahalanobis).
    """

    model_config = ConfigDict(extra="forbid")

    classes: list[ClassName]
    tumour_classes: list[ClassName]
    threshold: float
    upper_threshold: float
    distance_limit: float

    def tumour_probability(self, probabilities: dict[str, float]) -> float:
        """The summed probability of the classes that are tumours."""
        return sum(probabilities[name] for name in self.tumour_classes)

    def decide(self, probabilities: dict[str, float], distance: float) -> str:
        """`tumour`, `no_tumour`, or `uncertain`: also of an image unlike the training images."""
        tumour = self.tumour_probability(probabilities)
        if distance > self.distance_limit or self.threshold <= tumour < self.upper_threshold:
            return "uncertain"
        return "tumour" if tumour >= self.upper_threshold else "no_tumour"


class Card(Rule):
    """What a bundle is, how it was made and how good it is.

    `misses` (tumours called `no_tumour`), `false_alarms` (healthy images called `tumour`) and
    `too_far` (brain images beyond the distance limit) are what the thresholds and the limit were
    chosen for, `metrics` what came of it on the test split.
    `strangers_refused` is the share of pictures that are no brain MRI, drawn alike for every model,
    that are beyond the distance limit. `recipe` is how it was trained (`gyrus.recipe`), of weights
    only the file's name. Older cards do not say `too_far` and `recipe`. `images` is split → label →
    images of the dataset, `files` path in the bundle → sha256.
    """

    architecture: str
    preprocessing: dict[str, Any] = Field(default_factory=lambda: dict(PREPROCESSING))
    misses: Risk
    false_alarms: Risk
    too_far: Risk | None = None
    temperature: float
    metrics: Evaluation
    strangers_refused: float
    images: dict[str, dict[str, int]] = Field(default_factory=dict)
    dataset: str
    dataset_digest: str
    split_digest: str
    synthetic: bool
    recipe: dict[str, Any] = Field(default_factory=dict)
    run: str
    git_commit: str = ""
    created_at: str = ""
    files: dict[str, str] = Field(default_factory=dict)


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal(folder: Path, card: Card) -> str:
    """Write the card, also to be read, with the digest of each file of `folder`.

    What is to be read shows the pictures that are there. Returns the bundle's digest.
    """
    drawn = [name for name in NAMES if (folder / PLOTS / f"{name}.png").is_file()]
    (folder / README).write_text(model_card(card, drawn))
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
    files = {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}
    sealed = card.model_copy(update={"files": files})
    (folder / CARD).write_text(json.dumps(sealed.model_dump(), indent=2, sort_keys=True) + "\n")
    return digest(folder)


def digest(folder: Path) -> str:
    """The digest that names a bundle: the sha256 of its card, which holds that of each file."""
    return file_sha256(folder / CARD)


def read_card(folder: Path) -> Card:
    """Read a bundle's card.

    Raises:
        InvalidBundle: there is none, or it is not one of ours.
    """
    try:
        return Card.model_validate_json((folder / CARD).read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidBundle(f"{folder} holds no readable model card.") from error


def verify(folder: Path, expected: str = "") -> Card:
    """Read the card and check every file against it, and the whole against `expected`.

    Raises:
        InvalidBundle: a digest differs, a file is missing, or the preprocessing is not ours.
    """
    card = read_card(folder)
    if expected and digest(folder) != expected:
        raise InvalidBundle(f"The bundle in {folder} is not {expected[:12]}.")
    for name, sha256 in card.files.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise InvalidBundle(f"{name} of the bundle in {folder} is missing or was changed.")
    if card.preprocessing != PREPROCESSING:
        raise InvalidBundle(
            f"The bundle was made for preprocessing {card.preprocessing}; "
            f"here it is {PREPROCESSING}."
        )
    return card
