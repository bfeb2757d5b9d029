"""The model card to be read: what `card.json` says, in the sections of Mitchell et al. 2019."""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from gyrus.metrics import TOLERANCE, Estimate, Localisation, Metrics
from gyrus.plots import FOLDER, PlotName

if TYPE_CHECKING:
    from gyrus.bundle import Card, Risk

NAMES = {
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "precision": "Precision",
    "f1": "F1",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
    "miss_rate": "Tumours called `no_tumour`",
    "false_alarm_rate": "Healthy images called `tumour`",
    "uncertain": "Images called `uncertain`",
    "too_far": "Images beyond the distance limit",
}
"""What people call each figure."""

PICTURES: dict[PlotName, str] = {
    "curves": "Loss and AUROC by epoch",
    "roc": "ROC curves with 95 % bands",
    "precision_recall": "Precision-recall curves with 95 % bands",
    "confusion": "How many images of each class were called what",
    "reliability": "How often there is a tumour, by its probability",
    "scores": "Probabilities of a tumour, and the thresholds",
    "heatmaps": "Hits and misses, each under the heatmap of what it was called",
}
"""What each plot shows."""


def model_card(card: "Card", plots: Collection[PlotName] = ()) -> str:
    """The card as Markdown, with the `plots` that stand beside it."""
    tumours = ", ".join(card.tumour_classes)
    healthy = ", ".join(name for name in card.classes if name not in card.tumour_classes)
    kind = "generated" if card.synthetic else "real"
    commit = f", commit {card.git_commit}" if card.git_commit else ""
    between = "between them, and " if card.upper_threshold > card.threshold else ""
    sections = {
        "Model details": [
            f"- Architecture: {card.architecture}, one gray image of 224×224 pixels "
            f"(preprocessing `{card.preprocessing.get('name')}`).",
            f"- Classes with a tumour: {tumours or 'none'}. Without: {healthy or 'none'}.",
            f"- Made by the training run {card.run}{commit}, {card.created_at or 'undated'}.",
            f"- Probabilities are calibrated with temperature {card.temperature:.3f} "
            "(Guo et al. 2017).",
        ],
        "Intended use": [
            "Research and teaching with slices of brain MRI. It is not a medical device: no "
            "diagnosis may rest on it, nor on its heatmaps.",
        ],
        "Factors": [
            "Scanner, sequence, plane, age and kind of tumour change what it sees. Of these only "
            "the class and the set that an image came from are known here; figures for both are "
            "below, and for patients of a certain age or sex there are none.",
        ],
        "Metrics": [
            f"A probability of a tumour below {card.threshold:.4f} is called `no_tumour`, from "
            f"{card.upper_threshold:.4f} on `tumour`; {between}beyond a distance of "
            f"{card.distance_limit:.2f} to the training images, the answer is `uncertain`. The "
            "three come from the calibration split by conformal risk control (Angelopoulos "
            "et al. 2022). The rates that they hold are means over groups, of the share of a "
            "group's images; those in the tables are over images:",
            "",
            _held("tumours called `no_tumour`", card.misses),
            _held("healthy images called `tumour`", card.false_alarms),
            *([_held("images beyond the distance limit", card.too_far)] if card.too_far else []),
            "",
            "Accuracy counts images whose likeliest class is one that their label allows. "
            "Sensitivity, specificity, precision and F1 of a tumour are those of the lower "
            "threshold, those of a class are of the images of which it is the likeliest. "
            "Intervals hold 95 % of bootstrap draws of groups (one patient's images, copies of an "
            "image); those of shares are binomial where every group was right, or none was.",
            *_pictures(plots, "scores"),
        ],
        "Evaluation data": [
            f"The test split of `{card.dataset}`: {_size(card.metrics.tumour)}. None of them is in "
            "another split, nor is a copy that was found.",
        ],
        "Training data": [
            f"`{card.dataset}`, {kind} images (digest `{card.dataset_digest[:12]}`, split "
            f"`{card.split_digest[:12]}`).",
            "",
            *_counts(card.images),
            *_recipe(card.recipe),
            *_pictures(plots, "curves"),
        ],
        "Quantitative analyses": [
            f"Tumour or not, {_size(card.metrics.tumour)}:",
            "",
            *_figures(card.metrics.tumour),
            *_pictures(plots, "roc", "precision_recall", "reliability", "confusion"),
            *_blocks("One class against the rest", card.metrics.classes),
            *_blocks("Tumour or not, by source", card.metrics.sources),
            *_heatmaps(card.metrics.heatmaps),
            *_pictures(plots, "heatmaps"),
            "",
            f"Beyond the distance limit were {100 * card.strangers_refused:.1f} % of drawn "
            "pictures that are no brain MRI: noise, textures, text, charts, trunks, limbs, spines.",
        ],
        "Ethical considerations": [
            "Public collections name neither patients nor how labels were found, and hold copies "
            "and wrong labels. Who is rare in them is served worse, and no figure here shows it.",
        ],
        "Caveats and recommendations": [
            *(["It has seen generated images only.", ""] if card.synthetic else []),
            "The figures and the rates are those of images like these. Measure it on your own "
            "before you rely on it: `gyrus evaluate VERSION --dataset NAME`.",
        ],
    }
    text = "\n\n".join(
        "\n".join([f"## {title}", "", *lines]).rstrip() for title, lines in sections.items()
    )
    return f"# Gyrus model {card.run}\n\n{text}\n"


