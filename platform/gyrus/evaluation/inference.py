"""The graph of a bundle, run in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gyrus.evaluation.outcomes import Floats, Labels

BATCH = 16


def infer(
    graph: Path,
    images: NDArray[np.uint8],
    rows: Labels,
    *outputs: str,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Floats, ...]:
    """What the graph gives of `outputs`, each (n, …), for `rows` of `images` (N, 224, 224) uint8.

    `progress` gets how many are done, of how many.
    """
    import onnxruntime
    from onnx import load
    from onnx.utils import Extractor

    # The whole graph would run, whichever outputs are fetched.
    asked = Extractor(load(graph)).extract_model(["images"], list(outputs))
    session = onnxruntime.InferenceSession(
        asked.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = []
    for start in range(0, len(rows), BATCH):
        batch = images[rows[start : start + BATCH]][..., None]
        given.append(session.run(outputs, {"images": batch}))
        if progress:
            progress(start + len(batch), len(rows))
    return tuple(np.concatenate(parts) for parts in zip(*given, strict=True))
