"""The engine: runs a bundle's graph on OpenVINO, or on onnxruntime where there is no OpenVINO.

A graph is run for no more than what is asked: without an explanation its `cam` is not computed.
"""

import sys
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from serve_app.settings import Precision, Runtime

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]


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


class Engine(Protocol):
    """Runs a model's graph. Threads may share one."""

    def infer(self, images: Images, explain: bool) -> Outputs:
        """Run the graph on `images`, (N, 224, 224, 1) uint8, and with `explain` also its `cam`."""
        ...


def open_engine(
    onnx: Path, *, runtime: Runtime = "auto", precision: Precision = "auto", threads: int = 0
) -> Engine:
    """Open the graph in the file `onnx`; `ServeSettings` says what the other arguments are.

    `precision` is a matter of OpenVINO: onnxruntime computes in float32.
    """
    if runtime == "openvino" or (runtime == "auto" and find_spec("openvino")):
        return OpenVinoEngine(onnx, precision, threads)
    return OnnxEngine(onnx, threads)


def outputs_of(explain: bool) -> tuple[str, ...]:
    """The outputs of the graph that an answer needs."""
    return ("probabilities", "distance", "cam") if explain else ("probabilities", "distance")


def prune(model: Any, outputs: tuple[str, ...]) -> Any:
    """The OpenVINO model that computes `outputs` of `model`, and nothing else."""
    openvino = _import_openvino()
    results = [model.output(name).node for name in outputs]
    return openvino.Model(results, model.get_parameters(), "-".join(outputs))


class OpenVinoEngine:
    """The engine on OpenVINO, which compiles a graph of its own for each set of outputs."""

    def __init__(self, onnx: Path, precision: Precision = "auto", threads: int = 0) -> None:
        self._core = _import_openvino().Core()
        self._model = self._core.read_model(onnx)
        if precision == "auto":
            offered = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in offered else "f32"
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # replicas on one machine would share the first cores
        }
        self._compiling = threading.Lock()
        self._compiled: dict[bool, Any] = {}
        self._idle: dict[bool, list[Any]] = {False: [], True: []}

    def infer(self, images: Images, explain: bool) -> Outputs:
        """See `Engine.infer`."""
        try:
            request = self._idle[explain].pop()
        except IndexError:
            request = self._compile(explain).create_infer_request()
        values = request.infer({"images": images}, share_inputs=True)
        outputs = [values[name] for name in outputs_of(explain)]
        self._idle[explain].append(request)
        return Outputs(outputs[0], outputs[1], outputs[2] if explain else None)

    def _compile(self, explain: bool) -> Any:
        with self._compiling:
            if explain not in self._compiled:
                pruned = prune(self._model, outputs_of(explain))
                self._compiled[explain] = self._core.compile_model(pruned, "CPU", self._options)
            return self._compiled[explain]


class OnnxEngine:
    """The engine on onnxruntime."""

    def __init__(self, onnx: Path, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(onnx), options, providers=["CPUExecutionProvider"]
        )
        self._run_options = onnxruntime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True

    def infer(self, images: Images, explain: bool) -> Outputs:
        """See `Engine.infer`."""
        outputs = self._session.run(outputs_of(explain), {"images": images}, self._run_options)
        return Outputs(outputs[0], outputs[1], outputs[2] if explain else None)


def _import_openvino() -> Any:
    """Import OpenVINO with its telemetry package out of its sight: nothing here phones home."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
