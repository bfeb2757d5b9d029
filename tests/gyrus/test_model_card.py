"""The model card as people read it."""

import re

from gyrus.model_card import model_card
from gyrus.plots import NAMES
from tests.bundles import CARD


def test_rates_that_are_held_are_told_apart_from_those_over_images() -> None:
    text = model_card(CARD)
    said = text.index("The rates that they hold are means over groups")
    assert said < text.index("- tumours called `no_tumour`: held to 0.015 (asked 0.015, 100 groups")


def test_a_rate_that_few_groups_cannot_hold_is_told() -> None:
    few = "held to 0.050, the least that so few groups can hold (asked 0.020, 19 groups)."
    assert f"- images beyond the distance limit: {few}" in model_card(CARD)


def test_an_older_card_says_no_rate_of_the_distance() -> None:
    text = model_card(CARD.model_copy(update={"too_far": None}))
    assert "- images beyond the distance limit" not in text


def test_false_alarms_that_are_not_held_are_told_with_the_reason() -> None:
    given_up = CARD.false_alarms.model_copy(update={"held": None})
    text = model_card(CARD.model_copy(update={"false_alarms": given_up}))
    assert "not held, for then the share of `uncertain` could not be (asked 0.050" in text


def test_plots_that_are_there_are_shown_in_their_sections() -> None:
    assert "![" not in model_card(CARD)
    text = model_card(CARD, NAMES)
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    shown = {name: re.findall(r"\(plots/(\w+)\.png\)", part) for name, part in sections.items()}
    assert shown["Metrics"] == ["scores"]
    assert shown["Training data"] == ["curves"]
    assert set(shown["Quantitative analyses"]) == set(NAMES) - {"scores", "curves"}
    assert sum(map(len, shown.values())) == len(NAMES)


def test_a_card_says_how_its_model_was_trained_if_it_knows() -> None:
    assert "Recipe" not in model_card(CARD)
    text = model_card(CARD.model_copy(update={"recipe": {"alpha": 0.35, "weights": "own.h5"}}))
    assert "\nRecipe: alpha 0.35, weights own.h5.\n" in text


def test_what_is_between_the_thresholds_is_told_only_where_they_are_two() -> None:
    one = CARD.model_copy(update={"upper_threshold": CARD.threshold})
    two = CARD.model_copy(update={"upper_threshold": CARD.threshold + 0.1})
    assert "between them" not in model_card(one)
    assert "between them, and beyond a distance" in model_card(two)
