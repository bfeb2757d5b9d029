"""Groups: copies, however they were changed, and nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gyrus.datasets.grouping import contradicting, equal_keys, group_images, join
from gyrus.datasets.near_copies import likeness, within
from gyrus.imaging import decode, preprocess
from gyrus.phantom import CLASSES, draw

DATA = Path(os.environ.get("GYRUS_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))

Image = NDArray[np.uint8]
Changed = Callable[[Image], Image]


def packed(image: Image) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [1, 50])[1], 0), np.uint8)


def resized(columns: float, rows: float) -> Changed:
    return lambda image: np.asarray(cv2.resize(image, None, fx=columns, fy=rows), np.uint8)


def cropped(left: float, top: float, right: float, bottom: float) -> Changed:
    """Cut off such parts of the head itself: the dark around it would be cut off anyhow."""

    def crop(image: Image) -> Image:
        _, head = preprocess(image)
        rows, columns = image.shape
        x, y = max(head.x, 0), max(head.y, 0)
        inner = image[y : min(rows, y + head.height), x : min(columns, x + head.width)]
        rows, columns = inner.shape
        across = slice(round(left * columns), round((1 - right) * columns))
        return inner[round(top * rows) : round((1 - bottom) * rows), across]

    return crop


def flipped(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])


@pytest.fixture(scope="module")
def heads() -> list[Image]:
    return [draw(label, seed=seed)[0] for label in CLASSES for seed in range(8)]


def grouped(images: list[Image], **keys: list[str]) -> list[str]:
    seen = np.stack([preprocess(image)[0] for image in images])
    files = [str(number) for number in range(len(seen))]
    return group_images(seen, **{"files": files, **keys}).groups  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        packed,
        resized(0.5, 0.5),
        resized(1.7, 1.7),
        resized(0.875, 0.7),
        flipped,
        cropped(0.02, 0.02, 0.02, 0.02),
        cropped(0.05, 0.05, 0.05, 0.05),
        cropped(0.02, 0.05, 0.04, 0.03),
        lambda image: packed(flipped(cropped(0.04, 0.03, 0.02, 0.03)(image))),
    ],
)
def test_a_changed_copy_is_in_the_group_of_its_original(
    heads: list[Image], change: Changed
) -> None:
    groups = grouped(heads + [change(head) for head in heads])
    found = sum(one == two for one, two in zip(groups[:32], groups[32:], strict=True))
    assert found >= 0.9 * 32
    assert len(set(groups[:32])) == 32


@pytest.mark.real
@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real images in {DATA}")
@pytest.mark.parametrize(
    ("change", "share"),
    [(packed, 0.97), (resized(0.875, 0.7), 0.97), (flipped, 0.99), (cropped(*[0.04] * 4), 0.95)],
)
def test_changed_copies_of_real_images_are_found(change: Changed, share: float) -> None:
    paths = sorted((DATA / "four_class").rglob("*.jpg"))[::40]
    images = [decode(path.read_bytes()) for path in paths]
    groups = grouped(images + [change(image) for image in images])
    count = len(images)
    found = sum(one == two for one, two in zip(groups[:count], groups[count:], strict=True))
    assert found >= share * count


def test_equal_files_patients_and_groups_share_a_group_but_only_files_are_copies(
    heads: list[Image],
) -> None:
    images = np.stack([preprocess(head)[0] for head in heads[:5]])
    grouping = group_images(
        images,
        files=["a", "b", "a", "c", "d"],
        patients=["", "p", "", "p", ""],
        groups=[(0, "g"), (0, "h"), (0, "i"), (1, "g"), (1, "g")],
    )
    assert grouping.groups == ["g000000", "g000001", "g000000", "g000001", "g000001"]
    assert grouping.copies == [(0, 2)]


def test_blank_images_are_copies_of_each_other_and_of_nothing_else(heads: list[Image]) -> None:
    blank = np.zeros((224, 224), np.uint8)
    assert grouped([blank, heads[0], blank]) == ["g000000", "g000001", "g000000"]
    assert likeness(np.zeros((48, 48), np.uint8), np.zeros((48, 48), np.uint8), 0) == 0


def test_no_images_are_no_groups() -> None:
    grouping = group_images(np.empty((0, 224, 224), np.uint8), files=[])
    assert (grouping.groups, grouping.copies) == ([], [])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(1, 60), st.sampled_from([3, 7, 10]))
def test_a_search_by_parts_finds_just_what_comparing_all_finds(
    seed: int, queries: int, hashes: int, radius: int
) -> None:
    generator = np.random.default_rng(seed)
    there = generator.integers(0, 2**64, hashes, dtype=np.uint64)
    asked = there[generator.integers(0, hashes, queries)]
    for _ in range(12):  # which leaves many near, and some just out of reach
        asked = asked ^ np.uint64(1) << generator.integers(0, 64, queries, dtype=np.uint64)
    apart = np.bitwise_count(asked[:, None] ^ there[None])
    expected = np.argwhere(apart <= radius)
    np.testing.assert_array_equal(within(asked, there, radius), expected)


def test_labels_contradict_each_other_where_no_class_fits_all_copies() -> None:
    yes, glioma, meningioma, no = [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]
    allowed = np.array([yes, glioma, no, no, yes, glioma, meningioma, no], dtype=np.bool_)
    found = contradicting([(0, 1), (2, 3), (5, 4), (6, 4)], allowed)
    assert found.tolist() == [False] * 4 + [True] * 3 + [False]
    assert contradicting([(1, 2), (2, 3)], allowed).tolist() == [False, *[True] * 3, *[False] * 4]
    assert not contradicting([], allowed).any()


@settings(deadline=None)
@given(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=30))
def test_rows_with_equal_keys_share_a_group_and_empty_keys_join_nothing(keys: list[str]) -> None:
    groups = join(len(keys), equal_keys(keys))
    for i, first in enumerate(keys):
        for j, second in enumerate(keys):
            together = i == j or (first == second and first != "")
            assert (groups[i] == groups[j]) == together


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40))
def test_joined_rows_share_a_group_through_any_chain(pairs: list[tuple[int, int]]) -> None:
    groups = join(20, pairs)
    reached = np.eye(20, dtype=bool)
    for i, j in pairs:
        reached[i, j] = reached[j, i] = True
    for _ in range(5):
        reached = reached @ reached
    for i in range(20):
        assert [groups[j] == groups[i] for j in range(20)] == reached[i].tolist()
