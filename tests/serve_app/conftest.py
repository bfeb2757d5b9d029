"""Tiny real bundles, and what a test of the replica needs around them."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gyrus.bundle import KERAS, ONNX, seal
from serve_app.inference import ModelConfig
from serve_app.settings import ServeSettings
from tests.bundles import CARD
from tests.graphs import write_graph

CLASSES = ["glioma", "meningioma", "notumor", "pituitary"]
SECRET = "a-secret-of-the-tests"

MakeBundle = Callable[..., ModelConfig]


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Make a bundle and say how a replica is told to serve it."""

    def make(
        version: int = 1,
        *,
        seed: int = 0,
        poison_cam: bool = False,
        bias: float = 0.0,
        classes: list[str] = CLASSES,
        upper_threshold: float = 0.5,
        distance_limit: float = 1e6,
    ) -> ModelConfig:
        folder = tmp_path / f"bundle-{version}"
        folder.mkdir()
        write_graph(folder / ONNX, seed=seed, poison_cam=poison_cam, bias=bias)
        (folder / KERAS).write_bytes(b"for training only")
        (folder / "plots").mkdir()
        (folder / "plots/roc.png").write_bytes(b"a picture")
        card = CARD.model_copy(
            update={
                "classes": classes,
                "tumour_classes": [name for name in classes if name != "notumor"],
                "upper_threshold": upper_threshold,
                "distance_limit": distance_limit,
                "run": f"tests-{version}",
            }
        )
        return ModelConfig(source=str(folder), digest=seal(folder, card), version=version)

    return make


@pytest.fixture
def settings() -> ServeSettings:
    """Settings for small batches, in float32, on one thread."""
    return ServeSettings(secret=SECRET, max_batch=4, precision="f32", threads=1)


@pytest.fixture
def images() -> np.ndarray:
    """Three images as the model sees them."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 255, (3, 224, 224, 1), dtype=np.uint8)


@pytest.fixture
def png() -> bytes:
    """A picture of a bright disc, encoded."""
    rows, columns = np.mgrid[:300, :260]
    disc = (((rows - 150) ** 2 + (columns - 130) ** 2) < 100**2) * np.uint8(180)
    file = io.BytesIO()
    Image.fromarray(disc.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
