"""The model card as people read it."""

from gyrus.model_card import model_card
from tests.bundles import CARD


def test_rates_that_are_held_are_told_apart_from_those_over_images() -> None:
    text = model_card(CARD)
    said = text.index("The rates that they hold are means over groups")
    assert said < text.index("- tumours called `no_tumour`: held to 0.015 (asked 0.015, 100 groups")
