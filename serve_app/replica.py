"""The replica: a process of Ray Serve that decodes, batches and infers, and is its own ingress."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.serve.metrics import Histogram
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gyrus.errors import GyrusError, InvalidBundle
from gyrus.settings import PlatformSettings
from serve_app.champion import Mlflow, mlflow_of
from serve_app.engine import Output
from serve_app.http import authorize, problem, read_body
from serve_app.inference import Model, ModelConfig, answer, load, prepare
from serve_app.served import Pauses, Served
from serve_app.settings import ServeSettings

logger = logging.getLogger("ray.serve")

T = TypeVar("T")

STALLED_S = 60.0
"""A thread that works longer on one thing will not come back: the replica says it is unhealthy."""

BOUNDARIES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]


class Loader(Protocol):
    """Makes a model ready: `serve_app.inference.load`, or a test's."""

    def __call__(
        self, config: ModelConfig, bundle: Path, settings: ServeSettings, *, explain: bool
    ) -> Model:
        """Load the model that `config` names, whose bundle is in the folder `bundle`."""
        ...


@dataclass(frozen=True)
class _Waiting:
    """An image on its way into a batch, with the model that its request met."""

    model: Model
    image: NDArray[np.uint8]
    since: float = field(default_factory=time.perf_counter)


class Replica:
    """Answers `POST` of an encoded image, and to `GET` says which model it serves.

    Without a model it is healthy and answers 503. Ray calls `reconfigure` with the deployment's
    `user_config`: at the start, and when a promotion changes it. `batch` is `serve.batch`, which
    needs Ray around it, or a test's own. `mlflow` is the server in GYRUS_TRACKING_URI unless given.
    """

    def __init__(
        self,
        explain: bool,
        settings: ServeSettings | None = None,
        loader: Loader = load,
        batch: Callable[..., Any] = serve.batch,
        mlflow: Mlflow | None = None,
        pauses: Pauses | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._explain = explain
        self._settings = settings or ServeSettings()
        self._loader = loader
        self._mlflow = mlflow or mlflow_of(PlatformSettings())
        self._served = Served(self._load, self._mlflow, pauses)
        self._decoders = ThreadPoolExecutor(self._settings.decoders, "decode")
        self._engines = ThreadPoolExecutor(self._settings.concurrent_batches, "infer")
        self._clock = clock
        self._working_since: dict[int, float] = {}
        self._batched: Callable[[_Waiting], Awaitable[Output]] = batch(
            max_batch_size=self._settings.max_batch,
            batch_wait_timeout_s=self._settings.batch_wait_s,
            max_concurrent_batches=self._settings.concurrent_batches,
        )(self._infer)
        self._seconds = Histogram(
            "gyrus_serve_stage_seconds",
            description="Seconds of a request in each stage: decode, queue, infer.",
            boundaries=BOUNDARIES,
            tag_keys=("stage",),
        )

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Serve the model that `user_config` names; see `Served.change`."""
        await self._served.change(user_config)

    async def check_health(self) -> None:
        """Tell Ray that all is well.

        Raises:
            RuntimeError: a decoder or the engine has stalled; Ray then replaces the replica.
        """
        now = self._clock()
        # A copy, made at one stroke: the threads change the original.
        if any(now - began > STALLED_S for began in list(self._working_since.values())):
            raise RuntimeError(f"a decoder or the engine has not answered for {STALLED_S:.0f} s")

    async def __call__(self, request: Request) -> Response:
        """Answer one request; an error becomes problem+json."""
        try:
            authorize(request, self._settings.secrets)
            if request.method == "GET":
                return JSONResponse(self._served.describe())
            return JSONResponse(await self._answer(request))
        except GyrusError as error:
            return problem(error)
        except ClientDisconnect:
            return Response(status_code=499)  # nobody is there to read it
        except Exception:
            logger.exception("A request failed")
            return problem(GyrusError("The replica failed on this request. Tell who runs it."))

    def _load(self, config: ModelConfig) -> Model:
        if config.is_local:
            bundle = Path(config.source)
        elif self._mlflow is not None:
            bundle = self._mlflow.fetch(config)
        else:
            raise InvalidBundle(f"Set GYRUS_TRACKING_URI to get {config.source} from MLflow.")
        return self._loader(config, bundle, self._settings, explain=self._explain)

    async def _answer(self, request: Request) -> dict[str, Any]:
        model = self._served.current()
        data = await read_body(request, self._settings.max_upload)
        began = time.perf_counter()
        prepared = await self._run(self._decoders, prepare, data)
        del data
        self._observe("decode", began)
        output = await self._batched(_Waiting(model, prepared.image))
        thumbnail = request.query_params.get("thumbnail") == "1"
        return answer(model, prepared, output, thumbnail=thumbnail)

    async def _infer(self, waiting: list[_Waiting]) -> list[Output]:
        """Run a batch; only while models are swapped it holds images for two of them."""
        outputs: dict[int, Output] = {}
        for model in {id(one.model): one.model for one in waiting}.values():
            rows = [row for row, one in enumerate(waiting) if one.model is model]
            images = np.stack([waiting[row].image for row in rows])[..., np.newaxis]
            began = time.perf_counter()
            for row in rows:
                self._seconds.observe(began - waiting[row].since, tags={"stage": "queue"})
            found = await self._run(self._engines, model.engine.infer, images, self._explain)
            self._observe("infer", began)
            outputs |= {row: found.row(index) for index, row in enumerate(rows)}
        return [outputs[row] for row in range(len(waiting))]

    def _observe(self, stage: str, began: float) -> None:
        self._seconds.observe(time.perf_counter() - began, tags={"stage": stage})

    async def _run(self, pool: Executor, function: Callable[..., T], *args: object) -> T:
        def watched() -> T:
            # Kept by the thread itself, which works on when its request has gone away.
            thread = threading.get_ident()
            self._working_since[thread] = self._clock()
            try:
                return function(*args)
            finally:
                del self._working_since[thread]

        return await asyncio.get_running_loop().run_in_executor(pool, watched)
