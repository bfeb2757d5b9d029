"""A gateway in this process, with a fake Ray Serve and a fake registry."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import pytest_asyncio
from pydantic import SecretStr

from frontend_api import migrations
from frontend_api.app import create_app
from frontend_api.database import Database, make_engine
from frontend_api.dependencies import GatewayState
from frontend_api.settings import GatewaySettings
from frontend_api.users.repository import User, UserRepository
from gyrus.errors import Conflict, GyrusError, NotFound, Unavailable
from gyrus.launch.jobs import Job, TrainingRequest
from gyrus.progress import Progress
from gyrus.registry import ModelVersion
from tests.bundles import CARD

CLASSES = ["glioma", "meningioma", "notumor", "pituitary"]


class FakeServe:
    """Answers like a replica; `then` is a queue of other answers to give first.

    It answers only while `answering` is set.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.then: list[httpx.Response | Exception] = []
        self.answering = asyncio.Event()
        self.answering.set()
        self.cam = np.zeros((4, 7, 7), np.float16)
        self.cam[0, 1, 5] = 4.0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await self.answering.wait()
        if self.then:
            answer = self.then.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return httpx.Response(200, json=self.answer(explain=request.url.path == "/explain"))

    def answer(self, *, explain: bool) -> dict[str, Any]:
        thumbnail = cv2.imencode(".png", np.full((224, 224), 100, np.uint8))[1].tobytes()
        body: dict[str, Any] = {
            "label": "glioma",
            "label_is_tumour": True,
            "probabilities": dict(zip(CLASSES, [0.7, 0.15, 0.1, 0.05], strict=True)),
            "confidence": 0.7,
            "tumour_probability": 0.9,
            "decision": "tumour",
            "threshold": 0.5,
            "upper_threshold": 0.75,
            "distance": 3.25,
            "crop": {"x": -3, "y": 4, "width": 300, "height": 300},
            "model": {
                "version": 2,
                "digest": "ab" * 32,
                "architecture": "cnn",
                "synthetic": True,
            },
            "thumbnail": base64.b64encode(thumbnail).decode(),
        }
        if explain:
            data = base64.b64encode(self.cam.astype("<f2").tobytes()).decode()
            body["cam"] = {"shape": list(self.cam.shape), "data": data}
        return body


class FakeRegistry:
    """Three models; the second is champion, the first was it before."""

    def __init__(self) -> None:
        self.current: int | None = 2
        self.before = [1]

    def versions(self) -> list[ModelVersion]:
        return [self._model(version) for version in (3, 2, 1)]

    def champion(self) -> ModelVersion | None:
        return None if self.current is None else self._model(self.current)

    def promote(self, version: int) -> ModelVersion:
        if version not in (1, 2, 3):
            raise NotFound(f"There is no model version {version}.")
        if self.current is not None and self.current != version:
            self.before.append(self.current)
        self.current = version
        return self._model(version)

    def rollback(self) -> ModelVersion:
        before = [version for version in self.before if version != self.current]
        if not before:
            raise Conflict("There is no champion before this one.")
        *self.before, version = before
        self.current = version
        return self._model(version)

    def _model(self, version: int) -> ModelVersion:
        tumours = ["glioma", "meningioma", "pituitary"]
        card = CARD.model_copy(update={"classes": CLASSES, "tumour_classes": tumours})
        return ModelVersion(
            version=version,
            digest="ab" * 32,
            source="bundle",
            bundle=Path("bundle"),
            card=card,
            created_at=datetime(2026, 1, version, tzinfo=UTC),
            champion=version == self.current,
        )


