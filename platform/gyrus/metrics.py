"""How good a model is: the figures that its card, the command line and the API tell."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

ROUNDED = 5
"""Decimals of a figure: more are noise."""

TOLERANCE = 15
"""A heatmap that points at most so many pixels beside a tumour hits it (Zhang et al. 2018)."""


class Estimate(BaseModel):
    """A figure with its 95 % interval."""

    model_config = ConfigDict(extra="forbid")

    value: float
    low: float
    high: float

    def describe(self) -> str:
        """The estimate for people."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


class Metrics(BaseModel):
    """Figures of one question (is there a tumour? is it a glioma?) over some images.

    A figure is None where the images cannot tell: there is no AUROC without a healthy one.
    Accuracy, where the question is a tumour, is the share of images whose likeliest class is one
    that their label allows: of `yes`, any tumour.
    Sensitivity, specificity, precision and F1 of a tumour are those of the lower threshold: an
    image counts as found unless it is called `no_tumour` for its probability; those of a class are
    of the images of which it is the likeliest. The last four figures are those of
    the decision as it is served, with `uncertain`, and only of the question for a tumour;
    `too_far` is the share of images beyond the distance limit.
    `groups` are the images that are independent: copies, or slices of one patient, are not.
    """

    model_config = ConfigDict(extra="forbid")

    images: int
    groups: int
    accuracy: Estimate | None = None
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None
    precision: Estimate | None = None
    f1: Estimate | None = None
    auroc: Estimate | None = None
    auprc: Estimate | None = None
    brier: Estimate | None = None
    calibration_error: Estimate | None = None
    miss_rate: Estimate | None = None
    false_alarm_rate: Estimate | None = None
    uncertain: Estimate | None = None
    too_far: Estimate | None = None

    def estimates(self) -> dict[str, Estimate]:
        """The figures that are known, by name."""
        known = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: one for name, one in known.items() if isinstance(one, Estimate)}

    def described(self, names: Iterable[str]) -> dict[str, str]:
        """Some figures for people; of one that is not known nothing is said."""
        known = self.estimates()
        return {name: known[name].describe() if name in known else "" for name in names}


class Localisation(BaseModel):
    """How well heatmaps find the tumours of one kind, in `images` whose masks say where those are.

    `pointing` is how often a map's highest point is in the tumour or within `TOLERANCE` pixels of
    it, `energy` which share of the map is in the tumour (Wang et al. 2020).
    """

    model_config = ConfigDict(extra="forbid")

    images: int
    pointing: Estimate
    energy: Estimate


class Evaluation(BaseModel):
    """All figures of a model on some images: tumour or not, by class and by source.

    `classes` ask for one class against the rest, of images whose class is known. `sources` has the
    sets that the images came from, where there are several. `heatmaps` are by kind of tumour, where
    there are masks.
    """

    model_config = ConfigDict(extra="forbid")

    tumour: Metrics
    classes: dict[str, Metrics] = {}
    sources: dict[str, Metrics] = {}
    heatmaps: dict[str, Localisation] = {}

    def flat(self) -> dict[str, float]:
        """The figures for a tumour by name: `auroc`, with `auroc_low` and `auroc_high`.

        And `pointing_glioma`, where there are masks.
        """
        figures = {"test_images": float(self.tumour.images)}
        for name, one in self.tumour.estimates().items():
            figures |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
        for kind, found in self.heatmaps.items():
            figures |= {f"pointing_{kind}": found.pointing.value}
        return figures
