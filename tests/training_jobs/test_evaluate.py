import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyrus.datasets import Dataset
from training_jobs.evaluate import (
    choose_threshold,
    conformal_limit,
    final_metrics,
    fit_temperature,
    softmax,
)


def test_temperature_finds_the_factor_by_which_logits_are_too_sure() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (4000, 3)).astype(np.float32)
    drawn = softmax(honest).cumsum(1) > rng.random((4000, 1))
    labels = drawn.argmax(1)
    assert fit_temperature(honest * 3, labels) == pytest.approx(3, rel=0.1)


def test_threshold_separates_what_can_be_separated_and_stays_near_one_half() -> None:
    tumour = np.array([0.1, 0.2, 0.9, 0.95], np.float32)
    truth = np.array([False, False, True, True])
    assert choose_threshold(tumour, truth) == 0.5
    shifted = np.array([0.01, 0.02, 0.1, 0.2], np.float32)
    assert 0.02 < choose_threshold(shifted, truth) < 0.1


@given(st.integers(100, 2000), st.integers(0, 2**32 - 1))
def test_at_most_one_in_a_hundred_lies_beyond_the_conformal_limit(n: int, seed: int) -> None:
    distances = np.random.default_rng(seed).random(n).astype(np.float32)
    assert np.mean(distances > conformal_limit(distances)) <= 0.01


def test_final_metrics_of_a_perfect_model_are_one_with_an_interval(small_dataset: Dataset) -> None:
    rows = small_dataset.split("test")
    labels = small_dataset.labels[rows]
    perfect = np.eye(len(small_dataset.classes), dtype=np.float32)[labels]
    metrics = final_metrics(perfect, labels, small_dataset.groups[rows], small_dataset, 0.5)
    for name in ("auroc", "accuracy", "sensitivity", "specificity"):
        assert metrics[name] == metrics[f"{name}_low"] == metrics[f"{name}_high"] == 1


def test_interval_of_a_guess_holds_one_half(small_dataset: Dataset) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, len(small_dataset.classes), 400)
    guess = softmax(rng.normal(size=(400, len(small_dataset.classes))).astype(np.float32))
    groups = np.arange(400).astype(np.str_)
    metrics = final_metrics(guess, labels, groups, small_dataset, 0.5)
    assert metrics["auroc_low"] < 0.5 < metrics["auroc_high"]
