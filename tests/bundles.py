"""Model bundles that tests make without training."""

from pathlib import Path

from gyrus.bundle import Card, Risk, seal
from gyrus.metrics import Estimate, Evaluation, Metrics

CARD = Card(
    strangers_refused=0.9,
    architecture="cnn",
    classes=["glioma", "notumor"],
    tumour_classes=["glioma"],
    threshold=0.5,
    upper_threshold=0.5,
    misses=Risk(asked=0.015, held=0.015, groups=100),
    false_alarms=Risk(asked=0.05, held=0.05, groups=40),
    too_far=Risk(asked=0.02, held=0.05, groups=19),
    temperature=1.0,
    distance_limit=10.0,
    metrics=Evaluation(
        tumour=Metrics(images=60, groups=20, auroc=Estimate(value=0.97, low=0.9, high=0.99))
    ),
    dataset="phantom",
    dataset_digest="d",
    split_digest="s",
    synthetic=True,
    run="run",
)


def make_bundle(folder: Path, content: bytes) -> Path:
    """A sealed bundle in a new folder, whose graph is only some bytes, with one plot."""
    (folder / "plots").mkdir(parents=True)
    (folder / "plots/roc.png").write_bytes(b"a picture")
    (folder / "model.onnx").write_bytes(content)
    (folder / "model.keras").write_bytes(b"for training only")
    seal(folder, CARD)
    return folder
