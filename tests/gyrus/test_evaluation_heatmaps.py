"""Figures of heatmaps."""

from typing import Any

import numpy as np

from gyrus.evaluation.heatmaps import energy, localisation, points


def a_mask() -> Any:
    mask = np.zeros((224, 224), np.uint8)
    mask[100:124, 100:124] = 1
    return mask


def a_map(row: int, column: int) -> Any:
    one = np.zeros((14, 14), np.float32)
    one[row, column] = 1
    return one


def test_a_point_hits_in_the_tumour_and_within_the_tolerance_of_it() -> None:
    assert points(a_map(6, 6), a_mask(), tolerance=0)
    assert not points(a_map(5, 6), a_mask(), tolerance=0)
    assert points(a_map(5, 6), a_mask())
    assert not points(a_map(1, 6), a_mask())


def test_a_map_of_zeros_hits_nothing() -> None:
    nothing = np.zeros((14, 14), np.float32)
    assert not points(nothing, a_mask())
    assert energy(nothing, a_mask()) == 0


def test_energy_is_the_share_inside() -> None:
    even = np.ones((14, 14), np.float32)
    np.testing.assert_allclose(energy(even, a_mask()), (24 / 224) ** 2, rtol=1e-5)


def test_of_each_image_the_map_of_its_own_label_counts() -> None:
    classes, labels = ["healthy", "glioma", "pituitary"], np.array([1, 2] * 5)
    maps = np.zeros((10, 3, 14, 14), np.float32)
    maps[:, 1] = a_map(6, 6)
    maps[:, 2] = a_map(1, 6)
    groups = np.arange(10).astype(np.str_)
    found = localisation(maps, labels, [a_mask()] * 10, groups, classes)
    assert found.keys() == {"glioma", "pituitary"}
    assert {one.images for one in found.values()} == {5}
    assert found["glioma"].pointing.value == 1
    assert found["glioma"].pointing.low < 1  # five are few
    assert found["pituitary"].pointing.value == 0
    assert found["glioma"].energy.value > 0.4
    assert found["pituitary"].energy.value == 0
