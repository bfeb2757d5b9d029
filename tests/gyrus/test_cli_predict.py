"""`gyrus predict` against made-up replicas."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gyrus.cli import run
from gyrus.errors import GyrusError, NoModel, UnsupportedImage
from gyrus.launch.instance import Instance, RunFolder

SECRET = "a-secret-of-the-tests"


class Replicas(BaseHTTPRequestHandler):
    """`tumour` is what starts with `t`, `uncertain` with `u`; `.txt` is no image."""

    def do_POST(self) -> None:
        image = self.rfile.read(int(self.headers["Content-Length"]))
        assert (self.path, self.headers["Authorization"]) == ("/classify", f"Bearer {SECRET}")
        if image == b"nothing is served":
            self._problem(NoModel("No model is being served yet."))
        elif image.endswith(b".txt"):
            self._problem(UnsupportedImage("It is in none of the formats that are read."))
        else:
            tumour = image.startswith((b"t", b"u"))
            decision = "tumour" if tumour else "no_tumour"
            self._send(
                200,
                {
                    "decision": "uncertain" if image.startswith(b"u") else decision,
                    "label": "glioma" if tumour else "notumor",
                    "confidence": 0.75,
                    "tumour_probability": 0.75 if tumour else 0.25,
                    "threshold": 0.3,
                    "upper_threshold": 0.6,
                    "probabilities": {"glioma": 0.75, "notumor": 0.25},
                    "model": {"version": 4, "architecture": "cnn", "synthetic": True},
                },
            )

    def log_message(self, *unused: object) -> None:
        """Say nothing."""

    def _problem(self, error: GyrusError) -> None:
        self._send(error.status, error.problem())

    def _send(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """The home of a `gyrus up` whose replicas these are."""
    home = tmp_path / "home"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Replicas)
    url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever).start()
    try:
        folder = RunFolder(home)
        with folder.claim():
            folder.serve_secret.write_text(SECRET)
            folder.write(
                Instance(
                    mark="m",
                    pid=1,
                    port=1,
                    url=url,
                    serve_url=url,
                    serve_api=url,
                    ray_address="",
                    ray_folder=home,
                )
            )
            yield home
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "inner").mkdir(parents=True)
    for name in ("t1.png", "inner/n1.png", "t, 2.png"):
        (folder / name).write_bytes(Path(name).name.encode())
    return folder


def test_a_folder_becomes_a_table(
    home: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(images), "--home", str(home)]) == 0
    said = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["file"], row["decision"], row["version"]) for row in rows] == [
        ("inner/n1.png", "no_tumour", "4"),
        ("t, 2.png", "tumour", "4"),
        ("t1.png", "tumour", "4"),
    ]
    assert (rows[0]["label"], rows[0]["tumour_probability"]) == ("notumor", "0.25")
    assert "3 files: 1 no_tumour, 2 tumour." in said.err
    assert "Trained on generated images only" in said.err


def test_what_is_no_image_is_listed_and_told_by_the_exit_code(
    home: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "notes.txt").write_bytes(b"notes.txt")
    assert run(["predict", str(images), "--json", "--home", str(home)]) == 1
    said = capsys.readouterr()
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [bool(row["answer"]) for row in rows] == [True, False, True, True]
    assert "none of the formats" in rows[1]["error"]
    assert rows[0]["answer"]["probabilities"] == {"glioma": 0.75, "notumor": 0.25}
    assert "1 failed" in said.err


def test_without_a_model_the_folder_is_given_up(
    home: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "z.png").write_bytes(b"nothing is served")
    assert run(["predict", str(images), "--home", str(home)]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == "gyrus: No model is being served yet."
    assert len(said.out.splitlines()) == 4  # what was answered before is not lost


def test_one_file_is_told_as_ever(
    home: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(images / "t1.png"), "--home", str(home)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("tumour: most likely glioma\n")
    assert "any tumour      75.0%, called no tumour below 30.0% only, a tumour from 60.0%\n" in said
    assert "unlike" not in said
    assert run(["predict", str(images / "inner"), "--home", str(home / "other")]) == 1
    (images / "none").mkdir()
    assert run(["predict", str(images / "none"), "--home", str(home)]) == 2


def test_an_image_unlike_the_training_images_is_called_so(
    home: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "u.png").write_bytes(b"u.png")
    assert run(["predict", str(images / "u.png"), "--home", str(home)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("uncertain: ")
    assert "This image is unlike those that the model was trained on.\n" in said
