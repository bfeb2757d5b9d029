"""Figures of heatmaps."""

from typing import Any

import numpy as np

from gyrus.evaluation.heatmaps import energies, localisation, points


def a_mask() -> Any:
    mask = np.zeros((1, 224, 224), np.uint8)
    mask[:, 100:124, 100:124] = 1
    return mask


def a_map(row: int, column: int) -> Any:
    one = np.zeros((1, 14, 14), np.float32)
    one[0, row, column] = 1
    return one


def test_a_point_hits_in_the_tumour_and_within_the_tolerance_of_it() -> None:
    assert points(a_map(6, 6), a_mask(), tolerance=0).all()
    assert not points(a_map(5, 6), a_mask(), tolerance=0).any()
    assert points(a_map(5, 6), a_mask()).all()
    assert not points(a_map(1, 6), a_mask()).any()


def test_a_map_of_zeros_hits_nothing() -> None:
    nothing = np.zeros((1, 14, 14), np.float32)
    assert not points(nothing, a_mask()).any()
    assert energies(nothing, a_mask()) == 0


def test_energy_is_the_share_inside() -> None:
    even = np.ones((1, 14, 14), np.float32)
    np.testing.assert_allclose(energies(even, a_mask()), (24 / 224) ** 2, rtol=1e-5)


def test_of_each_image_the_map_of_its_own_label_counts() -> None:
    classes, labels = ["healthy", "glioma", "pituitary"], np.array(["glioma", "pituitary"] * 5)
    masks = np.repeat(a_mask(), 10, axis=0)
    maps = np.zeros((10, 3, 14, 14), np.float32)
    maps[:, 1] = a_map(6, 6)
    maps[:, 2] = a_map(1, 6)
    found = localisation(maps, classes, masks, labels, np.arange(10).astype(np.str_))
    assert found.keys() == {"glioma", "pituitary"}
    assert {one.images for one in found.values()} == {5}
    assert found["glioma"].pointing.value == 1
    assert found["glioma"].pointing.low < 1  # five are few
    assert found["pituitary"].pointing.value == 0
    assert found["glioma"].energy.value > 0.4
    assert found["pituitary"].energy.value == 0
