"""Generated patients: the same every time, plausible, and no giveaway in their histograms."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gyrus.datasets import Dataset
from gyrus.errors import Conflict
from gyrus.imaging import decode, encode_png, preprocess
from gyrus.phantom import CLASSES, draw, generate
from gyrus.phantom.generate import patient


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return generate(tmp_path_factory.mktemp("datasets"), patients=100, slices=3)


def test_a_generated_dataset_names_what_it_is(phantom: Dataset) -> None:
    assert phantom.synthetic
    assert phantom.name == "phantom"
    assert phantom.classes == list(CLASSES)
    assert phantom.tumour_classes == ["glioma", "meningioma", "pituitary"]
    assert phantom.images.shape == (300, 224, 224)
    assert len(set(phantom.groups.tolist())) == 100


def test_a_patients_slices_stand_in_one_split(phantom: Dataset) -> None:
    where = dict(zip(phantom.column("patient"), phantom.column("split"), strict=True))
    for name, split in zip(phantom.column("patient"), phantom.column("split"), strict=True):
        assert where[name] == split


def test_every_split_has_every_class(phantom: Dataset) -> None:
    assert all(min(counts.values()) > 0 for counts in phantom.counts.values())


def test_masks_show_a_tumour_in_every_tumour_slice_and_nowhere_else(phantom: Dataset) -> None:
    assert phantom.masks is not None
    assert phantom.masks.max() == 1
    areas = phantom.masks.reshape(len(phantom.labels), -1).sum(1, dtype=np.int64)
    healthy = phantom.labels == phantom.classes.index("notumor")
    assert not areas[healthy].any()
    assert areas[~healthy].min() > 60
    assert areas.max() < 0.15 * 224 * 224


def test_masks_lie_in_the_geometry_of_the_images(phantom: Dataset) -> None:
    assert phantom.masks is not None
    brighter = [
        image[mask > 0].mean() > image[image > 20].mean()
        for image, mask, label in zip(phantom.images, phantom.masks, phantom.labels, strict=True)
        if phantom.classes[label] in {"meningioma", "pituitary"}
    ]
    assert np.mean(brighter) > 0.8


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    made = [generate(tmp_path, name=name, patients=10, slices=2, seed=3) for name in ("a", "b")]
    other = generate(tmp_path, name="c", patients=10, slices=2, seed=4)
    for file in ("images.npy", "masks.npy", "manifest.parquet"):
        first, second = ((dataset.folder / file).read_bytes() for dataset in made)
        assert first == second
    assert made[0].digest == made[1].digest != other.digest


def test_more_patients_leave_the_first_ones_as_they_were(tmp_path: Path) -> None:
    few = generate(tmp_path, name="few", patients=5, slices=2)
    many = generate(tmp_path, name="many", patients=10, slices=2)
    np.testing.assert_array_equal(few.images, many.images[:10])


def test_an_existing_name_is_a_conflict(phantom: Dataset) -> None:
    with pytest.raises(Conflict):
        generate(phantom.folder.parent, patients=5)


def test_progress_counts_patients(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate(tmp_path, patients=4, slices=1, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("label", CLASSES)
def test_a_drawn_slice_is_an_upload_that_preprocesses(label: str) -> None:
    image, mask = draw(label, seed=7)
    assert image.shape == mask.shape == (256, 256)
    assert bool(mask.any()) == (label != "notumor")
    np.testing.assert_array_equal(decode(encode_png(image)), image)
    assert preprocess(image)[0].std() > 20


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="glioma"):
        draw("stroke")


def test_a_pituitary_tumour_lies_on_the_midline_and_a_meningioma_at_the_edge() -> None:
    for seed in range(5):
        image, mask = draw("pituitary", seed=seed)
        head = np.flatnonzero((image > 60).sum(0) > 10)
        middle = (head[0] + head[-1]) / 2
        assert np.nonzero(mask)[1].mean() == pytest.approx(middle, abs=16)
        image, mask = draw("meningioma", seed=seed)
        rows, columns = np.nonzero(mask)
        centre = np.argwhere(image > 60).mean(0)
        assert np.hypot(rows - centre[0], columns - centre[1]).max() > 55


def test_a_patient_may_have_one_slice() -> None:
    assert len(list(patient("glioma", 1, np.random.default_rng(0)))) == 1


def test_histograms_do_not_tell_a_tumour(phantom: Dataset) -> None:
    images = phantom.images.reshape(len(phantom.labels), -1)
    histograms = np.stack([np.bincount(image >> 2, minlength=64) for image in images])
    tumour = phantom.labels != phantom.classes.index("notumor")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(
        model, histograms, tumour, groups=phantom.groups, cv=folds, method="predict_proba"
    )
    assert roc_auc_score(tumour, scores[:, 1]) < 0.75
