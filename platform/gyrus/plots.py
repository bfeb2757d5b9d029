"""The pictures of a training run: their names, and the folder that they are in."""

from typing import Literal, get_args

PlotName = Literal[
    "curves", "roc", "precision_recall", "confusion", "reliability", "scores", "heatmaps"
]
NAMES: tuple[PlotName, ...] = get_args(PlotName)
FOLDER = "plots"
"""The folder of pictures in a run's folder, and in a bundle."""
