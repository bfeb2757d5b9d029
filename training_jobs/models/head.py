"""The head that all architectures share: global average pooling, Dense + ReLU, Dense."""

from typing import Any

import keras

FEATURES = "features"
POOLED = "pooled"
HIDDEN = "hidden"
DROPPED = "dropout"
LOGITS = "logits"
UNITS = 128
DROPOUT = 0.5


def attach_head(images: Any, features: Any, classes: int, name: str) -> keras.Model:
    """Close a model over `images` with the head on a feature map (N, rows, columns, channels)."""
    marked = keras.layers.Activation("linear", name=FEATURES)(features)
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLED)(marked)
    hidden = keras.layers.Dense(UNITS, activation="relu", name=HIDDEN)(pooled)
    dropped = keras.layers.Dropout(DROPOUT, name=DROPPED)(hidden)
    # Also where the rest computes in less.
    logits = keras.layers.Dense(classes, name=LOGITS, dtype="float32")(dropped)
    return keras.Model(images, logits, name=name)


def pooling_part(model: keras.Model) -> keras.Model:
    """The part of a model below its head, which makes pooled features (N, D)."""
    return keras.Model(model.input, model.get_layer(POOLED).output, name="base")


def head_part(model: keras.Model) -> keras.Model:
    """The head alone, from pooled features (N, D) to logits, with the model's own layers."""
    pooled = keras.Input(model.get_layer(POOLED).output.shape[1:], name="pooled_features")
    x = pooled
    for name in (HIDDEN, DROPPED, LOGITS):
        x = model.get_layer(name)(x)
    return keras.Model(pooled, x, name="head")
