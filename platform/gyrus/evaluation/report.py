"""A registered model on a dataset that it need not have been trained on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from gyrus.bundle import Rule
from gyrus.datasets import Dataset
from gyrus.datasets.dataset import LEFT_OUT
from gyrus.datasets.labels import common_classes, known_classes
from gyrus.errors import InvalidDataset
from gyrus.evaluation.heatmaps import localisation
from gyrus.evaluation.inference import infer
from gyrus.evaluation.measures import evaluate
from gyrus.evaluation.outcomes import Flags, Labels, Outcomes
from gyrus.evaluation.seen import seen
from gyrus.imaging import preprocess
from gyrus.metrics import ROUNDED, Evaluation
from gyrus.phantom.strangers import strangers
from gyrus.registry import ModelVersion

STRANGERS = 270
"""So many drawn pictures that are no brain are tried."""


class Report(BaseModel):
    """How good a version is on a dataset.

    `seen` are the images that were left out because the model may have learnt from them or from
    copies of them; None where nobody looked.
    """

    version: int
    digest: str
    architecture: str
    dataset: str
    dataset_digest: str
    seen: int | None
    evaluation: Evaluation


def evaluate_version(
    model: ModelVersion,
    graph: Path,
    dataset: Dataset,
    trained: Dataset | None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Evaluate a model, whose ONNX `graph` is here, on all of a dataset that it does not know.

    `trained` is what the model learnt from: images that it may know are left out, of that very
    dataset all but the test split. None says that nobody looks. `progress` gets how many images are
    done, of how many.

    Raises:
        InvalidDataset: no image is left.
    """
    wanted = np.array(dataset.column("split")) != LEFT_OUT
    known = np.zeros_like(wanted) if trained is None else seen(dataset, trained)
    rows = np.flatnonzero(wanted & ~known)
    if not len(rows):
        raise InvalidDataset(
            f"Of {dataset.name} no image is left that model version {model.version} does not know: "
            f"{np.sum(wanted)} are in it, and it may have learnt from all of them, or from copies."
        )
    evaluation, _ = measure(graph, model.card, dataset, rows, trained, progress=progress)
    return Report(
        version=model.version,
        digest=model.digest,
        architecture=model.card.architecture,
        dataset=dataset.name,
        dataset_digest=dataset.digest,
        seen=None if trained is None else int(np.sum(wanted & known)),
        evaluation=evaluation,
    )


def measure(
    graph: Path,
    rule: Rule,
    dataset: Dataset,
    rows: Labels,
    trained: Dataset | None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Evaluation, Outcomes]:
    """Every figure of a model, whose ONNX `graph` is here, on `rows` of a dataset.

    And what it says of them. `trained` is what it learnt from, if that is here.
    """
    outcomes = ask(graph, rule, dataset, rows, trained, progress=progress)
    found = evaluate((outcomes, rule))
    if dataset.masks is not None:
        tumours = [rule.classes.index(name) for name in rule.tumour_classes]
        places = np.flatnonzero(np.isin(outcomes.labels, tumours))
        places = np.array([at for at in places if dataset.masks[rows[at]].any()], np.int64)
        if len(places):
            [maps] = infer(graph, dataset.images, rows[places], "cam")
            masks = (dataset.masks[row] for row in rows[places])
            labels, groups = outcomes.labels[places], outcomes.groups[places]
            found.heatmaps = localisation(maps, labels, masks, groups, rule.classes)
    return found, outcomes


def share_refused(graph: Path, limit: float) -> float:
    """The share of drawn pictures that are no brain MRI beyond the distance `limit`."""
    strange = np.stack([preprocess(picture)[0] for _, picture in strangers(STRANGERS)])
    [distances] = infer(graph, strange, np.arange(STRANGERS), "distance")
    return round(float(np.mean(distances > limit)), ROUNDED)


def ask(
    graph: Path,
    rule: Rule,
    dataset: Dataset,
    rows: Labels,
    trained: Dataset | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Outcomes:
    """What a model, whose ONNX `graph` is here, says of the `rows` of a dataset.

    `trained` is what it learnt from, if that is here.
    """
    outputs = ("probabilities", "distance")
    probabilities, distances = infer(graph, dataset.images, rows, *outputs, progress=progress)
    return Outcomes(
        probabilities=probabilities,
        distances=distances,
        allowed=allowed_classes(dataset, rule, trained)[rows],
        truth=dataset.truth[rows],
        groups=dataset.groups[rows],
        sources=dataset.sources[rows],
    )


def allowed_classes(dataset: Dataset, rule: Rule, trained: Dataset | None = None) -> Flags:
    """The classes (N, K) of a model that the label of each image allows.

    Labels mean what they would mean if the dataset were merged with the one that the model was
    trained on. One that names a kind which the model does not know allows none: it only says
    whether there is a tumour. The model knows the kinds that the training split of `trained` names:
    none, where that only says `yes` and `no`, whatever its classes. Without `trained` it knows all.
    """
    allowed = _merged(dataset, rule)
    if trained is None:
        return allowed
    labels, learnt = known_classes(allowed), trained.labels[trained.split("train")]
    return allowed & ((labels < 0) | np.isin(labels, learnt))[:, None]


def _merged(dataset: Dataset, rule: Rule) -> Flags:
    if dataset.classes == rule.classes:
        return dataset.allowed
    common = common_classes([*rule.classes, *dataset.label_classes])
    tumour = np.isin(rule.classes, rule.tumour_classes)
    allowed = {}
    for label, classes in dataset.label_classes.items():
        side = tumour == (not set(dataset.tumour_classes).isdisjoint(classes))
        named = [not set(common[label]).isdisjoint(common[name]) for name in rule.classes]
        allowed[label] = side & np.array(named)
    return np.array([allowed[label] for label in dataset.column("label")], np.bool_)
