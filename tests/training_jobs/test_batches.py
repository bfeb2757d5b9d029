import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus import phantom
from gyrus.datasets import Dataset, merge
from training_jobs.augment import DRAWS, SHIFT, STRONG, augment
from training_jobs.batches import AHEAD, LEAST_STEPS, TrainBatches, label_weights, steps_per_epoch


def shares(dataset: Dataset, world: int, epoch: int = 0) -> list[list[np.ndarray]]:
    """Images of each step, one list a rank."""
    return [
        [
            batch[0]
            for batch in TrainBatches(
                dataset, STRONG, batch=8, rank=rank, world=world, seed=3
            ).epoch(epoch)
        ]
        for rank in range(world)
    ]


@pytest.mark.parametrize("world", [2, 3])
def test_workers_together_see_the_batches_that_one_worker_sees(
    small_dataset: Dataset, world: int
) -> None:
    alone = shares(small_dataset, 1)[0]
    together = zip(*shares(small_dataset, world), strict=True)
    for whole, parts in zip(alone, together, strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_an_epoch_is_the_same_when_it_is_run_again_and_differs_from_the_next(
    small_dataset: Dataset,
) -> None:
    first, again = shares(small_dataset, 1)[0], shares(small_dataset, 1)[0]
    other = shares(small_dataset, 1, epoch=1)[0]
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert not np.array_equal(np.concatenate(first), np.concatenate(other))


def test_only_the_training_split_is_trained_on_and_all_of_it(small_dataset: Dataset) -> None:
    rows = small_dataset.split("train")
    batches = TrainBatches(small_dataset, STRONG, batch=8, rank=0, world=1, seed=0)
    seen = np.concatenate([np.argmax(allowed, 1) for _, allowed, _ in batches.epoch(0)])
    once = np.bincount(small_dataset.labels[rows])
    passes = len(seen) / len(rows)
    assert len(seen) == batches.steps * 8 >= len(rows)
    assert (np.bincount(seen) >= once * int(passes)).all()
    assert (np.bincount(seen) <= once * int(passes + 1)).all()


def test_images_go_with_their_labels(
    small_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training_jobs.batches.augment", lambda images, *_: np.stack(images))
    batches = TrainBatches(small_dataset, STRONG, batch=8, rank=0, world=1, seed=3)
    rows = small_dataset.split("train")
    of_images = batches.epoch(0)
    of_rows = batches.epoch(0, features=rows[:, None].astype(np.float32))
    for (images, allowed, _), (features, _, _) in zip(of_images, of_rows, strict=True):
        mine = features.numpy()[:, 0].astype(int)
        np.testing.assert_array_equal(images[..., 0], small_dataset.images[mine])
        np.testing.assert_array_equal(allowed, small_dataset.allowed[mine])


def test_a_small_dataset_is_passed_several_times_an_epoch_augmented_anew(
    small_dataset: Dataset,
) -> None:
    images = np.concatenate(shares(small_dataset, 1)[0])
    assert len(images) == LEAST_STEPS * 8 > 2 * len(small_dataset.split("train"))
    assert len({image.tobytes() for image in images}) == len(images)


def test_a_large_dataset_is_passed_once_an_epoch() -> None:
    assert steps_per_epoch(10_000, 32) == 313


def test_weights_make_every_label_of_a_source_count_the_same() -> None:
    sources = np.array(["a"] * 6 + ["b"] * 3)
    labels = np.array([*"000122", *"011"])
    weights = label_weights(sources, labels)
    of_a = [weights[(sources == "a") & (labels == label)].sum() for label in "012"]
    of_b = [weights[(sources == "b") & (labels == label)].sum() for label in "01"]
    assert of_a == pytest.approx([2.0, 2.0, 2.0])
    assert of_b == pytest.approx([1.5, 1.5])


@pytest.mark.parametrize("world", [1, 3])
def test_each_batch_mixes_sources_evenly_and_says_what_labels_allow(
    small_dataset: Dataset, tmp_path: Path, world: int
) -> None:
    few = phantom.generate(tmp_path, name="few", patients=20, slices=1, seed=6)
    merged = merge([small_dataset, few], tmp_path, "merged")
    rows = merged.split("train")
    ranks = [
        TrainBatches(merged, STRONG, batch=8, rank=r, world=world, seed=3) for r in range(world)
    ]
    features = np.arange(len(rows), dtype=np.float32)[:, None]
    for parts in zip(*(rank.epoch(0, features=features) for rank in ranks), strict=True):
        places = np.concatenate([part[0] for part in parts])[:, 0].astype(int)
        assert sorted(merged.sources[rows][places]) == ["few"] * 4 + ["small"] * 4
        allowed = np.concatenate([part[1] for part in parts])
        assert np.array_equal(allowed, merged.allowed[rows][places])


def test_an_epoch_goes_on_in_its_middle(small_dataset: Dataset) -> None:
    batches = TrainBatches(small_dataset, STRONG, batch=8, rank=0, world=1, seed=3)
    whole, rest = list(batches.epoch(1)), list(batches.epoch(1, start=LEAST_STEPS - 2))
    assert len(rest) == 2
    for one, again in zip(whole[-2:], rest, strict=True):
        for before, after in zip(one, again, strict=True):
            np.testing.assert_array_equal(before, after)


def test_an_epoch_that_the_last_one_began_is_the_same(small_dataset: Dataset) -> None:
    features = np.arange(len(small_dataset.split("train")), dtype=np.float32)[:, None]
    batches = TrainBatches(small_dataset, STRONG, batch=8, rank=0, world=1, seed=3)
    for number, inputs in ((0, features), (1, features), (2, None), (3, None), (3, None)):
        alone = TrainBatches(small_dataset, STRONG, batch=8, rank=0, world=1, seed=3)
        both = zip(
            batches.epoch(number, features=inputs),
            alone.epoch(number, features=inputs),
            strict=True,
        )
        for one, other in both:
            for before, after in zip(one, other, strict=True):
                np.testing.assert_array_equal(before, after)


def test_the_first_batches_of_an_epoch_are_made_before_it_begins(
    small_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def count(images: list[np.ndarray], *_: object) -> np.ndarray:
        made.append(len(images))
        return np.stack(images)

    monkeypatch.setattr("training_jobs.batches.augment", count)
    batches = TrainBatches(small_dataset, STRONG, batch=8, rank=0, world=1, seed=3)
    assert len(list(batches.epoch(0))) == batches.steps
    patience = time.monotonic() + 10
    while len(made) < batches.steps + AHEAD and time.monotonic() < patience:
        time.sleep(0.01)
    assert made == [8] * (batches.steps + AHEAD)


def test_augmentation_keeps_shape_and_type_and_moves_each_image_otherwise() -> None:
    image = np.zeros((224, 200), np.uint8)
    image[60:120, 80:160] = 200
    moved = augment([image, image], np.random.default_rng(1).random((2, DRAWS)), STRONG)
    assert moved.shape == (2, 224, 200)
    assert moved.dtype == np.uint8
    assert len({some.tobytes() for some in (image, *moved)}) == 3
    assert (moved.max((1, 2)) > 100).all()


def test_draws_in_the_middle_change_nothing_and_each_of_them_one_thing() -> None:
    image = np.zeros((224, 224), np.uint8)
    image[50:100, 20:80] = 100
    middle = np.full(DRAWS, 0.5)
    changed = [np.where(np.arange(DRAWS) == one, 0.999999, middle) for one in range(DRAWS)]
    same, turned, larger, right, lower, brighter, darker, mirrored = augment(
        [image] * 8, np.array([middle, *changed]), STRONG
    )
    np.testing.assert_array_equal(same, image)
    turn = cv2.getRotationMatrix2D((111.5, 111.5), STRONG.degrees, 1)
    zoom = cv2.getRotationMatrix2D((111.5, 111.5), 0, 1 + STRONG.zoom)
    for made, matrix in ((turned, turn), (larger, zoom)):
        expected = cv2.warpAffine(image, matrix, (224, 224)).astype(int)
        assert np.abs(made - expected).mean() < 0.1
    far = 224 * SHIFT
    for made, way in ((right, (0, far)), (lower, (far, 0))):
        places = [np.argwhere(some > 50).mean(0) for some in (image, made)]
        np.testing.assert_allclose(places[1] - places[0], way, atol=0.5)
    assert brighter.max() == round(100 * (1 + STRONG.brightness))
    assert darker.max() == round(255 * (100 / 255) ** STRONG.gamma)
    np.testing.assert_array_equal(mirrored, image[:, ::-1])
