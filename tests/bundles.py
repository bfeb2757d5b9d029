"""Model bundles that tests make without training."""

from pathlib import Path

from gyrus.bundle import Card, seal

CARD = Card(
    architecture="cnn",
    classes=["glioma", "notumor"],
    tumour_classes=["glioma"],
    threshold=0.5,
    temperature=1.0,
    distance_limit=10.0,
    metrics={"auroc": 0.97},
    dataset="phantom",
    dataset_digest="d",
    split_digest="s",
    synthetic=True,
    run="run",
)


def make_bundle(folder: Path, content: bytes) -> Path:
    """A sealed bundle in a new folder, whose graph is only some bytes."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(content)
    (folder / "model.keras").write_bytes(b"for training only")
    seal(folder, CARD)
    return folder
