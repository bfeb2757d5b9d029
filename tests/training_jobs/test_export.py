"""The bundle that a training ends with."""

import re
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from gyrus import phantom
from gyrus.bundle import ONNX, README, digest, verify
from gyrus.datasets import Dataset, import_folder, merge
from gyrus.evaluation.calibration import softmax
from gyrus.evaluation.report import evaluate_version
from gyrus.plots import NAMES
from gyrus.registry import ModelVersion
from training_jobs.config import TrainConfig
from training_jobs.export import export_bundle
from training_jobs.models import build


@pytest.fixture
def merged(small_dataset: Dataset, tmp_path: Path) -> Dataset:
    """A set that names kinds of tumours with one that only says yes or no."""
    drawn = phantom.generate(tmp_path, name="drawn", patients=24, slices=1, seed=9)
    for row, image in enumerate(drawn.images):
        folder = tmp_path / "files" / ("yes" if drawn.truth[row] else "no")
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{row}.png"), np.asarray(image))
    yes_no = import_folder(tmp_path / "files", tmp_path, "yesno")
    return merge([small_dataset, yes_no], tmp_path, "both")


# Keras, when it saves a model.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_bundle_says_of_itself_what_its_graph_does(merged: Dataset, tmp_path: Path) -> None:
    config = TrainConfig(
        run="one", dataset=merged.folder, storage=tmp_path, filters=4, miss_rate=0.2
    )
    model = build(config, len(merged.classes))
    bundle = tmp_path / "bundle"
    card, outcomes = export_bundle(model, config, merged, bundle)
    assert verify(bundle) == card.model_copy(update={"files": verify(bundle).files})
    assert card.misses.asked == 0.2
    assert (card.recipe["miss_rate"], card.recipe["weights"]) == (0.2, "none")
    plots = {f"plots/{name}.png" for name in NAMES}
    assert {ONNX, README, *plots} < set(verify(bundle).files)
    assert plots == set(re.findall(r"!\[.+\]\((.+)\)", (bundle / README).read_text()))
    assert sum((bundle / name).stat().st_size for name in plots) < 1_000_000
    assert (outcomes.labels == -1).sum() == np.sum(merged.labels[merged.split("test")] == -1)
    version = ModelVersion(
        version=1,
        digest=digest(bundle),
        source=str(bundle),
        bundle=bundle,
        card=card,
        created_at=datetime.now(UTC),
        champion=False,
    )
    found = evaluate_version(version, bundle / ONNX, merged, merged).evaluation
    assert found.flat() == card.metrics.flat()
    assert set(found.sources) == set(card.metrics.sources) == {"small", "yesno"}
    logits = model(merged.images[merged.split("test")][..., None], training=False)
    expected = softmax(np.asarray(logits) / card.temperature)
    np.testing.assert_allclose(outcomes.probabilities, expected, atol=1e-3)
