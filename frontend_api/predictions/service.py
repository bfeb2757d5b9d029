"""What can be done with predictions."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from frontend_api import heatmap
from frontend_api.database import Database
from frontend_api.metrics import Metrics
from frontend_api.predictions import cursor as cursors
from frontend_api.predictions.repository import Prediction, PredictionRepository
from frontend_api.serve_client import Inference, ServeClient
from gyrus.errors import Conflict, EmptyUpload, InputError, NotFound, Unavailable

ROOM_S = 5.0
"""An upload waits so long for room, on disk; a moment's crowd is no reason to refuse."""


class PredictionService:
    """Makes, lists, draws and deletes the predictions of a user."""

    def __init__(
        self, database: Database, serve: ServeClient, metrics: Metrics, max_uploads: int
    ) -> None:
        self._database = database
        self._serve = serve
        self._metrics = metrics
        self._room = anyio.Semaphore(max_uploads)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Room for one upload in memory, until it is answered.

        Raises:
            Unavailable: there was none within `ROOM_S`.
        """
        try:
            with anyio.fail_after(ROOM_S):
                await self._room.acquire()
        except TimeoutError as error:
            detail = "Too many images are being analysed just now. Try again in a moment."
            raise Unavailable(detail, retry_after=2) from error
        try:
            yield
        finally:
            self._room.release()

    async def predict(
        self, user_id: str, image: bytes, *, explain: bool, key: str | None
    ) -> tuple[Prediction, bool]:
        """Predict from an encoded image, and keep it; also returns whether it is new.

        A second request with the same idempotency key gets the prediction of the first.

        Raises:
            InputError: the image cannot be used.
            Conflict: the key stands for another request.
            NoModel: no champion is loaded.
            Unavailable: no replica answered.
        """
        if not image:
            raise EmptyUpload("The file is empty. Choose an image file that has content.")
        key_hash = hashlib.sha256(key.encode()).hexdigest() if key else None
        digest = await anyio.to_thread.run_sync(_digest, image, explain) if key else None
        earlier = await self._earlier(user_id, key_hash, digest)
        if earlier is not None:
            return earlier, False
        inference = await self._serve.infer(image, explain=explain)
        row = _row(user_id, inference)
        row.idempotency_key, row.request_digest = key_hash, digest
        try:
            await self._database.run(
                lambda session: PredictionRepository(session, user_id).add(row)
            )
        except IntegrityError:
            # The same request came twice at once, and the other was quicker.
            earlier = await self._earlier(user_id, key_hash, digest)
            if earlier is None:
                raise
            return earlier, False
        self._metrics.prediction(row.decision)
        return row, True

    async def get(self, user_id: str, prediction_id: str) -> Prediction:
        """One prediction; raises `NotFound` if the user has no such one."""
        return _found(
            await self._database.run(
                lambda session: PredictionRepository(session, user_id).get(prediction_id)
            )
        )

    async def page(
        self, user_id: str, limit: int, cursor: str | None
    ) -> tuple[list[Prediction], str | None]:
        """A page, newest first, and the cursor of the next, if there is one."""
        after = cursors.decode(cursor) if cursor else None
        rows = await self._database.run(
            lambda session: PredictionRepository(session, user_id).page(limit + 1, after)
        )
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1]
        return rows[:limit], cursors.encode(last.created_at, last.id)

    async def delete(self, user_id: str, prediction_id: str) -> None:
        """Delete one prediction; raises `NotFound` if the user has no such one."""

        def delete(session: Session) -> bool:
            return PredictionRepository(session, user_id).delete(prediction_id)

        if not await self._database.run(delete):
            raise _missing()

    async def image(self, user_id: str, prediction_id: str) -> bytes:
        """The PNG of what the model saw; raises `NotFound`."""
        return (await self._with_pictures(user_id, prediction_id)).thumbnail

    async def heatmap(
        self,
        user_id: str,
        prediction_id: str,
        class_name: str | None,
        opacity: float,
        colormap: heatmap.ColorMap,
    ) -> bytes:
        """A PNG of where the model looked for a class, by default the likeliest.

        Raises:
            NotFound: no such prediction, or it was not explained.
            InputError: no such class.
        """
        row = await self._with_pictures(user_id, prediction_id)
        if row.cam is None or row.cam_shape is None:
            raise NotFound("The prediction was made without explain=true and has no heatmap.")
        name = class_name or row.label
        if name not in row.classes:
            raise InputError(f"There is no such class. Choose one of {', '.join(row.classes)}.")
        classes, rows, columns = row.cam_shape
        cam = heatmap.read_cam(row.cam, (classes, rows, columns), row.classes.index(name))
        return await anyio.to_thread.run_sync(heatmap.draw, row.thumbnail, cam, opacity, colormap)

    async def _with_pictures(self, user_id: str, prediction_id: str) -> Prediction:
        return _found(
            await self._database.run(
                lambda session: PredictionRepository(session, user_id).with_pictures(prediction_id)
            )
        )

    async def _earlier(
        self, user_id: str, key_hash: str | None, digest: str | None
    ) -> Prediction | None:
        if key_hash is None:
            return None
        row = await self._database.run(
            lambda session: PredictionRepository(session, user_id).by_key(key_hash)
        )
        if row is not None and row.request_digest != digest:
            raise Conflict("The Idempotency-Key was used for another request. Send a new one.")
        return row


def _digest(image: bytes, explain: bool) -> str:
    digest = hashlib.sha256(b"%d" % explain)
    digest.update(image)
    return digest.hexdigest()


def _found(row: Prediction | None) -> Prediction:
    if row is None:
        raise _missing()
    return row


def _missing() -> NotFound:
    return NotFound("You have no such prediction.")


def _row(user_id: str, inference: Inference) -> Prediction:
    cam = inference.cam
    return Prediction(
        user_id=user_id,
        label=inference.label,
        label_is_tumour=inference.label_is_tumour,
        decision=inference.decision,
        classes=list(inference.probabilities),
        probabilities=list(inference.probabilities.values()),
        confidence=inference.confidence,
        tumour_probability=inference.tumour_probability,
        threshold=inference.threshold,
        upper_threshold=inference.upper_threshold,
        distance=inference.distance,
        crop=inference.crop.model_dump(),
        model_version=inference.model.version,
        model_digest=inference.model.digest,
        model_architecture=inference.model.architecture,
        model_synthetic=inference.model.synthetic,
        thumbnail=inference.thumbnail,
        cam=cam.data if cam else None,
        cam_shape=list(cam.shape) if cam else None,
    )
