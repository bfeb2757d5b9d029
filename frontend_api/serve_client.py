"""The one client of Ray Serve: pooled, one retry, and errors that say what a person can do."""

import asyncio
import logging
import socket
import sys
import time
from types import TracebackType
from typing import Any, Literal, Self

import httpx
from pydantic import Base64Bytes, BaseModel, ValidationError

from frontend_api.metrics import Metrics
from gyrus.errors import (
    CorruptImage,
    EmptyUpload,
    GyrusError,
    ImageTooLarge,
    InputError,
    NoModel,
    Unavailable,
    UnsupportedImage,
    UploadTooLarge,
)

RETRY_PAUSE_S = 0.1
RETRY_AFTER_S = 5

LOST: list[tuple[int, int, int]] = []
"""Give up a connection ten seconds after the last sign of life of its other end, so that the call
is made once more. A node gives signs while its replicas are busy, and none when it is lost; one
that takes no byte of a large image for ten seconds counts as lost too."""

if sys.platform == "linux":
    LOST = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
    ]

REFUSALS: tuple[type[InputError], ...] = (
    InputError,
    EmptyUpload,
    UnsupportedImage,
    CorruptImage,
    ImageTooLarge,
    UploadTooLarge,
)
"""What a replica may say about an image; anything else is not the client's fault."""

log = logging.getLogger("gyrus.gateway")


class Crop(BaseModel):
    """The window of the upload that the model saw, in the upload's pixels."""

    x: int
    y: int
    width: int
    height: int


class ServedModel(BaseModel):
    """The model that answered. `synthetic`: it was trained on generated images only."""

    version: int
    digest: str
    architecture: str
    synthetic: bool


class Cam(BaseModel):
    """Class activation maps: (classes, rows, columns) little-endian float16."""

    shape: tuple[int, int, int]
    data: Base64Bytes


class Inference(BaseModel):
    """What a replica answers. The classes of `cam` are in the order of `probabilities`.

    `label_is_tumour` and `upper_threshold` are None only of a replica older than this gateway.
    """

    label: str
    label_is_tumour: bool | None = None
    probabilities: dict[str, float]
    confidence: float
    tumour_probability: float
    decision: Literal["tumour", "no_tumour", "uncertain"]
    threshold: float
    upper_threshold: float | None = None
    distance: float
    crop: Crop
    model: ServedModel
    thumbnail: Base64Bytes
    cam: Cam | None = None


class ServeClient:
    """Calls the replicas; inference is pure, so a call that was dropped is made once more."""

    def __init__(
        self,
        url: str,
        secret: str,
        metrics: Metrics,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._metrics = metrics
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {secret}"},
            timeout=httpx.Timeout(60, connect=3),
            transport=transport or _pool(),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open the pool."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Close the pool."""
        await self._http.__aexit__(kind, error, trace)

    async def infer(self, image: bytes, *, explain: bool) -> Inference:
        """Classify an encoded image, and explain it if asked.

        Raises:
            InputError: the replica refused the image; its own subclass, title and words.
            NoModel: no champion is loaded.
            Unavailable: no replica answered, twice.
        """
        application = "explain" if explain else "classify"
        answer = await self._post(application, image)
        if answer is None or _worth_a_retry(answer):
            await asyncio.sleep(RETRY_PAUSE_S)
            answer = await self._post(application, image)
        if answer is None or answer.status_code != 200:
            raise _error(answer)
        try:
            return Inference.model_validate_json(answer.content)
        except ValidationError as error:
            log.error("unreadable answer of %s: %d faults", application, error.error_count())
            raise _unavailable() from error

    async def _post(self, application: str, image: bytes) -> httpx.Response | None:
        start = time.perf_counter()
        outcome = "dropped"
        try:
            answer = await self._http.post(
                f"/{application}",
                params={"thumbnail": 1},
                content=image,
                headers={"Content-Type": "application/octet-stream"},
            )
            outcome = str(answer.status_code)
            return answer
        except httpx.TransportError as error:
            log.warning("call of %s dropped: %s", application, type(error).__name__)
            if isinstance(error, httpx.ReadTimeout | httpx.PoolTimeout):
                # A second minute of waiting helps nobody.
                raise _unavailable() from error
            return None
        finally:
            self._metrics.serve(application, outcome, time.perf_counter() - start)


def _pool() -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(
        limits=httpx.Limits(max_connections=100, max_keepalive_connections=50),
        trust_env=False,
        socket_options=LOST,
    )


def _worth_a_retry(answer: httpx.Response) -> bool:
    return answer.status_code >= 500 and _type(answer) != NoModel.type


def _error(answer: httpx.Response | None) -> GyrusError:
    if answer is None:
        return _unavailable()
    kind, detail = _type(answer), _problem(answer).get("detail", "")
    if kind == NoModel.type:
        return NoModel(detail or "No model is being served yet.", retry_after=30)
    for refusal in REFUSALS:
        if kind == refusal.type and answer.status_code < 500:
            return refusal(detail)
    # Not for the client to mend: our secret is refused, or Serve has no such application yet.
    log.error("Serve answered %d (%s)", answer.status_code, kind or "no problem")
    return _unavailable()


def _unavailable() -> Unavailable:
    return Unavailable(
        "The model's replicas do not answer just now. Try again.", retry_after=RETRY_AFTER_S
    )


def _problem(answer: httpx.Response) -> dict[str, Any]:
    if "json" not in answer.headers.get("Content-Type", ""):
        return {}
    try:
        problem = answer.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _type(answer: httpx.Response) -> str:
    return str(_problem(answer).get("type", "")).removeprefix("urn:gyrus:problem:")
