"""The images: one argument of the build exchanges TensorFlow."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("pyproject.toml", "constraints.txt")


@pytest.mark.parametrize("tensorflow", ["tensorflow-cpu", "tensorflow[and-cuda]"])
def test_the_argument_tensorflow_takes_the_place_of_tensorflow_cpu(
    tmp_path: Path, tensorflow: str
) -> None:
    [command] = re.findall(r"^RUN (sed .*) && \$INSTALL", (ROOT / "Dockerfile").read_text(), re.M)
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    environment = {**os.environ, "TENSORFLOW": tensorflow}
    subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, check=True)
    for name in FILES:
        before = (ROOT / name).read_text()
        assert before.count("tensorflow-cpu") == 1
        assert (tmp_path / name).read_text() == before.replace("tensorflow-cpu", tensorflow)
