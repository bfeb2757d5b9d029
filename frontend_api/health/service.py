"""Puts together whether Gyrus is ready."""

from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from frontend_api.database import Database
from frontend_api.health.schemas import ChampionOut, Ready, Startup
from frontend_api.models.service import ModelService
from gyrus.errors import Unavailable
from gyrus.registry import ModelVersion


class HealthService:
    """Asks the start-up's status file, the database and the registry."""

    def __init__(self, database: Database, models: ModelService, status_file: Path | None) -> None:
        self._database = database
        self._models = models
        self._status_file = status_file

    async def ready(self) -> Ready:
        """How far the start is, and which model is champion."""
        startup = self._startup()
        try:
            await self._database.check()
        except SQLAlchemyError:
            startup = Startup(stage="failed", message="The database does not answer.")
        if startup.stage != "ready":
            return Ready(**_fields(startup), status="starting", model=None)
        try:
            champion = await self._models.champion()
        except Unavailable as error:
            startup = Startup(stage="starting", message=error.detail)
            return Ready(**_fields(startup), status="starting", model=None)
        return Ready(**_fields(startup), status="ready", model=_champion(champion))

    def _startup(self) -> Startup:
        if self._status_file is None:
            return Startup(stage="ready")
        try:
            return Startup.model_validate_json(self._status_file.read_bytes())
        except (OSError, ValidationError):
            return Startup(stage="starting", message="Gyrus is starting.")


def _champion(champion: ModelVersion | None) -> ChampionOut | None:
    if champion is None:
        return None
    return ChampionOut(
        version=champion.version,
        architecture=champion.card.architecture,
        synthetic=champion.card.synthetic,
    )


def _fields(startup: Startup) -> dict[str, object]:
    return {name: getattr(startup, name) for name in Startup.model_fields}
