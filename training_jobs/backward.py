"""Gradients written as forward operations, through the last layers of a model.

A served graph holds no tape, and what TensorFlow differentiates ReLU and depthwise convolutions
into does not convert to ONNX. The layers that the architectures end in have simple gradients.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from training_jobs.models.head import FEATURES

DETAILED = {
    "cnn": FEATURES,
    "mobilenetv2": "block_13_expand_relu",
    "resnet50": "conv4_block6_out",
}
"""The last layer of each architecture that makes a map of 14×14."""


def ends(model: keras.Model) -> tuple[keras.Model, Any, Any]:
    """Where the last stage begins and ends.

    The model that holds it (the pretrained base, if there is one), its detailed map and its last
    one.
    """
    base = next((one for one in model.layers if isinstance(one, keras.Model)), None)
    inner = base or model
    end = base.output if base else model.get_layer(FEATURES).output
    return inner, inner.get_layer(DETAILED[model.name]).output, end


def entry(model: keras.Model, inner: keras.Model) -> Any:
    """What the model makes of its images before `inner`, one of its layers, if it is one."""
    return model.input if inner is model else model.layers[model.layers.index(inner) - 1].output


class LastStage:
    """What a model does between its detailed map and its last feature map, and the way back."""

    def __init__(self, model: keras.Model) -> None:
        inner, self._start, self._end = ends(model)
        makers = {id(one.output): one for one in inner.layers}
        found: set[int] = set()
        waiting = [self._end]
        while waiting:
            tensor = waiting.pop()
            if tensor is not self._start and id(tensor) not in found:
                found.add(id(tensor))
                waiting += _inputs(makers[id(tensor)])
        self._layers = [one for one in inner.layers if id(one.output) in found]
        self._weights = {one.name: one.get_weights() for one in self._layers}
        self._kept = [self._start, *(one.output for one in self._layers)]
        forward = keras.Model(inner.input, self._kept)
        if inner is not model:
            forward = keras.Model(model.input, forward(entry(model, inner), training=False))
        self._forward = forward

    def run(self, images: Any) -> tuple[Any, Any, Mapping[int, Any]]:
        """The detailed map, the last one, and what the layers between them made, for `back`."""
        made = tf.nest.flatten(self._forward(images, training=False))
        values = {id(one): value for one, value in zip(self._kept, made, strict=True)}
        return values[id(self._start)], values[id(self._end)], values

    def back(self, gradients: Any, values: Mapping[int, Any]) -> Any:
        """Gradients (N, K, rows, columns, channels) in the last map, taken to the detailed one."""
        due = {id(self._end): gradients}
        for layer in reversed(self._layers):
            gradient = due.pop(id(layer.output))
            if not isinstance(layer, keras.layers.Add):
                gradient = _back(layer, self._weights[layer.name], gradient, values)
            for tensor in _inputs(layer):
                before = due.get(id(tensor))
                due[id(tensor)] = gradient if before is None else before + gradient
        return due[id(self._start)]


def _inputs(layer: keras.Layer) -> list[Any]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _back(layer: keras.Layer, weights: list[Any], gradient: Any, values: Mapping[int, Any]) -> Any:
    """The gradient (N, K, rows, columns, channels) of a layer's input, from that of its output."""
    if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D) and not (
        layer.activation is keras.activations.linear
        and layer.strides in {(1, 1), (2, 2)}
        and layer.dilation_rate == (1, 1)
        and getattr(layer, "groups", 1) == 1
    ):
        raise TypeError(f"no gradient is known of a convolution like {layer.name}")
    match layer:
        case keras.layers.ReLU() | keras.layers.Activation(activation=keras.activations.relu):
            made = values[id(layer.output)]
            active = made > 0
            if getattr(layer, "max_value", None):
                active &= made < layer.max_value
            return gradient * tf.cast(active, tf.float32)[:, None]
        case keras.layers.BatchNormalization():
            gamma, _, _, variance = weights
            return gradient * (gamma / np.sqrt(variance + layer.epsilon))
        case keras.layers.ZeroPadding2D():
            (top, bottom), (left, right) = layer.padding
            rows, columns = gradient.shape[2:4]
            return gradient[:, :, top : rows - bottom, left : columns - right]
        case keras.layers.DepthwiseConv2D() | keras.layers.Conv2D():
            return _back_convolution(layer, weights[0][::-1, ::-1], gradient)
    raise TypeError(f"no gradient is known of a layer {type(layer).__name__}")


def _back_convolution(layer: Any, kernel: Any, gradient: Any) -> Any:
    """Convolution with the turned `kernel`; where it took steps of two, zeros are between."""
    size, stride = kernel.shape[0], layer.strides[0]
    rows, classes = layer.input.shape[1], gradient.shape[1]
    if stride == 2:
        gradient = _spread(gradient)
    if size == 1:
        return tf.matmul(gradient, kernel[0, 0].T)
    short = max((layer.output.shape[1] - 1) * stride + size - rows, 0)
    before = size - 1 - (short // 2 if layer.padding == "same" else 0)
    after = rows + size - 1 - before - gradient.shape[2]
    around = [[0, 0], [before, after], [before, after], [0, 0]]
    flat = tf.pad(tf.reshape(gradient, (-1, *gradient.shape[2:])), around)
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        made = tf.nn.depthwise_conv2d(flat, kernel, (1, 1, 1, 1), "VALID")
    else:
        made = tf.nn.conv2d(flat, np.swapaxes(kernel, 2, 3), 1, "VALID")
    return tf.reshape(made, (-1, classes, *made.shape[1:]))


def _spread(gradient: Any) -> Any:
    """Twice the rows and columns, with zeros between the values."""
    _, classes, rows, columns, channels = gradient.shape
    split = tf.reshape(gradient, (-1, rows, 1, columns, 1, channels))
    split = tf.pad(split, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
    return tf.reshape(split, (-1, classes, 2 * rows, 2 * columns, channels))
