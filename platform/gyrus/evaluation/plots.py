"""Pictures of how a run went, and of how good its model is on some images."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gyrus.bundle import Card, Rule
from gyrus.datasets import Dataset
from gyrus.evaluation.bands import GRID, Curve, precision_recall_curve, roc_curve
from gyrus.evaluation.calibration import BINS, bins_of
from gyrus.evaluation.inference import infer
from gyrus.evaluation.outcomes import (
    Doubles,
    Flags,
    Labels,
    Names,
    Outcomes,
    called_right,
    tumour_scores,
)
from gyrus.plots import PlotName
from gyrus.progress import Progress

DPI = 120

SHOWN = 6
"""So many hits, and so many misses, are shown at most."""


def draw_plots(
    folder: Path,
    epochs: Sequence[Progress],
    outcomes: Outcomes,
    card: Card,
    graph: Path,
    dataset: Dataset,
) -> None:
    """Write one PNG a `PlotName` into `folder`.

    `epochs` are the run's events of kind `epoch`, `outcomes` what `card.metrics` was made of: what
    the ONNX `graph` says of the test split of `dataset`.
    """
    folder.mkdir(exist_ok=True)
    figures: Mapping[PlotName, Figure] = {
        "curves": curves(epochs),
        "roc": roc(outcomes, card),
        "precision_recall": precision_recall(outcomes, card),
        "confusion": confusion(outcomes, card.classes),
        "reliability": reliability(outcomes, card),
        "scores": scores(outcomes, card),
        "heatmaps": heatmaps(outcomes, card, graph, dataset, dataset.split("test")),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=DPI)


def curves(epochs: Sequence[Progress]) -> Figure:
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


def roc(outcomes: Outcomes, card: Card) -> Figure:
    """Sensitivity against 1 - specificity: tumour or not, and each class against the rest."""
    figure, at = _square()
    at.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for label, images in _questions(outcomes, card, "auroc"):
        _draw(at, roc_curve(*images), label)
    at.set(xlabel="1 - specificity", ylabel="sensitivity")
    if len(at.lines) > 1:
        at.legend(loc="lower right", fontsize="small")
    return figure


def precision_recall(outcomes: Outcomes, card: Card) -> Figure:
    """Precision against sensitivity: tumour or not, and each class against the rest."""
    figure, at = _square()
    for label, images in _questions(outcomes, card, "auprc"):
        _draw(at, precision_recall_curve(*images), label)
    at.set(xlabel="sensitivity", ylabel="precision", ylim=(0, 1.02))
    if at.lines:
        at.legend(loc="lower left", fontsize="small")
    return figure


def confusion(outcomes: Outcomes, classes: list[str]) -> Figure:
    """How many images of each class were called what."""
    counts = np.zeros((len(classes), len(classes)), np.int64)
    known = outcomes.of(outcomes.labels >= 0)
    np.add.at(counts, (known.labels, known.probabilities.argmax(1)), 1)
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


def reliability(outcomes: Outcomes, card: Card) -> Figure:
    """How often there is a tumour, by its probability (Guo et al. 2017)."""
    values = tumour_scores(outcomes, card)
    bins = bins_of(values)
    filled = np.unique(bins)
    share = [float(np.mean(bins == number)) for number in filled]
    mean = [float(values[bins == number].mean()) for number in filled]
    truth = [float(outcomes.truth[bins == number].mean()) for number in filled]
    figure, at = _square()
    at.plot([0, 1], [0, 1], color="grey", linestyle=":")
    at.bar((filled + 0.5) / BINS, share, width=0.9 / BINS, alpha=0.25, label="images")
    error = card.metrics.tumour.calibration_error
    label = "tumours" if error is None else f"tumours, calibration error {error.value:.3f}"
    at.plot(mean, truth, marker="o", label=label)
    at.set(xlabel="probability of a tumour", ylabel="share", xlim=(0, 1), ylim=(0, 1.02))
    at.legend(loc="upper left", fontsize="small")
    return figure


def scores(outcomes: Outcomes, rule: Rule) -> Figure:
    """How many images have which probability of a tumour, and where the thresholds are."""
    values = tumour_scores(outcomes, rule)
    figure, at = _square()
    sides = {"tumour": outcomes.truth, "no tumour": ~outcomes.truth}
    edges = np.linspace(0, 1, 41)
    for name, side in sides.items():
        at.hist(values[side], bins=list(edges), alpha=0.6, label=f"{name}, {side.sum()}")
    lines = {rule.upper_threshold: ":", rule.threshold: "--"}  # one, where they are the same
    for threshold, style in sorted(lines.items()):
        at.axvline(threshold, color="black", linestyle=style, label=f"threshold {threshold:.3f}")
    at.set(xlabel="probability of a tumour", ylabel="images", xlim=(-0.01, 1.01), yscale="log")
    at.legend(loc="upper center", fontsize="small")
    return figure


def heatmaps(outcomes: Outcomes, rule: Rule, graph: Path, dataset: Dataset, rows: Labels) -> Figure:
    """Some hits and misses among `rows`, each under the heatmap of its likeliest class."""
    right, said = called_right(outcomes, rule), outcomes.probabilities.argmax(1)
    labels = np.array(dataset.column("label"))[rows]
    sides = {"hits": right, "misses": ~right}
    chosen = [_spread(which, labels, outcomes.groups) for which in sides.values()]
    places = np.concatenate(chosen)
    [maps] = infer(graph, dataset.images, rows[places], "cam")
    map_of = dict(zip(places.tolist(), maps, strict=True))
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    halves = figure.subfigures(2, squeeze=False)[:, 0]
    for part, (name, which), shown in zip(halves, sides.items(), chosen, strict=True):
        part.suptitle(f"{name}: {which.sum()} of {len(which)} images", fontsize="medium")
        axes = part.subplots(1, SHOWN)
        for at in axes:
            at.axis("off")
        for at, place in zip(axes, shown.tolist(), strict=False):
            called = int(said[place])
            probability = outcomes.probabilities[place, called]
            title = f"{labels[place]}\ncalled {rule.classes[called]}, {probability:.2f}"
            at.set_title(title, fontsize="xx-small")
            below = at.imshow(dataset.images[rows[place]], cmap="gray", vmin=0, vmax=255)
            at.imshow(
                map_of[place][called],
                cmap="inferno",
                alpha=0.5,
                vmin=0,
                interpolation="bilinear",
                extent=below.get_extent(),
            )
    return figure


def _spread(which: Flags, labels: Names, groups: Names) -> Labels:
    """A few of the images that are meant, of all labels, each of another group."""
    rows = np.flatnonzero(which)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    rows = rows[np.sort(np.unique(groups[rows], return_index=True)[1])]
    count = min(SHOWN, len(rows))
    return np.asarray(rows[np.arange(count) * len(rows) // max(count, 1)])


def _questions(
    outcomes: Outcomes, card: Card, area: str
) -> Iterator[tuple[str, tuple[Flags, Doubles, Names]]]:
    """Each question whose `area` under a curve is known: truth, probability and group of images."""
    known = outcomes.of(outcomes.labels >= 0)
    tumour = outcomes.truth, tumour_scores(outcomes, card), outcomes.groups
    questions = [("tumour or not", card.metrics.tumour, tumour)]
    for name, metrics in card.metrics.classes.items():
        index = card.classes.index(name)
        values = known.probabilities[:, index].astype(np.float64)
        questions.append((name, metrics, (known.labels == index, values, known.groups)))
    for name, metrics, images in questions:
        if one := metrics.estimates().get(area):
            yield f"{name}, {area.upper()} {one.value:.3f}", images


def _draw(at: Axes, curve: Curve, label: str) -> None:
    [line] = at.plot(curve.x, curve.y, label=label, linewidth=1.5)
    at.fill_between(GRID, curve.low, curve.high, color=line.get_color(), alpha=0.15, linewidth=0)


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.8, 4.6), layout="constrained")
    return figure, figure.subplots()
