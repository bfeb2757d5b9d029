"""The head that all architectures share: global average pooling, Dense + ReLU, Dense."""

from typing import Any

import keras

FEATURES = "features"
HIDDEN = "hidden"
LOGITS = "logits"
UNITS = 128
DROPOUT = 0.5


def attach_head(images: Any, features: Any, classes: int, name: str) -> keras.Model:
    """Close a model over `images` with the head on a feature map (N, rows, columns, channels)."""
    marked = keras.layers.Activation("linear", name=FEATURES)(features)
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(marked)
    hidden = keras.layers.Dense(UNITS, activation="relu", name=HIDDEN)(pooled)
    dropped = keras.layers.Dropout(DROPOUT, name="dropout")(hidden)
    logits = keras.layers.Dense(classes, name=LOGITS)(dropped)
    return keras.Model(images, logits, name=name)


def head_variables(model: keras.Model) -> list[Any]:
    """The variables that train while a pretrained base rests."""
    layers = (model.get_layer(HIDDEN), model.get_layer(LOGITS))
    return [variable for layer in layers for variable in layer.trainable_variables]