def _held(what: str, risk: "Risk") -> str:
    if risk.held is None:
        said = "not held, for then the share of `uncertain` could not be"
    elif risk.held > risk.asked:
        said = f"held to {risk.held:.3f}, the least that so few groups can hold"
    else:
        said = f"held to {risk.held:.3f}"
    return f"- {what}: {said} (asked {risk.asked:.3f}, {risk.groups} groups)."


def _size(metrics: Metrics) -> str:
    return f"{metrics.images} images in {metrics.groups} groups"


def _figures(metrics: Metrics) -> Iterable[str]:
    rows = ((NAMES[name], one) for name, one in metrics.estimates().items())
    return ["| figure | value | 95 % |", "|---|---|---|", *(_row(name, one) for name, one in rows)]


def _row(name: str, one: Estimate) -> str:
    return f"| {name} | {one.value:.3f} | {one.low:.3f} to {one.high:.3f} |"


def _blocks(title: str, blocks: Mapping[str, Metrics]) -> Iterable[str]:
    for name, metrics in blocks.items():
        yield from ("", f"{title}: {name}, {_size(metrics)}:", "", *_figures(metrics))


def _heatmaps(kinds: Mapping[str, Localisation]) -> Iterable[str]:
    if kinds:
        yield ""
        yield "Heatmaps, where masks say where the tumour is: how often the highest point is in it"
        yield f"or within {TOLERANCE} pixels of it (Zhang et al. 2018), and which share of the map"
        yield "is in it (Wang et al. 2020):"
        yield from ("", "| tumour | images | pointing | energy |", "|---|---|---|---|")
    for name, one in kinds.items():
        yield f"| {name} | {one.images} | {one.pointing.describe()} | {one.energy.describe()} |"


def _pictures(plots: Collection[PlotName], *names: PlotName) -> Iterable[str]:
    for name in names:
        if name in plots:
            yield from ("", f"![{PICTURES[name]}]({FOLDER}/{name}.png)")


def _recipe(recipe: Mapping[str, object]) -> Iterable[str]:
    if recipe:
        yield ""
        yield f"Recipe: {', '.join(f'{name} {value}' for name, value in recipe.items())}."


def _counts(images: Mapping[str, Mapping[str, int]]) -> Iterable[str]:
    labels = sorted({label for counts in images.values() for label in counts})
    if labels:
        yield f"| split | {' | '.join(labels)} |"
        yield f"|---|{'---|' * len(labels)}"
    for split, counts in images.items():
        yield f"| {split} | {' | '.join(str(counts.get(label, 0)) for label in labels)} |"
