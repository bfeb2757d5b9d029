import numpy as np

from training_jobs.strangers import share_refused


def test_the_share_is_that_of_distances_beyond_the_limit() -> None:
    assert share_refused(lambda images: np.full(len(images), 2, np.float32), 1.5) == 1
    assert share_refused(lambda images: np.full(len(images), 2, np.float32), 2.5) == 0
