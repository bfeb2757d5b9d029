"""Folders of images, some of which are none."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gyrus.batch import IN_FLIGHT, classify_all, images_below
from gyrus.client import ReplicaClient
from gyrus.errors import InputError, Unavailable, UnsupportedImage
from gyrus.preprocessing import MAX_UPLOAD


def fill(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def answer(image: bytes) -> dict[str, Any]:
    if image.endswith(b".txt"):
        raise UnsupportedImage("It is no image.")
    return {"label": image.decode()}


def test_every_file_below_a_folder_is_taken_but_hidden_ones(tmp_path: Path) -> None:
    fill(tmp_path, ["b.png", "a/c.jpg", "a/d", ".hidden.png", ".git/e.png", "a/.f"])
    (tmp_path / "empty").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in images_below(tmp_path)]
    assert found == ["a/c.jpg", "a/d", "b.png"]
    with pytest.raises(InputError, match="holds no file"):
        images_below(tmp_path / "empty")
    with pytest.raises(InputError, match="cannot be read"):
        images_below(tmp_path / "none")


def test_what_is_no_image_is_told_in_its_place(tmp_path: Path) -> None:
    fill(tmp_path, ["a.png", "b.txt", "c.png"])
    files = [*images_below(tmp_path), tmp_path / "gone.png"]
    results = list(classify_all(tmp_path, files, answer))
    assert [one.file for one in results] == ["a.png", "b.txt", "c.png", "gone.png"]
    assert [one.answer and one.answer["label"] for one in results] == ["a.png", None, "c.png", None]
    assert results[1].error == "It is no image."
    assert "cannot be read" in results[3].error


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(MAX_UPLOAD + 1)
    [one] = classify_all(tmp_path, images_below(tmp_path), pytest.fail)
    assert "more than 20 MiB" in one.error


def test_a_name_in_no_encoding_is_told_too(tmp_path: Path) -> None:
    path = Path(str(tmp_path), b"sc\xe4n.png".decode(errors="surrogateescape"))
    path.write_bytes(b"x.txt")
    [one] = classify_all(tmp_path, images_below(tmp_path), answer)
    one.model_dump_json().encode()
    assert one.file == "sc�n.png"


def test_nobody_who_answers_ends_it(tmp_path: Path) -> None:
    fill(tmp_path, [f"{number}.png" for number in range(200)])
    asked = []

    def silent(image: bytes) -> dict[str, Any]:
        asked.append(image)
        time.sleep(0.01)
        raise Unavailable("Nobody answers.")

    with pytest.raises(Unavailable):
        list(classify_all(tmp_path, images_below(tmp_path), silent))
    assert len(asked) < 200


def test_some_are_asked_at_a_time(tmp_path: Path) -> None:
    fill(tmp_path, [f"{number}.png" for number in range(2 * IN_FLIGHT)])
    together = threading.Barrier(IN_FLIGHT, timeout=20)

    def wait(image: bytes) -> dict[str, Any]:
        together.wait()
        return {}

    assert len(list(classify_all(tmp_path, images_below(tmp_path), wait))) == 2 * IN_FLIGHT


def test_a_call_that_a_lost_replica_dropped_is_made_once_more() -> None:
    calls = []

    def respond(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        if len(calls) != 2:
            raise httpx.RemoteProtocolError("gone", request=request)
        return httpx.Response(200, json={"label": "glioma"})

    with ReplicaClient("http://replicas", transport=httpx.MockTransport(respond)) as replica:
        assert replica.classify(b"image") == {"label": "glioma"}
        calls[:] = [None, None]
        with pytest.raises(Unavailable):
            replica.classify(b"image")
