"""The database's schema, step by step (Alembic).

Steps never take anything away, so that gateways of the version before work on while it is replaced,
and still work when it comes back. MySQL keeps what a step did before it was cut off, and nothing of
it is noted: so a step does again only what is not there.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from frontend_api.database import code_of, is_unreached
from gyrus.errors import Unavailable

POLL_S = 1.0

log = logging.getLogger("gyrus.gateway")


def upgrade(engine: Engine, *, seconds: float = 0.0) -> None:
    """Bring the schema to the newest revision; what is there stays.

    A database that a newer Gyrus has migrated is left as it is. One that does not answer yet is
    tried again for `seconds`.

    Raises:
        OperationalError: it does not answer, or refuses.
    """

    def migrate() -> bool:
        with engine.begin() as connection:
            _upgrade(connection)
        return True

    _try_for(seconds, migrate)


def wait(engine: Engine, *, seconds: float) -> None:
    """Return when the schema is what this version needs, or newer.

    Raises:
        Unavailable: it is not, after `seconds`.
        OperationalError: the database does not answer after `seconds`, or refuses.
    """
    if not _try_for(seconds, lambda: _is_migrated(engine)):
        raise Unavailable("The database was not migrated: run `python -m frontend_api migrate`.")


def _try_for(seconds: float, attempt: Callable[[], bool]) -> bool:
    """Attempt it until it says that it is done, or the time is over; returns what it said last."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if attempt():
                return True
            if time.monotonic() > deadline:
                return False
            log.warning("the database is not migrated yet")
        except OperationalError as error:
            if not is_unreached(error) or time.monotonic() > deadline:
                raise
            log.warning("the database does not answer yet: error %s", code_of(error))
        time.sleep(POLL_S)


def _upgrade(connection: Connection) -> None:
    config = _config()
    if _is_newer(_revisions(connection), ScriptDirectory.from_config(config)):
        log.info("a newer Gyrus has migrated this database; nothing is to be done")
        return
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_migrated(engine: Engine) -> bool:
    script = ScriptDirectory.from_config(_config())
    with engine.connect() as connection:
        found = _revisions(connection)
    return found == set(script.get_heads()) or _is_newer(found, script)


def _is_newer(found: set[str], script: ScriptDirectory) -> bool:
    return not found <= {one.revision for one in script.walk_revisions()}


def _revisions(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
