"""The second method by which copies are counted."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus import phantom
from gyrus.datasets import merge
from loadtests.copies import alike, compare


def test_packed_darker_and_mirrored_images_are_alike_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    one, other = (cv2.resize(rng.integers(0, 256, (9, 9), np.uint8), (224, 224)) for _ in range(2))
    packed = cv2.imdecode(cv2.imencode(".jpg", one, [1, 40])[1], cv2.IMREAD_GRAYSCALE)
    images = [other, one, packed, one[:, ::-1], one // 2, np.zeros_like(one)]
    pairs = alike(np.stack(images)).tolist()
    assert pairs == [[1, 2], [1, 3], [1, 4], [2, 3], [2, 4], [3, 4]]


def test_it_says_how_parts_stand_in_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [phantom.generate(tmp_path, name=name, patients=16, slices=1) for name in "ab"]
    compare(merge(parts, tmp_path, "both"))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "16 pairs correlate to 0.98, 100.00% of them in one group"
    assert said[-2:] == [
        "a: 16 of 16 images stand in b",
        "b: 16 of 16 images stand in a",
    ]


def test_it_says_so_where_no_image_is_a_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(phantom.generate(tmp_path, patients=16, slices=1))
    assert capsys.readouterr().out == "No pair correlates to 0.98.\n"
