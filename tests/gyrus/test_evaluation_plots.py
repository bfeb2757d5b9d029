"""The pictures of a run and of what its model says."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus.bundle import Card
from gyrus.datasets import Dataset
from gyrus.evaluation.bands import GRID, precision_recall_curve, roc_curve
from gyrus.evaluation.calibration import softmax
from gyrus.evaluation.inference import infer
from gyrus.evaluation.measures import evaluate
from gyrus.evaluation.outcomes import Outcomes
from gyrus.evaluation.plots import (
    SHOWN,
    confusion,
    curves,
    draw_plots,
    heatmaps,
    reliability,
    roc,
    scores,
)
from gyrus.evaluation.report import ask
from gyrus.plots import NAMES
from gyrus.progress import Progress
from tests.bundles import CARD
from tests.gyrus.outcomes import CLASSES, RULE, draw_outcomes


def epoch(number: int, **metrics: float) -> Progress:
    return Progress(run="one", kind="epoch", epoch=number, of=3, metrics=metrics)


def card_of(outcomes: Outcomes) -> Card:
    given = {**RULE.model_dump(), "metrics": evaluate((outcomes, RULE)).model_dump()}
    return Card.model_validate({**CARD.model_dump(), **given})


def test_every_plot_is_a_picture_with_something_on_it(
    small: Dataset, graph: Path, tmp_path: Path
) -> None:
    outcomes = ask(graph, RULE, small, small.split("test"))
    epochs = [epoch(number, loss=1 / number, val_auroc=0.8) for number in (1, 2, 3)]
    draw_plots(tmp_path / "plots", epochs, outcomes, card_of(outcomes), graph, small)
    assert {path.stem for path in (tmp_path / "plots").iterdir()} == set(NAMES)
    for path in (tmp_path / "plots").iterdir():
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.std() > 10


def test_an_epoch_that_was_run_again_counts_once() -> None:
    figure = curves([epoch(1, loss=3.0), epoch(2, loss=9.0), epoch(2, loss=2.0)])
    [line] = figure.axes[0].lines
    assert list(line.get_ydata()) == [3.0, 2.0]
    assert not curves([]).axes[0].lines


def test_roc_names_the_auroc_and_leaves_out_what_has_no_rest() -> None:
    outcomes = draw_outcomes(80, skill=50)
    legend = roc(outcomes, card_of(outcomes)).axes[0].get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [f"{name}, AUROC 1.000" for name in ("tumour or not", *CLASSES)]
    gliomas = outcomes.of(outcomes.labels == 0)
    assert len(roc(gliomas, card_of(gliomas)).axes[0].lines) == 1


@pytest.mark.parametrize("curve_of", [roc_curve, precision_recall_curve])
def test_a_curve_lies_in_its_band(curve_of: object) -> None:
    outcomes = draw_outcomes(300, groups=200)
    values = outcomes.probabilities[:, 0].astype(np.float64)
    curve = curve_of(outcomes.labels == 0, values, outcomes.groups)
    y = np.interp(GRID, curve.x, curve.y)
    inside = (curve.low <= y + 1e-9) & (y <= curve.high + 1e-9)
    assert inside.mean() > 0.95
    assert (curve.high - curve.low).max() > 0.05


def test_confusion_counts_what_was_called_what() -> None:
    outcomes = draw_outcomes(4, skill=50)
    known = replace(
        outcomes,
        probabilities=np.eye(4, dtype=np.float32)[[0, 1, 1, 2]],
        allowed=np.eye(4, dtype=np.bool_)[[0, 1, 0, 2]],
    )
    texts = [text.get_text() for text in confusion(known, CLASSES).axes[0].texts]
    assert texts == list("1100010000100000")


def test_reliability_of_a_model_that_is_too_sure_lies_below_the_diagonal() -> None:
    outcomes = draw_outcomes(10)
    sure = replace(
        outcomes,
        probabilities=softmax(
            np.log(np.tile(np.array([0.9, 0.03, 0.05, 0.02], np.float32), (10, 1)))
        ),
        truth=np.arange(10) < 6,
    )
    axes = reliability(sure, card_of(sure)).axes[0]
    [mean], [truth] = axes.lines[1].get_data()
    assert (round(float(mean), 2), round(float(truth), 2)) == (0.95, 0.6)
    assert axes.lines[1].get_label() == "tumours, calibration error 0.350"


def test_scores_are_shown_with_the_thresholds() -> None:
    outcomes = draw_outcomes(50)
    card = card_of(outcomes)
    for upper, drawn in ((0.6, [0.3, 0.6]), (0.3, [0.3])):
        axes = scores(outcomes, card.model_copy(update={"upper_threshold": upper})).axes[0]
        assert [line.get_xdata()[0] for line in axes.lines] == drawn


@pytest.mark.parametrize("misses", [0, 1, 20])
def test_hits_and_misses_are_shown_under_the_heatmap_of_what_was_said(
    small: Dataset, graph: Path, misses: int
) -> None:
    rows = np.arange(40)  # two slices of each of twenty patients
    called = small.labels[rows].copy()
    called[:misses] = (called[:misses] + 1) % 4
    outcomes = replace(
        ask(graph, RULE, small, rows), probabilities=0.9 * np.eye(4, dtype=np.float32)[called]
    )
    figure = heatmaps(outcomes, RULE, graph, small, rows)
    hits, missed = figure.subfigs
    for part, count, right in ((hits, 40 - misses, True), (missed, misses, False)):
        assert f"{count} of 40 images" in part.get_suptitle()
        shown = [at for at in part.axes if at.images]
        assert len(shown) == min(SHOWN, (count + 1) // 2)
        for at in shown:
            label, said = at.get_title().split("\n")
            image, over = (one.get_array() for one in at.images)
            [row] = np.flatnonzero((small.images[rows] == image).all((1, 2)))
            assert label == small.column("label")[row]
            assert said == f"called {CLASSES[called[row]]}, 0.90"
            assert (called[row] == small.labels[row]) == right
            [maps] = infer(graph, small.images, rows[[row]], "cam")
            assert np.array_equal(over, maps[0, called[row]])
