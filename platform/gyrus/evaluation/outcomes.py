"""What a model says of images, beside what is true of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gyrus.bundle import Rule
from gyrus.datasets.labels import known_classes
from gyrus.errors import InvalidDataset

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Labels = NDArray[np.int64]
Flags = NDArray[np.bool_]
Names = NDArray[np.str_]

RULE, DATASET = b"rule", b"dataset"


@dataclass(frozen=True)
class Outcomes:
    """A model's answers to N images: calibrated `probabilities` (N, K) and `distances` (N,).

    `allowed` (N, K) are the classes that an image's label allows: none if it names a kind that the
    model does not know. `truth` (N,) is whether it shows a tumour. `groups` and `sources` (N,) are
    as a `Dataset` has them.
    """

    probabilities: Floats
    distances: Floats
    allowed: Flags
    truth: Flags
    groups: Names
    sources: Names

    @property
    def labels(self) -> Labels:
        """The class of each image (N,), or -1 where its label does not say which."""
        return known_classes(self.allowed)

    def save(self, path: Path, rule: Rule, dataset: str) -> None:
        """Write them, the rule that decides by them, and the dataset's digest, as Parquet."""
        columns = {name: list(value) for name, value in vars(self).items()}
        kept = rule.model_dump_json(include=set(Rule.model_fields))
        table = pa.table(columns).replace_schema_metadata({RULE: kept, DATASET: dataset})
        pq.write_table(table, path)

    @classmethod
    def load(cls, path: Path, dataset: str) -> tuple["Outcomes", Rule]:
        """Read what `save` wrote.

        Raises:
            InvalidDataset: the file is damaged, none of ours, or of another dataset.
        """
        try:
            table = pq.read_table(path)
            rule = Rule.model_validate_json(table.schema.metadata[RULE])
            of = table.schema.metadata[DATASET].decode()
            found = cls(**{name: _array(table[name]) for name in table.column_names})
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise InvalidDataset(f"{path} holds no readable outcomes.") from error
        if of != dataset:
            raise InvalidDataset(f"{path} is of another dataset: delete its run.")
        return found, rule

    @classmethod
    def joined(cls, parts: Sequence["Outcomes"]) -> "Outcomes":
        """Those of several models or images, one after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    def of(self, rows: Flags | Labels) -> "Outcomes":
        """Some of them."""
        return Outcomes(*(column[rows] for column in vars(self).values()))


def tumour_probability(probabilities: Floats, tumour_indices: Sequence[int]) -> Doubles:
    """The summed probability (N,) of the classes that are tumours."""
    return np.asarray(probabilities[:, list(tumour_indices)].sum(1, dtype=np.float64))


def tumour_scores(outcomes: Outcomes, rule: Rule) -> Doubles:
    """The probability of a tumour (N,), by the classes of `rule`."""
    indices = [rule.classes.index(name) for name in rule.tumour_classes]
    return tumour_probability(outcomes.probabilities, indices)


def decisions(outcomes: Outcomes, rule: Rule) -> Names:
    """What `rule.decide` says of each image (N,)."""
    tumour = tumour_scores(outcomes, rule)
    said = np.where(tumour < rule.threshold, "no_tumour", "uncertain")
    said = np.where(tumour >= rule.upper_threshold, "tumour", said)
    return np.where(outcomes.distances > rule.distance_limit, "uncertain", said)


def called_right(outcomes: Outcomes, rule: Rule) -> Flags:
    """Whether the likeliest class of each image (N,) is one that its label allows.

    Of a kind that the model does not know, any tumour is.
    """
    called = outcomes.probabilities.argmax(1)
    named = outcomes.allowed[np.arange(len(called)), called]
    side = np.isin(rule.classes, rule.tumour_classes)[called] == outcomes.truth
    return np.asarray(np.where(outcomes.allowed.any(1), named, side))


def _array(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of numbers, words or lists of numbers, each of the type that it was saved in."""
    rows = column.to_pylist()
    kind = column.type.value_type if pa.types.is_list(column.type) else column.type
    return np.array(rows, None if pa.types.is_string(kind) else kind.to_pandas_dtype())
