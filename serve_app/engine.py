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
    """Cut an OpenVINO model before its global average poolings, into body and head.

    The head is all that the poolings need not: it takes what the body makes for it, in the order of
    the body's outputs. `model` itself is taken apart by it.
    """
    from openvino import opset13

    ordered = model.get_ordered_ops()
    waiting = []
    for pooling in (one for one in ordered if one.get_type_name() == "ReduceMean"):
        above = pooling.input(0).get_source_output().get_node()
        while above.get_type_name() == "Transpose":
            above = above.input(0).get_source_output().get_node()
        waiting.append(above)
    names: set[str] = set()
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in names:
            names.add(node.get_friendly_name())
            waiting += [one.get_source_output().get_node() for one in node.inputs()]

    made, taken = [], []
    for node in ordered:
        if node.get_friendly_name() in names and node.get_type_name() != "Constant":
            for output in node.outputs():
                users = [
                    one
                    for one in output.get_target_inputs()
                    if one.get_node().get_friendly_name() not in names
                ]
                if users:
                    inner = opset13.parameter(output.get_partial_shape(), output.get_element_type())
                    for user in users:
                        user.replace_source_output(inner.output(0))
                    made.append(opset13.result(output))
                    taken.append(inner)
    openvino = _import_openvino()
    body = openvino.Model(made, model.get_parameters(), "body")
    return body, openvino.Model(model.get_results(), taken, "head")


def _openvino(onnx: Path, precision: Precision, threads: int) -> Compile:
    core = _import_openvino().Core()
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # replicas on one machine would share the first cores
    }

    def compile_(outputs: tuple[str, ...]) -> Run:
        # The head subtracts nearly equal numbers, which in bf16 put the distance off by a third.
        parts = split_openvino(prune_openvino(core.read_model(onnx), outputs))
        body, head = (
            core.compile_model(part, "CPU", {**options, "INFERENCE_PRECISION_HINT": hint})
            for part, hint in zip(parts, (precision, "f32"), strict=True)
        )
        idle: list[tuple[Any, Any]] = []  # a pair of requests is for one thread at a time

        def run(images: Images) -> list[Floats]:
            try:
                first, second = idle.pop()
            except IndexError:
                first, second = body.create_infer_request(), head.create_infer_request()
            made = first.infer({0: images}, share_inputs=True, share_outputs=True)
            inner = {index: made[index] for index in range(len(body.outputs))}
            values = second.infer(inner, share_inputs=True)
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