class FakeTrainings:
    """A launcher of trainings that do nothing; `told` are the events of each."""

    def __init__(self) -> None:
        self.started: dict[str, Job] = {}
        self.told: list[Progress | None] = []
        self.after: list[datetime | None] = []
        self.text = ""
        self.hides_log = False

    def create(self, request: TrainingRequest) -> Job:
        if request.dataset != "phantom":
            raise NotFound(f"There is no dataset {request.dataset}.")
        for job in self.started.values():
            if job.state == "running":
                raise Conflict(f"The training {job.id} runs.")
        now = datetime(2026, 1, 1 + len(self.started), tzinfo=UTC)
        job = Job(
            id=request.run,
            state="running",
            created_at=now,
            started_at=now,
            ended_at=None,
            request=request,
            progress=None,
            version=None,
        )
        self.started[job.id] = job
        return job

    def jobs(self) -> list[Job]:
        return [*reversed(self.started.values())]

    def get(self, job_id: str) -> Job:
        if job_id not in self.started:
            raise NotFound(f"There is no training job {job_id}.")
        return self.started[job_id]

    def cancel(self, job_id: str) -> None:
        job = self.get(job_id)
        if job.state == "cancelled":
            raise Conflict(f"The training job {job_id} has ended already.")
        self.started[job_id] = job.model_copy(update={"state": "cancelled"})

    def events(self, job_id: str, after: datetime | None = None) -> Iterator[Progress | None]:
        self.get(job_id)
        self.after.append(after)
        for event in self.told:
            if event is None or after is None or event.time > after:
                yield event

    def log(self, job_id: str) -> str:
        if self.hides_log:
            raise Unavailable("Kubernetes does not answer.")
        return self.text

    def plot(self, job_id: str, name: str) -> bytes:
        if self.get(job_id).state == "running":
            raise NotFound(f"The training job {job_id} has no plot {name} yet.")
        return f"plot {name}".encode()


class Running:
    """A gateway that runs, its fakes, and a client of it."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.serve = FakeServe()
        self.registry = FakeRegistry()
        self.pushed: list[int] = []
        self.refuses_push: GyrusError | None = None
        self.trainings = FakeTrainings()
        self.state: GatewayState
        self.client: httpx.AsyncClient
        self.database: Database

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["Running"]:
        engine = make_engine(self.settings.database)
        migrations.upgrade(engine)
        self.database = Database(engine)
        app = create_app(
            self.settings,
            serve=httpx.MockTransport(self.serve),
            registry=self.registry,
            push=self._push,
            launcher=self.trainings,
        )
        async with app.router.lifespan_context(app) as state:
            assert state is not None
            self.state = state["gateway"]

            async def with_state(scope: Any, receive: Any, send: Any) -> None:
                # What uvicorn does, and httpx does not: hand the lifespan's state to requests.
                await app({**scope, "state": dict(state)}, receive, send)

            transport = httpx.ASGITransport(with_state)
            async with httpx.AsyncClient(transport=transport, base_url="http://gyrus") as client:
                self.client = client
                yield self
        engine.dispose()

    def _push(self, model: ModelVersion) -> None:
        if self.refuses_push:
            raise self.refuses_push
        self.pushed.append(model.version)

    async def user(self, email: str, role: str = "user") -> dict[str, str]:
        """Make an account and return its Authorization header; nothing is hashed, to be quick."""
        user = User(email=email, role=role, password_hash="none")
        await self.database.run(lambda session: UserRepository(session).add(user))
        return {"Authorization": f"Bearer {self.state.tokens.issue(user.id)}"}

    async def predict(self, headers: dict[str, str], **options: Any) -> httpx.Response:
        """Upload a picture."""
        files = {"file": ("patient-name.png", options.pop("image", b"picture"), "image/png")}
        return await self.client.post(
            "/v1/predictions", files=files, headers=headers, params=options
        )


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(
        home=tmp_path,
        database_url=f"sqlite:///{tmp_path / 'gyrus.db'}",
        serve_url="http://serve",
        serve_secret=SecretStr("the-first-of-the-secrets the-second-of-the-secrets"),
        status_file=tmp_path / "status.json",
    )


@pytest_asyncio.fixture
async def gateway(settings: GatewaySettings) -> AsyncIterator[Running]:
    async with Running(settings).run() as running:
        yield running


@pytest.fixture
def run_gateway() -> Callable[[GatewaySettings], contextlib.AbstractAsyncContextManager[Running]]:
    """Runs a gateway with other settings."""
    return lambda settings: Running(settings).run()


@pytest_asyncio.fixture
async def alice(gateway: Running) -> dict[str, str]:
    return await gateway.user("alice@example.com")


@pytest_asyncio.fixture
async def bob(gateway: Running) -> dict[str, str]:
    return await gateway.user("bob@example.com")


@pytest_asyncio.fixture
async def admin(gateway: Running) -> dict[str, str]:
    return await gateway.user("admin@example.com", role="admin")


@pytest.fixture
def assert_problem() -> Callable[..., None]:
    """Checks that an answer is the problem that it should be."""

    def check(answer: httpx.Response, status: int, kind: str) -> None:
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        body = answer.json()
        assert body["type"] == f"urn:gyrus:problem:{kind}"
        assert body["status"] == status
        assert body["detail"]
        assert body["request_id"] == answer.headers["X-Request-ID"]

    return check
