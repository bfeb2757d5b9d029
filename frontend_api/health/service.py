"""Puts together whether Gyrus is ready."""

from pathlib import Path
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from frontend_api.database import Database
from frontend_api.health.schemas import ChampionOut, Ready
from frontend_api.models.service import ModelService
from gyrus.errors import Unavailable
from gyrus.launch.status import Status, read_status
from gyrus.registry import ModelVersion


class HealthService:
    """Asks the start-up's status file, the database and the registry."""

    def __init__(
        self,
        database: Database,
        models: ModelService,
        status_file: Path | None,
        upload_limit: int,
    ) -> None:
        self._database = database
        self._models = models
        self._status_file = status_file
        self._upload_limit = upload_limit

    async def ready(self) -> Ready:
        """How far the start is, and which model is champion."""
        startup = self._startup()
        if startup.stage == "deploying":
            self._models.expect_champion()
        try:
            await self._database.check()
        except SQLAlchemyError:
            startup = Status(stage="ready", message="The database does not answer.")
            return self._answer(startup, "unavailable")
        if startup.stage != "ready":
            return self._answer(startup, "starting")
        try:
            champion = await self._models.champion()
        except Unavailable as error:
            return self._answer(Status(stage="starting", message=error.detail), "starting")
        return self._answer(startup, "ready", champion)

    def _answer(
        self,
        startup: Status,
        status: Literal["ready", "starting", "unavailable"],
        champion: ModelVersion | None = None,
    ) -> Ready:
        return Ready(
            **startup.model_dump(),
            status=status,
            model=_champion(champion),
            model_known=self._models.champion_is_known,
            upload_limit=self._upload_limit,
        )

    def _startup(self) -> Status:
        if self._status_file is None:
            return Status(stage="ready", message="")
        starting = Status(stage="starting", message="Gyrus is starting.")
        return read_status(self._status_file) or starting


def _champion(champion: ModelVersion | None) -> ChampionOut | None:
    if champion is None:
        return None
    return ChampionOut(
        version=champion.version,
        architecture=champion.card.architecture,
        synthetic=champion.card.synthetic,
    )
