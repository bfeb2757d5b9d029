"""What labels mean: which of them say the same, and which only say that there is a tumour."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

HEALTHY = re.compile(
    r"no|(no|non|without)(brain)?tumou?rs?(nt)?|(normal|healthy)(brains?)?|none|negative|controls?"
)
"""Labels, letters only, that mean: no tumour."""

SOME_TUMOUR = re.compile(r"yes|(brain)?tumou?rs?|positive|abnormal|lesion|cancer")
"""Labels, letters only, that mean: a tumour, of whatever kind."""


def is_healthy(label: str) -> bool:
    """Whether a label means that there is no tumour."""
    return HEALTHY.fullmatch(_letters(label)) is not None


def common_classes(labels: Iterable[str]) -> dict[str, list[str]]:
    """The classes that each label allows, where sets that name things differently train one model.

    All labels without a tumour are one class. One that says only that there is a tumour allows each
    kind that another names; if none does, all such labels are one class. Classes of several labels
    have the name of the longest.
    """
    labels = set(labels)
    healthy = {label for label in labels if is_healthy(label)}
    unnamed = {label for label in labels if SOME_TUMOUR.fullmatch(_letters(label))}
    kinds = labels - healthy - unnamed
    return {
        **{label: _one(healthy) for label in healthy},
        **{label: sorted(kinds) or _one(unnamed) for label in unnamed},
        **{label: [label] for label in kinds},
    }


def known_classes(allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The class of each image (N,) that its label allows (N, K); -1 where it allows several."""
    return np.where(allowed.sum(1) == 1, allowed.argmax(1), -1).astype(np.int64)


def _one(labels: set[str]) -> list[str]:
    return [max(labels, key=lambda label: (len(label), label))]


def _letters(label: str) -> str:
    return re.sub("[^a-z]", "", label.lower())
