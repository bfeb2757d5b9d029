"""`python -m training_jobs` with bad input; whole runs stand in tests/integration."""

import io
import json
from pathlib import Path

import pytest

from gyrus.datasets import Dataset
from training_jobs.__main__ import main


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--epochs", "0"], "--epochs"),
        (["--model", "vgg"], "--model"),
        (["--run", "../up"], "--run"),
        (["--dataset", "nowhere"], "nowhere"),
        (["--weights", "missing.h5"], "missing.h5"),
        (["--resume"], "There is no run"),
        (["--batch", "1", "--workers", "2"], "too small for 2 workers"),
    ],
)
def test_bad_input_ends_with_2_and_a_line_that_says_what(
    asked: list[str],
    words: str,
    small_dataset: Dataset,
    tmp_path: Path,
) -> None:
    usual = ["--run", "one", "--storage", str(tmp_path), "--dataset", str(small_dataset.folder)]
    lines = io.StringIO()
    assert main([*usual, *asked], lines) == 2
    event = json.loads(lines.getvalue())
    assert event["kind"] == "failed"
    assert words in event["message"]
    assert not list(tmp_path.iterdir())
