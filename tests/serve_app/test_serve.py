"""Both applications on a real Ray Serve, on loopback."""

import json
import os
import secrets
import shutil
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
import pytest

from gyrus.bundle import ONNX, read_card
from gyrus.errors import Unavailable
from gyrus.launch.ports import LOOPBACK, pick_ports
from gyrus.launch.processes import Processes
from gyrus.launch.ray_head import RayHead
from gyrus.launch.serving import ServeClient
from gyrus.registry import ModelVersion
from serve_app.inference import ModelConfig

pytestmark = pytest.mark.ray

SECRET = "a-secret-of-the-tests"


class FakeMlflow(ThreadingHTTPServer):
    """As much of MLflow's server as a replica asks."""

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), MlflowHandler)
        self.champion: ModelConfig | None = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def uri(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}"


class MlflowHandler(BaseHTTPRequestHandler):
    server: FakeMlflow

    def do_GET(self) -> None:
        champion = self.server.champion
        if champion is None:
            self._say(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}')
        elif "/mlflow-artifacts/" in self.path:
            name = self.path.partition("/artifacts/1/b/")[2]
            self._say(200, (Path(champion.source) / name).read_bytes())
        else:
            tags = [{"key": "digest", "value": champion.digest}]
            version = {"source": "mlflow-artifacts:/1/b", "version": "1", "tags": tags}
            self._say(200, json.dumps({"model_version": version}).encode())

    def log_message(self, *_: object) -> None:
        pass

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Cluster:
    """A Ray head with its Serve, and how to reach them."""

    def __init__(self, folder: Path) -> None:
        token = folder / "token"
        token.write_text(secrets.token_hex(32))
        self.head = RayHead(token)
        self.port = pick_ports(1)[0]
        self.mlflow = FakeMlflow()
        self.processes = Processes(f"tests-{os.getpid()}", folder / "logs")
        self.transport = httpx.HTTPTransport()
        self.serve = ServeClient(
            self.head.api, token.read_text(), secret=SECRET, transport=self.transport
        )
        self.ray = self.processes.start(
            "ray",
            self.head.command,
            {
                **os.environ,
                **self.head.environment,
                "GYRUS_SERVE_SECRET": SECRET,
                "GYRUS_SERVE_PRECISION": "f32",
                "GYRUS_TRACKING_URI": self.mlflow.uri,
                "GYRUS_HOME": str(folder / "home"),
            },
            folder=folder,
        )

    def start(self) -> None:
        self.head.wait(self.processes.check)
        self.serve.deploy(None, self.port, check=self.processes.check)

    def stop(self) -> None:
        self.transport.close()
        self.processes.stop_all(["ray"], grace=15)
        self.mlflow.shutdown()
        self.mlflow.server_close()
        shutil.rmtree(self.head.folder, ignore_errors=True)

    def replicas(self) -> set[int]:
        found = psutil.Process(self.ray.process.pid).children(recursive=True)
        return {one.pid for one in found if "ServeReplica" in " ".join(one.cmdline())}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("ray"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def http(cluster: Cluster) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"http://{LOOPBACK}:{cluster.port}",
        headers={"Authorization": f"Bearer {SECRET}"},
        timeout=30,
        trust_env=False,
    ) as client:
        yield client


def version_of(config: ModelConfig) -> ModelVersion:
    return ModelVersion(
        version=config.version,
        digest=config.digest,
        source=config.source,
        bundle=Path(config.source),
        card=read_card(Path(config.source)),
        created_at=datetime.now(UTC),
        champion=True,
    )


def bomb(side: int) -> bytes:
    """A black PNG of `side` × `side` pixels, which is small as a file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    row = b"\0" * (1 + side)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_replicas_answer_refuse_and_change_models_in_place(
    cluster: Cluster, http: httpx.Client, make_bundle: Callable[..., ModelConfig], png: bytes
) -> None:
    for path in ("/classify", "/explain"):
        response = http.post(path, content=png)
        assert response.status_code == 503
        assert response.json()["type"] == "urn:gyrus:problem:no-model"
    replicas = cluster.replicas()
    assert len(replicas) == 2

    first = make_bundle(1)
    cluster.mlflow.champion = first
    for path in ("/classify", "/explain"):
        wait_until_served(http, path, first)

    cluster.serve.push(version_of(first))
    said = http.post("/explain?thumbnail=1", content=png).json()
    assert said["model"]["version"] == 1
    assert said["cam"]["shape"] == [4, 7, 7]
    assert "thumbnail" in said
    assert "cam" not in http.post("/classify", content=png).json()

    with ThreadPoolExecutor(12) as pool:
        many = pool.map(lambda _: http.post("/classify", content=png), range(60))
    assert {response.status_code for response in many} == {200}

    cluster.serve.push(version_of(make_bundle(2, seed=2)))
    for path in ("/classify", "/explain"):
        assert http.post(path, content=png).json()["model"]["version"] == 2

    broken = version_of(make_bundle(3, seed=3))
    (broken.bundle / ONNX).write_bytes(b"changed")
    with pytest.raises(Unavailable):
        cluster.serve.push(broken)
    assert http.post("/classify", content=png).json()["model"]["version"] == 2
    assert http.get("/classify").json()["model"]["version"] == 2
    assert cluster.replicas() == replicas, "a replica was replaced"

    wrong = http.post("/classify", content=png, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401

    before = {pid: forget_peak(pid) for pid in replicas}
    for content, status, kind in (
        (b"", 400, "empty-upload"),
        (b"Dear colleague", 415, "unsupported-image"),
        (png[: len(png) // 2], 422, "corrupt-image"),
        (bomb(30_000), 413, "image-too-large"),
        (b"\0" * 200 * 2**20, 413, "upload-too-large"),
    ):
        response = refused(http, content)
        if response is None:  # the connection was closed while the rest was still being sent
            assert kind == "upload-too-large"
            continue
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] == f"urn:gyrus:problem:{kind}"
    assert all(peak_memory(pid) - before[pid] < 300e6 for pid in replicas)
    assert http.post("/classify", content=png).status_code == 200


def wait_until_served(http: httpx.Client, path: str, config: ModelConfig) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        model = http.get(path).json()["model"]
        if model:
            assert (model["version"], model["digest"]) == (config.version, config.digest)
            return
        time.sleep(0.5)
    pytest.fail(f"{path} did not find the champion")


def forget_peak(pid: int) -> int:
    """Let the peak of a process's memory begin anew, and say where it begins, in bytes."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_memory(pid)


def peak_memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def refused(http: httpx.Client, content: bytes) -> httpx.Response | None:
    try:
        return http.post("/classify", content=content)
    except httpx.WriteError:
        return None
