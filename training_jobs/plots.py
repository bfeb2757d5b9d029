"""Pictures of how a run went, and of how good its model is on the test split."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_auc_score, roc_curve

from gyrus.datasets import Dataset
from gyrus.plots import PlotName
from gyrus.progress import Progress
from training_jobs.evaluate import Floats

BINS = 10
DPI = 120


def draw_plots(
    folder: Path, epochs: list[Progress], probabilities: Floats, dataset: Dataset
) -> None:
    """Write one PNG a `PlotName` into `folder`.

    `epochs` are the run's events of kind `epoch`, `probabilities` (N, K) the calibrated ones of the
    test split.
    """
    labels = dataset.labels[dataset.split("test")]
    folder.mkdir(exist_ok=True)
    figures: Mapping[PlotName, Figure] = {
        "curves": curves(epochs),
        "roc": roc(probabilities, labels, dataset),
        "confusion": confusion(probabilities, labels, dataset.classes),
        "reliability": reliability(probabilities, labels),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DPI)


def curves(epochs: list[Progress]) -> Figure:
    """Loss and AUROC by epoch; an epoch that was run again counts as it was run last."""
    last = {event.epoch: event.metrics for event in epochs}
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, 2))
    for at, names in zip(axes, ({"loss", "val_loss"}, {"val_auroc", "val_accuracy"}), strict=True):
        for name in sorted(names):
            points = [(epoch, one[name]) for epoch, one in sorted(last.items()) if name in one]
            if points:
                at.plot(*zip(*points, strict=True), marker=".", label=name)
        at.set_xlabel("epoch")
        at.xaxis.set_major_locator(MaxNLocator(integer=True))
        at.grid(alpha=0.3)
        if at.lines:
            at.legend()
    axes[0].set_ylabel("loss")
    return figure


def roc(probabilities: Floats, labels: NDArray[np.int64], dataset: Dataset) -> Figure:
    """Sensitivity against 1 - specificity: tumour or not, and each class against the rest."""
    scores = {"tumour": (np.isin(labels, dataset.tumour_indices), dataset.tumour_indices)}
    scores |= {name: (labels == index, [index]) for index, name in enumerate(dataset.classes)}
    figure, at = _square()
    at.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for number, (name, (truth, columns)) in enumerate(scores.items()):
        if truth.all() or not truth.any():
            continue
        values = probabilities[:, columns].sum(1)
        fall_out, sensitivity, _ = roc_curve(truth, values)
        text = f"{name}, AUROC {roc_auc_score(truth, values):.3f}"
        at.plot(fall_out, sensitivity, label=text, linewidth=1 if number else 2.5)
    at.set(xlabel="1 - specificity", ylabel="sensitivity")
    if len(at.lines) > 1:
        at.legend(loc="lower right")
    return figure


def confusion(probabilities: Floats, labels: NDArray[np.int64], classes: list[str]) -> Figure:
    """How many test images of each class were called what."""
    counts = confusion_matrix(labels, probabilities.argmax(1), labels=range(len(classes)))
    figure, at = _square()
    at.imshow(counts, cmap="Blues")
    for row, column in np.ndindex(counts.shape):
        dark = counts[row, column] > counts.max() / 2
        colour = "white" if dark else "black"
        at.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    at.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    at.set_yticks(range(len(classes)), classes)
    at.set(xlabel="called", ylabel="truth")
    return figure


def reliability(probabilities: Floats, labels: NDArray[np.int64]) -> Figure:
    """How often the likeliest class is right, by its probability (Guo et al. 2017)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    filled = [number for number in range(BINS) if (bins == number).any()]
    accuracy = [float(right[bins == number].mean()) for number in filled]
    mean = [float(confidence[bins == number].mean()) for number in filled]
    share = [float(np.mean(bins == number)) for number in filled]
    error = sum(s * abs(a - m) for s, a, m in zip(share, accuracy, mean, strict=True))
    figure, at = _square()
    at.plot([0, 1], [0, 1], color="grey", linestyle=":")
    at.bar([(n + 0.5) / BINS for n in filled], share, width=0.9 / BINS, alpha=0.25, label="images")
    at.plot(mean, accuracy, marker="o", label=f"accuracy, ECE {error:.3f}")
    at.set(xlabel="probability of the likeliest class", ylabel="share", xlim=(0, 1), ylim=(0, 1.02))
    at.legend(loc="upper left")
    return figure


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.8, 4.6), layout="constrained")
    return figure, figure.subplots()
