"""Registered models on datasets that they know, know in part, or do not know."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus import phantom
from gyrus.datasets import Dataset, import_folder, merge
from gyrus.datasets.folds import hold_out
from gyrus.datasets.labels import known_classes
from gyrus.errors import InvalidDataset
from gyrus.evaluation.inference import infer
from gyrus.evaluation.report import allowed_classes, evaluate_version, measure, share_refused
from gyrus.evaluation.seen import find_trained, seen
from gyrus.registry import ModelVersion
from gyrus.settings import PlatformSettings
from tests.bundles import CARD
from tests.gyrus.outcomes import CLASSES, RULE


def trained_on(dataset: Dataset, **changes: object) -> ModelVersion:
    given = {
        **CARD.model_dump(),
        **RULE.model_dump(),
        "dataset_digest": dataset.digest,
        "split_digest": dataset.split_digest,
        **changes,
    }
    return ModelVersion(
        version=3,
        digest="d",
        source="",
        bundle=None,
        card=given,
        created_at=datetime.now(UTC),
        champion=False,
    )


def other_set(small: Dataset, folder: Path, rows: list[int]) -> Dataset:
    """A yes/no set with some images of `small`, as JPEG in another size, and new ones."""
    new = phantom.generate(folder, name="new", patients=24, slices=1, seed=77)
    drawn = [(new.images[row], new.truth[row], f"new{row}.png") for row in range(24)]
    for row in rows:
        image = cv2.resize(np.asarray(small.images[row]), (200, 200))
        drawn.append((image, small.truth[row], f"old{row}.jpg"))
    for image, truth, name in drawn:
        target = folder / "files" / ("yes" if truth else "no")
        target.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target / name), np.asarray(image))
    return import_folder(folder / "files", folder, "yesno")


def test_pictures_that_are_no_brain_are_refused_for_their_distance(graph: Path) -> None:
    assert share_refused(graph, -1) == 1
    assert share_refused(graph, np.inf) == 0


def test_figures_of_a_whole_split_are_right(small: Dataset, graph: Path) -> None:
    limit = float(np.median(infer(graph, small.images, small.split("test"), "distance")[0]))
    rule = RULE.model_copy(update={"distance_limit": limit})
    found, outcomes = measure(graph, rule, small, small.split("test"), small)
    assert found.heatmaps.keys() == set(small.tumour_classes)
    drawn = sum(one.images for one in found.heatmaps.values())
    assert drawn == outcomes.truth.sum()
    assert found.tumour.too_far is not None
    assert found.tumour.too_far.value == pytest.approx(
        np.mean(outcomes.distances > limit), abs=1e-5
    )
    assert 0.3 < found.tumour.too_far.value <= 0.5


def test_a_model_is_evaluated_on_the_test_split_of_its_own_dataset(
    small: Dataset, graph: Path
) -> None:
    model, told = trained_on(small), []
    report = evaluate_version(
        model, graph, small, small, progress=lambda done, of: told.append((done, of))
    )
    test = small.split("test")
    assert report.seen == len(small.images) - len(test)
    assert report.evaluation.tumour.images == len(test)
    assert report.evaluation.tumour.groups == len(set(small.groups[test].tolist()))
    assert list(report.evaluation.classes) == CLASSES
    assert told[-1] == (len(test), len(test))


def test_copies_of_what_a_model_learnt_from_are_left_out(
    small: Dataset, graph: Path, tmp_path: Path
) -> None:
    learnt, test = small.split("train")[:6].tolist(), small.split("test")[:3].tolist()
    other = other_set(small, tmp_path, [*learnt, *test])
    model = trained_on(small)
    known = seen(other, small)
    sources = np.array(other.column("source"))
    assert {name for name in sources[known] if "old" in name} == {
        name for name in sources if any(f"old{row}." in name for row in learnt)
    }
    report = evaluate_version(model, graph, other, small)
    assert report.seen == known.sum() >= len(learnt)
    assert report.evaluation.tumour.images == (~known).sum()
    unchecked = evaluate_version(model, graph, other, None)
    assert (unchecked.seen, unchecked.evaluation.tumour.images) == (None, len(other.images))


def test_other_slices_of_patients_that_a_model_learnt_from_are_left_out(
    small: Dataset, tmp_path: Path
) -> None:
    other = phantom.generate(tmp_path, name="other", patients=32, slices=1, seed=5)
    learnt = {small.column("patient")[row] for row in np.flatnonzero(seen(small, small))}
    assert 0 < len(learnt) < 32
    assert seen(other, small).tolist() == [name in learnt for name in other.column("patient")]


def test_where_no_image_is_left_nothing_is_evaluated(small: Dataset, graph: Path) -> None:
    learnt = small.resplit(["train"] * len(small.images))
    with pytest.raises(InvalidDataset, match="no image is left"):
        evaluate_version(trained_on(small), graph, learnt, learnt)


def test_what_a_model_was_trained_on_is_found_by_its_digest(small: Dataset, tmp_path: Path) -> None:
    settings = PlatformSettings(home=tmp_path)
    card = trained_on(small).card
    assert find_trained(card, settings) is None
    for folder in (settings.datasets, settings.copies):
        shutil.copytree(small.folder, folder / "small")
        found = find_trained(card, settings)
        assert found is not None
        assert found.folder == folder / "small"
        shutil.rmtree(folder)


def test_coarse_labels_say_tumour_or_not_only(small: Dataset, graph: Path, tmp_path: Path) -> None:
    other = other_set(small, tmp_path, [])
    allowed = allowed_classes(other, RULE)
    tumours = np.array(CLASSES) != "notumor"
    yes = np.array(other.column("label")) == "yes"
    assert (allowed[yes] == tumours).all() and (allowed[~yes] == ~tumours).all()
    found = evaluate_version(trained_on(small), graph, other, small).evaluation
    assert found.tumour.auroc is not None
    assert list(found.classes) == ["notumor"]


def test_fine_labels_fit_a_model_of_tumour_or_not(small: Dataset) -> None:
    rule = RULE.model_copy(update={"classes": ["no", "yes"], "tumour_classes": ["yes"]})
    allowed = allowed_classes(small, rule)
    assert (allowed[:, 1] == small.truth).all() and (allowed.sum(1) == 1).all()


@pytest.mark.parametrize("kinds", [["glioma"], ["glioma", "schwannoma"]])
def test_a_kind_that_the_model_does_not_know_only_says_tumour(
    small: Dataset, kinds: list[str]
) -> None:
    classes = [*kinds, "no"]
    rule = RULE.model_copy(update={"classes": classes, "tumour_classes": kinds})
    allowed = allowed_classes(small, rule)
    labels = np.array(small.column("label"))
    assert (allowed[labels == "glioma"] == (np.array(classes) == "glioma")).all()
    assert (allowed[labels == "notumor"] == (np.array(classes) == "no")).all()
    assert not allowed[labels == "pituitary"].any()
    assert (known_classes(allowed[labels == "pituitary"]) == -1).all()


def test_a_model_that_was_told_no_kind_is_asked_for_none(
    small: Dataset, graph: Path, tmp_path: Path
) -> None:
    yes_no = other_set(small, tmp_path, [])
    both = hold_out(merge([small, yes_no], tmp_path, "both"), "source:small", seed=0)
    rule = RULE.model_copy(update={"distance_limit": np.inf})
    found, outcomes = measure(graph, rule, both, both.split("test"), both)
    assert list(found.classes) == ["notumor"]
    assert not found.heatmaps
    healthy = outcomes.probabilities.argmax(1) == CLASSES.index("notumor")
    assert found.tumour.accuracy is not None
    assert found.tumour.accuracy.value == pytest.approx(
        np.mean(healthy != outcomes.truth), abs=1e-5
    )
