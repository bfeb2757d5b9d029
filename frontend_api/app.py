"""The gateway's application."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from lightkube import Client
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.middleware import Middleware

import gyrus
from frontend_api import docs, problems
from frontend_api.auth.endpoints import router as auth
from frontend_api.auth.passwords import Passwords
from frontend_api.auth.service import AuthService
from frontend_api.auth.tokens import AccessTokens
from frontend_api.database import Database, make_engine
from frontend_api.dependencies import GatewayState, LifespanState
from frontend_api.health.endpoints import router as health
from frontend_api.health.service import HealthService
from frontend_api.metrics import Metrics
from frontend_api.middleware import BodyLimit, Observe, RequestId, SecurityHeaders
from frontend_api.models.endpoints import router as models
from frontend_api.models.service import ModelService, Push, Registry
from frontend_api.predictions.endpoints import router as predictions
from frontend_api.predictions.service import PredictionService
from frontend_api.serve_client import ServeClient
from frontend_api.settings import GatewaySettings
from frontend_api.trainings.endpoints import router as trainings
from frontend_api.trainings.service import TrainingService
from frontend_api.users.endpoints import router as users
from frontend_api.users.service import UserService
from gyrus.errors import NotFound
from gyrus.launch import kubernetes_api
from gyrus.launch.cluster_jobs import RayJobs
from gyrus.launch.jobs import TrainingLauncher
from gyrus.launch.kubernetes import RayService
from gyrus.launch.local_jobs import LocalTrainings
from gyrus.launch.serving import ServeClient as ServeControl
from gyrus.registry import ModelVersion
from gyrus.registry import Registry as MlflowRegistry

STATIC = Path(__file__).parent / "static"

DESCRIPTION = """Brain-MRI tumour classification with explanations.

**Gyrus is not a medical device.** Its answers must not be used for diagnosis or treatment.

Errors are RFC 9457 problems (`application/problem+json`) with a stable `type` and a `request_id`.
"""


class GatewayApp(FastAPI):
    """FastAPI with the schema of a problem among its components."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        schema = super().openapi()
        template = "#/components/schemas/{model}"
        problem = problems.Problem.model_json_schema(ref_template=template)
        parts = problem.pop("$defs")
        schema["components"]["schemas"] |= {"Problem": problem} | parts
        return schema


def create_app(
    settings: GatewaySettings | None = None,
    *,
    serve: httpx.AsyncBaseTransport | None = None,
    registry: Registry | None = None,
    push: Push | None = None,
    launcher: TrainingLauncher | None = None,
    connect: Callable[[], Client] = kubernetes_api.connect,
) -> FastAPI:
    """The application; the database must have been migrated.

    `serve` is the transport to Ray Serve, `registry` the models, `push` what makes replicas serve
    one, `launcher` what trains: each is the real thing unless given. `connect` makes the client of
    Kubernetes, if one is needed.
    """
    given = settings or GatewaySettings()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[LifespanState]:
        engine = make_engine(given.database)
        database = Database(engine)
        passwords = Passwords()
        tokens = AccessTokens(given.keys, timedelta(minutes=given.access_minutes))
        mlflow = MlflowRegistry(given.registry_uri, given.home)
        on_cluster = given.rayservice or given.rayjob_template
        reached: AbstractContextManager[Client | None] = connect() if on_cluster else nullcontext()
        with reached as kubernetes:
            service = ModelService(registry or mlflow, push or _push(given, kubernetes))
            trainer = launcher or _launcher(given, mlflow, kubernetes)
            async with (
                metrics.own_port(given.host, given.metrics_port),
                ServeClient(given.serve_url, given.serve_bearer, metrics, serve) as client,
            ):
                refresh_lifetime = timedelta(days=given.refresh_days)
                yield {
                    "gateway": GatewayState(
                        tokens=tokens,
                        users=UserService(database, passwords),
                        auth=AuthService(database, passwords, tokens, refresh_lifetime),
                        predictions=PredictionService(database, client, metrics, given.max_uploads),
                        models=service,
                        trainings=TrainingService(trainer),
                        health=HealthService(
                            database, service, given.status_file, given.upload_limit
                        ),
                    )
                }
        engine.dispose()

    app = GatewayApp(
        title="Gyrus",
        version=gyrus.__version__,
        description=DESCRIPTION,
        openapi_url="/v1/openapi.json",
        # Their pages load scripts from another host; `docs` needs neither.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=problems.ANY,
        middleware=[
            Middleware(RequestId),
            Middleware(SecurityHeaders),
            Middleware(Observe, metrics=metrics),
            Middleware(problems.UnexpectedErrors),
            Middleware(BodyLimit, upload=given.upload_limit),
        ],
    )
    problems.install(app)
    for router in (users, auth, predictions, models, trainings, health):
        app.include_router(router)

    @app.get("/docs", include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(docs.page(app.openapi()))

    if not given.metrics_port:

        @app.get("/metrics", include_in_schema=False)
        async def prometheus() -> Response:
            return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> FileResponse:
        if not (STATIC / "index.html").is_file():
            raise NotFound("This gateway was installed without its web page.")
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False))
    return app


def _push(settings: GatewaySettings, kubernetes: Client | None) -> Push:
    if settings.rayservice and kubernetes is not None:
        name, namespace = settings.rayservice, settings.namespace
        url, secret = settings.serve_url, settings.serve_bearer
        return RayService(name, namespace, url, secret, kubernetes).push

    def push(model: ModelVersion) -> None:
        if settings.serve_api:
            # Read each time: Ray may start after the gateway, and its token may be renewed.
            file = settings.ray_token_file
            token = file.read_text().strip() if file and file.is_file() else None
            secret = settings.serve_bearer
            with ServeControl(settings.serve_api, token, secret=secret) as control:
                control.push(model)

    return push


def _launcher(
    settings: GatewaySettings, registry: MlflowRegistry, kubernetes: Client | None
) -> TrainingLauncher:
    if settings.rayjob_template is None or kubernetes is None:
        return LocalTrainings(settings)
    return RayJobs(
        settings.rayjob_template,
        settings.training_namespace,
        settings.training_data,
        registry,
        kubernetes,
    )
