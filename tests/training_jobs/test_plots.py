"""The pictures of a run."""

from pathlib import Path

import cv2
import numpy as np

from gyrus.datasets import Dataset
from gyrus.plots import NAMES
from gyrus.progress import Progress
from training_jobs.evaluate import softmax
from training_jobs.plots import confusion, curves, draw_plots, reliability, roc


def epoch(number: int, **metrics: float) -> Progress:
    return Progress(run="one", kind="epoch", epoch=number, of=3, metrics=metrics)


def test_every_plot_is_a_picture_with_something_on_it(
    small_dataset: Dataset, tmp_path: Path
) -> None:
    labels = small_dataset.labels[small_dataset.split("test")]
    rng = np.random.default_rng(0)
    guess = softmax(rng.normal(size=(len(labels), len(small_dataset.classes))).astype(np.float32))
    epochs = [epoch(number, loss=1 / number, val_auroc=0.8) for number in (1, 2, 3)]
    draw_plots(tmp_path / "plots", epochs, guess, small_dataset)
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


def test_roc_names_the_auroc_and_leaves_out_what_has_no_rest(small_dataset: Dataset) -> None:
    labels = small_dataset.labels[small_dataset.split("test")]
    perfect = np.eye(len(small_dataset.classes), dtype=np.float32)[labels]
    legend = roc(perfect, labels, small_dataset).axes[0].get_legend()
    assert legend is not None
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[0] == "tumour, AUROC 1.000"
    assert len(texts) == 1 + len(small_dataset.classes)
    only_one = labels == labels[0]
    assert len(roc(perfect[only_one], labels[only_one], small_dataset).axes[0].lines) == 1


def test_confusion_counts_what_was_called_what() -> None:
    probabilities = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    labels = np.array([0, 1, 0, 2])
    texts = [
        text.get_text() for text in confusion(probabilities, labels, ["a", "b", "c"]).axes[0].texts
    ]
    assert texts == ["1", "1", "0", "0", "1", "0", "0", "0", "1"]


def test_reliability_of_a_model_that_is_too_sure_lies_below_the_diagonal() -> None:
    probabilities = np.tile(np.array([0.95, 0.05], np.float32), (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    axes = reliability(probabilities, labels).axes[0]
    [mean], [accuracy] = axes.lines[1].get_data()
    assert (round(float(mean), 2), round(float(accuracy), 2)) == (0.95, 0.6)
    assert axes.lines[1].get_label() == "accuracy, ECE 0.350"
