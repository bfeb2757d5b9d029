import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gyrus.bundle import ONNX
from serve_app.engine import Engine, open_engine, outputs_of, prune_openvino, split_openvino
from serve_app.settings import Runtime

RUNTIMES: list[Runtime] = ["openvino", "onnxruntime"]


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> Runtime:
    return request.param


def in_float32(onnx: Path, runtime: Runtime) -> Engine:
    return open_engine(onnx, runtime=runtime, precision="f32", threads=1)


@pytest.fixture
def onnx_file(make_bundle: Callable) -> Path:
    return Path(make_bundle().source) / ONNX


def test_outputs_have_the_shapes_of_the_contract(
    onnx_file: Path, runtime: Runtime, images: np.ndarray
) -> None:
    outputs = in_float32(onnx_file, runtime).infer(images, explain=True)
    assert outputs.probabilities.shape == (3, 4)
    assert outputs.distance.shape == (3,)
    assert outputs.cam is not None
    assert outputs.cam.shape == (3, 4, 7, 7)
    assert outputs.cam.max() > 0
    np.testing.assert_allclose(outputs.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_both_runtimes_agree(onnx_file: Path, images: np.ndarray) -> None:
    engines = [in_float32(onnx_file, runtime) for runtime in RUNTIMES]
    one, other = (engine.infer(images, explain=True) for engine in engines)
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
    np.testing.assert_allclose(one.distance, other.distance, rtol=1e-4)
    np.testing.assert_allclose(one.cam, other.cam, atol=1e-4)


def test_a_batch_answers_as_its_images_alone(
    onnx_file: Path, runtime: Runtime, images: np.ndarray
) -> None:
    engine = in_float32(onnx_file, runtime)
    together = engine.infer(images, explain=True)
    for index in range(len(images)):
        alone = engine.infer(images[index : index + 1], explain=True).row(0)
        np.testing.assert_allclose(
            alone.probabilities, together.row(index).probabilities, atol=1e-5
        )
        np.testing.assert_allclose(alone.cam, together.row(index).cam, atol=1e-4)


def test_without_an_explanation_the_answer_is_the_same_and_has_no_map(
    onnx_file: Path, runtime: Runtime, images: np.ndarray
) -> None:
    engine = in_float32(onnx_file, runtime)
    brief = engine.infer(images, explain=False)
    assert brief.cam is None
    full = engine.infer(images, explain=True)
    np.testing.assert_allclose(brief.probabilities, full.probabilities, atol=1e-6)


def test_onnxruntime_does_not_compute_a_map_that_nobody_asked_for(
    make_bundle: Callable, images: np.ndarray
) -> None:
    engine = in_float32(Path(make_bundle(poison_cam=True).source) / ONNX, "onnxruntime")
    with pytest.raises(Exception, match="out of"):
        engine.infer(images, explain=True)
    assert np.isfinite(engine.infer(images, explain=False).probabilities).all()


def test_openvino_compiles_a_graph_without_a_map_that_nobody_asked_for(onnx_file: Path) -> None:
    openvino = pytest.importorskip("openvino")
    brief, full = (
        split_openvino(prune_openvino(openvino.Core().read_model(onnx_file), outputs_of(explain)))[
            1
        ]
        for explain in (False, True)
    )
    assert len(brief.outputs) == 2
    assert count(full, "Convolution") == 1
    assert count(brief, "Convolution") == 0


def test_bf16_keeps_the_distance(onnx_file: Path, images: np.ndarray) -> None:
    openvino = pytest.importorskip("openvino")
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16")
    exact = in_float32(onnx_file, "openvino").infer(images, explain=True)
    brief = open_engine(onnx_file, runtime="openvino", precision="bf16").infer(images, True)
    np.testing.assert_allclose(brief.distance, exact.distance, rtol=5e-3)
    assert np.corrcoef(brief.cam.ravel(), exact.cam.ravel())[0, 1] > 0.999


def count(model: object, kind: str) -> int:
    return sum(op.get_type_name() == kind for op in model.get_ops())


def test_threads_share_an_engine(onnx_file: Path, runtime: Runtime) -> None:
    engine = in_float32(onnx_file, runtime)
    rng = np.random.default_rng(2)
    batches = [rng.integers(0, 255, (n % 3 + 1, 224, 224, 1), dtype=np.uint8) for n in range(40)]
    expected = [engine.infer(batch, explain=True) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda batch: engine.infer(batch, explain=True), batches))
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
        np.testing.assert_allclose(one.cam, other.cam, atol=1e-6)


def test_openvino_is_kept_from_its_telemetry(onnx_file: Path) -> None:
    in_float32(onnx_file, "openvino")
    assert sys.modules["openvino_telemetry"] is None
