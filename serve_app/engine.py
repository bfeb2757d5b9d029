"""The engine: runs a bundle's graph on OpenVINO, or on onnxruntime where there is no OpenVINO.

A graph is run for no more than what is asked: without an explanation its `cam` is not computed.
"""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve_app.settings import Precision, Runtime

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]

Run = Callable[[Images], list[Floats]]
Compile = Callable[[tuple[str, ...]], Run]


@dataclass(frozen=True)
class Output:
    """What the graph says of one image: probabilities (K,), distance, cam (K, h, w) if asked."""

    probabilities: Floats
    distance: float
    cam: Floats | None


@dataclass(frozen=True)
class Outputs:
    """What the graph says of N images: probabilities (N, K), distance (N,), cam (N, K, h, w)."""

    probabilities: Floats
    distance: Floats
    cam: Floats | None

    def row(self, index: int) -> Output:
        """What it says of one of them."""
        cam = None if self.cam is None else self.cam[index]
        return Output(self.probabilities[index], float(self.distance[index]), cam)


class Engine:
    """Runs a model's graph. Threads may share one.

    `compile_` is given the names of outputs, and makes the function from images to them. It is
    called once for each set of outputs, when that is first wanted.
    """

    def __init__(self, compile_: Compile) -> None:
        self._compile = compile_
        self._compiling = threading.Lock()
        self._runs: dict[bool, Run] = {}

    def infer(self, images: Images, explain: bool) -> Outputs:
        """Run the graph on `images`, (N, 224, 224, 1) uint8, and with `explain` also its `cam`."""
        with self._compiling:
            if explain not in self._runs:
                self._runs[explain] = self._compile(outputs_of(explain))
        values = self._runs[explain](images)
        return Outputs(values[0], values[1], values[2] if explain else None)


def open_engine(
    onnx: Path, *, runtime: Runtime = "auto", precision: Precision = "f32", threads: int = 0
) -> Engine:
    """Open the graph in the file `onnx`; `ServeSettings` says what the other arguments are.

    `precision` is a matter of OpenVINO: onnxruntime computes in float32.
    """
    if runtime == "openvino" or (runtime == "auto" and find_spec("openvino")):
        return Engine(_openvino(onnx, precision, threads))
    return Engine(_onnxruntime(onnx, threads))


def outputs_of(explain: bool) -> tuple[str, ...]:
    """The outputs of the graph that an answer needs."""
    return ("probabilities", "distance", "cam") if explain else ("probabilities", "distance")


def prune_openvino(model: Any, outputs: tuple[str, ...]) -> Any:
    """The OpenVINO model that computes `outputs` of `model`, and nothing else."""
    results = [model.output(name).node for name in outputs]
    return _import_openvino().Model(results, model.get_parameters(), "-".join(outputs))


def prune_onnx(model: Any, outputs: tuple[str, ...]) -> Any:
    """The ONNX model that computes `outputs` of `model`, and nothing else.

    onnxruntime runs a whole graph, whichever outputs are fetched.
    """
    from onnx.utils import Extractor

    return Extractor(model).extract_model(["images"], list(outputs))


def split_openvino(model: Any) -> tuple[Any, Any]:
    """Cut an OpenVINO model before its global average pooling, into body and head.

    `model` itself is taken apart by it.
    """
    from openvino import opset13

    pooling = [one for one in model.get_ordered_ops() if one.get_type_name() == "ReduceMean"][-1]
    features = pooling.input(0).get_source_output()
    while features.get_node().get_type_name() == "Transpose":
        features = features.get_node().input(0).get_source_output()
    results = [model.output(name).node for name in outputs_of(explain=True)]
    inner = opset13.parameter(features.get_partial_shape(), np.float32, name="features")
    for consumer in features.get_target_inputs():
        consumer.replace_source_output(inner.output(0))
    openvino = _import_openvino()
    body = openvino.Model([opset13.result(features)], model.get_parameters(), "body")
    head = openvino.Model(results, [inner], "head")
    return body, head


def _openvino(onnx: Path, precision: Precision, threads: int) -> Compile:
    core = _import_openvino().Core()
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # replicas on one machine would share the first cores
    }
    # The head subtracts nearly equal numbers, which in bf16 put the distance off by a third.
    body, head = split_openvino(core.read_model(onnx))
    compiled_body = core.compile_model(
        body, "CPU", {**options, "INFERENCE_PRECISION_HINT": precision}
    )

    def compile_(outputs: tuple[str, ...]) -> Run:
        compiled_head = core.compile_model(
            prune_openvino(head, outputs), "CPU", {**options, "INFERENCE_PRECISION_HINT": "f32"}
        )
        idle: list[tuple[Any, Any]] = []  # a pair of requests is for one thread at a time

        def run(images: Images) -> list[Floats]:
            try:
                first, second = idle.pop()
            except IndexError:
                first = compiled_body.create_infer_request()
                second = compiled_head.create_infer_request()
            features = first.infer({0: images}, share_inputs=True, share_outputs=True)[0]
            values = second.infer({0: features}, share_inputs=True)
            idle.append((first, second))
            return [values[name] for name in outputs]

        return run

    return compile_


def _onnxruntime(onnx: Path, threads: int) -> Compile:
    import onnxruntime
    from onnx import load

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = load(onnx)

    def compile_(outputs: tuple[str, ...]) -> Run:
        session = onnxruntime.InferenceSession(
            prune_onnx(model, outputs).SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )

        def run(images: Images) -> list[Floats]:
            found: list[Floats] = session.run(outputs, {"images": images})
            return found

        return run

    return compile_


def _import_openvino() -> Any:
    """Import OpenVINO with its telemetry package out of its sight: nothing here phones home."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
