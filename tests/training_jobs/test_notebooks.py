"""The notebooks, each run as a reader runs it, on generated images."""

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "training_jobs" / "notebooks"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def trained(home: Path) -> NotebookNode:
    """The notebook that trains a model; what it made is in the home."""
    return executed("2_train", home)


def executed(name: str, home: Path) -> NotebookNode:
    """Run a notebook on what is in a home."""
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    environment = {**os.environ, "GYRUS_HOME": str(home), "IPYTHONDIR": str(home / "ipython")}
    client = NotebookClient(book, timeout=None, resources={"metadata": {"path": str(home)}})
    return client.execute(env=environment)


def shown(book: NotebookNode, kind: str) -> list[str]:
    """All that a notebook shows of a kind."""
    return [output.data[kind] for output in outputs(book) if kind in output.get("data", {})]


def outputs(book: NotebookNode) -> Iterator[NotebookNode]:
    for cell in book.cells:
        yield from cell.get("outputs", [])


def warnings(book: NotebookNode) -> list[str]:
    return [output.text for output in outputs(book) if output.get("name") == "stderr"]


def test_a_dataset_is_explored(home: Path) -> None:
    book = executed("1_explore", home)
    assert len(shown(book, "image/png")) == 4  # one a class
    counts, probes = shown(book, "text/html")
    assert "pituitary" in counts
    assert "border" in probes
    [groups] = [text for text in shown(book, "text/plain") if text.count(",") == 2]
    first, mirrored, other = eval(groups)
    assert first == mirrored != other
    assert not warnings(book)


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_a_model_is_trained(trained: NotebookNode) -> None:
    assert len(shown(trained, "image/png")) == 1 + 7  # the live curve, and the plots
    assert "('succeeded', 1)" in shown(trained, "text/plain")
    assert not warnings(trained)


@pytest.mark.ray
def test_an_evaluation_is_read(trained: NotebookNode, home: Path) -> None:
    book = executed("3_evaluate", home)
    assert "miss_rate" in "".join(shown(book, "text/html"))
    assert len(shown(book, "image/png")) == 1 + 4  # the histogram, and hits and misses
    assert "## Intended use" in shown(book, "text/markdown")[-1]
    assert not warnings(book)


def test_without_a_model_the_reader_is_told_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match=r"no model yet: train one with 2_train\.ipynb"):
        executed("3_evaluate", tmp_path)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_outputs_are_kept(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)
