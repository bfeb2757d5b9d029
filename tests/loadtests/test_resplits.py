"""What is told of many deals of the same groups."""

import numpy as np

from loadtests.resplits import describe


def test_the_spread_of_deals_does_not_shrink_with_their_number() -> None:
    for deals in (100, 10_000):
        rates, held = np.tile([0.01, 0.03, 0.5], deals), np.tile([0.015, 0.015, np.nan], deals)
        said = describe(rates, held)
        assert said.startswith("0.0200 (standard deviation over deals 0.0100; held to 0.0150 in ")
        assert said.endswith(f" {2 * deals} of {3 * deals})")
