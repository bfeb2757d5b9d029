"""Tiny real graphs, made without training."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 4


def write_graph(path: Path, *, seed: int = 0, poison_cam: bool = False, bias: float = 0.0) -> None:
    """A graph with the bundle's contract: one convolution, the shared head, its cam and distance.

    `poison_cam` makes the computation of `cam` fail when it is run.
    """
    rng = np.random.default_rng(seed)

    def constant(name: str, value: np.ndarray) -> onnx.TensorProto:
        return numpy_helper.from_array(value, name)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    maps, hidden, classes = 6, 8, CLASSES
    constants = [
        constant("kernel", draw(maps, 1, 32, 32) / 10),
        constant("w1", draw(maps, hidden)),
        constant("w2", draw(hidden, classes)),
        constant("b2", np.full(classes, bias, np.float32)),
        constant("weights", draw(classes, maps, 1, 1)),
        constant("mean", draw(1, maps)),
        constant("scale", np.float32(1 / 255)),
        constant("one", np.array([1], np.int64)),
        constant("spatial", np.array([2, 3], np.int64)),
        constant("far", np.array([9], np.int64)),
    ]
    cam_input = "features" if not poison_cam else "poisoned"
    nodes = [
        helper.make_node("Cast", ["images"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real", "scale"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["nchw", "kernel"], ["convolved"], strides=[32, 32]),
        helper.make_node("Relu", ["convolved"], ["features"]),
        helper.make_node("ReduceMean", ["features", "spatial"], ["pooled"], keepdims=0),
        helper.make_node("MatMul", ["pooled", "w1"], ["h0"]),
        helper.make_node("Relu", ["h0"], ["h1"]),
        helper.make_node("MatMul", ["h1", "w2"], ["l0"]),
        helper.make_node("Add", ["l0", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Sub", ["pooled", "mean"], ["away"]),
        helper.make_node("ReduceL2", ["away", "one"], ["distance"], keepdims=0),
        helper.make_node("Conv", [cam_input, "weights"], ["raw_cam"]),
        helper.make_node("Relu", ["raw_cam"], ["cam"]),
    ]
    if poison_cam:
        # an index that only the run finds out of bounds
        nodes[-2:-2] = [
            helper.make_node("Shape", ["images"], ["shape"], start=3),
            helper.make_node("Add", ["shape", "far"], ["outside"]),
            helper.make_node("Gather", ["features", "outside"], ["poisoned"], axis=1),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 224, 224, 1])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", classes]),
            helper.make_tensor_value_info("cam", TensorProto.FLOAT, ["N", None, 7, 7]),
            helper.make_tensor_value_info("distance", TensorProto.FLOAT, ["N"]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, str(path))
