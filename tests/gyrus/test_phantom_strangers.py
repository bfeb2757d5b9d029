import numpy as np

from gyrus.phantom.strangers import KINDS, SIDE, strangers


def test_pictures_take_turns_and_none_is_like_another() -> None:
    drawn = list(strangers(2 * len(KINDS)))
    assert [kind for kind, _ in drawn] == 2 * list(KINDS)
    assert all(one.shape == (SIDE, SIDE) and one.dtype == np.uint8 for _, one in drawn)
    assert all(np.ptp(one) > 50 for _, one in drawn)
    assert len({one.tobytes() for _, one in drawn}) == len(drawn)


def test_the_same_seed_draws_the_same() -> None:
    one, other, another = (
        np.stack([picture for _, picture in strangers(9, seed=seed)]) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, other)
    assert not np.array_equal(one, another)
