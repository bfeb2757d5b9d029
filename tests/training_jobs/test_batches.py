import numpy as np
import pytest

from gyrus.datasets import Dataset
from training_jobs.augment import augment
from training_jobs.batches import LEAST_STEPS, TrainBatches, class_weights, steps_per_epoch


def shares(dataset: Dataset, world: int, epoch: int = 0) -> list[list[np.ndarray]]:
    """Images of each step, one list a rank."""
    return [
        [
            batch[0]
            for batch in TrainBatches(dataset, batch=8, rank=rank, world=world, seed=3).epoch(epoch)
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
    batches = TrainBatches(small_dataset, batch=8, rank=0, world=1, seed=0)
    seen = np.concatenate([labels for _, labels, _ in batches.epoch(0)])
    once = np.bincount(small_dataset.labels[rows])
    passes = len(seen) / len(rows)
    assert len(seen) == batches.steps * 8 >= len(rows)
    assert (np.bincount(seen) >= once * int(passes)).all()
    assert (np.bincount(seen) <= once * int(passes + 1)).all()


def test_a_small_dataset_is_passed_several_times_an_epoch_augmented_anew(
    small_dataset: Dataset,
) -> None:
    images = np.concatenate(shares(small_dataset, 1)[0])
    assert len(images) == LEAST_STEPS * 8 > 2 * len(small_dataset.split("train"))
    assert len({image.tobytes() for image in images}) == len(images)


def test_a_large_dataset_is_passed_once_an_epoch() -> None:
    assert steps_per_epoch(10_000, 32) == 313


def test_class_weights_make_every_class_count_the_same() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2], dtype=np.int64)
    weights = class_weights(labels, 4)
    totals = [weights[labels[labels == k]].sum() for k in range(3)]
    assert totals == pytest.approx([2.0, 2.0, 2.0])
    assert weights[3] == 0


def test_augmentation_keeps_shape_and_type_and_moves_the_image() -> None:
    image = np.zeros((224, 224), np.uint8)
    image[60:120, 80:160] = 200
    moved = augment(image, np.random.default_rng(1))
    assert moved.shape == image.shape
    assert moved.dtype == np.uint8
    assert not np.array_equal(moved, image)
    assert moved.max() > 100
