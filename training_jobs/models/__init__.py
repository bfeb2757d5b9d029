"""The three architectures. All end in the one head whose Grad-CAM has a closed form."""

from contextlib import ExitStack

import keras
from upath import UPath

from gyrus.addresses import local
from training_jobs.config import TrainConfig
from training_jobs.models.cnn import build_cnn
from training_jobs.models.mobilenet import build_mobilenet
from training_jobs.models.resnet import build_resnet

__all__ = ["build"]


def build(config: TrainConfig, classes: int, *, load_weights: bool = True) -> keras.Model:
    """Build the model: uint8 images (N, 224, 224, 1) to logits (N, `classes`).

    `load_weights=False` leaves out the pretrained weights, for a model about to be restored.
    """
    if config.model == "cnn":
        return build_cnn(classes, config.filters)
    weights = config.weights if load_weights and config.pretrained else None
    with ExitStack() as files:
        if weights not in {None, "imagenet"}:
            weights = str(files.enter_context(local(UPath(weights))))
        if config.model == "mobilenetv2":
            return build_mobilenet(classes, config.alpha, weights, frozen=config.pretrained)
        return build_resnet(classes, weights, frozen=config.pretrained)
