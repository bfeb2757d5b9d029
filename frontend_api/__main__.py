"""`python -m frontend_api`: migrate the database, make the first administrator, serve.

In a cluster these are two: a job does `migrate`, and each gateway does `serve`, which waits for it.
"""

import argparse
import asyncio
import logging
import sys
from typing import Any

import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from frontend_api import migrations
from frontend_api.app import create_app
from frontend_api.auth.passwords import Passwords
from frontend_api.database import Database, make_engine
from frontend_api.server import DrainingServer
from frontend_api.settings import GatewaySettings
from frontend_api.users.service import UserService
from gyrus.errors import Unavailable
from gyrus.registry import be_impatient

PATIENCE_S = 240.0
"""How long a cluster's database, and the job that migrates it, are waited for."""

MIGRATION_S = 3600
"""A statement that changes a large table, or waits for those who use it, may take so long."""


def main() -> int:
    """Run the gateway until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m frontend_api", description=__doc__)
    parser.add_argument("only", nargs="?", choices=["migrate", "serve"], help="do only this")
    only = parser.parse_args().only
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        for found in error.errors():
            name = "_".join(str(part) for part in found["loc"]).upper()
            print(f"GYRUS_{name}: {found['msg']}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("alembic", "httpx", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    be_impatient()
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        if only == "serve":
            migrations.wait(make_engine(settings.database), seconds=PATIENCE_S)
        else:
            prepare(settings, seconds=PATIENCE_S if only else 0)
    except Unavailable as error:
        print(error.detail, file=sys.stderr)
        return 1
    except OperationalError as error:
        # Not all of it: it goes on with the statement and the way to SQLAlchemy's documentation.
        print(f"The database cannot be used: {error.orig}", file=sys.stderr)
        return 1
    if only == "migrate":
        return 0
    config = uvicorn.Config(create_app(settings), **server_options(settings))
    DrainingServer(config, seconds=settings.drain_seconds).run()
    return 0


def server_options(settings: GatewaySettings) -> dict[str, Any]:
    """How uvicorn serves the application."""
    return {
        "host": settings.host,
        "port": settings.port,
        "access_log": False,
        "log_config": None,
        "server_header": False,
        "timeout_graceful_shutdown": 20,
        # By default uvicorn believes everyone on this machine, and each who guesses passwords could
        # be another client with every guess.
        "proxy_headers": bool(settings.forwarded_allow_ips),
        "forwarded_allow_ips": settings.forwarded_allow_ips,
    }


def prepare(settings: GatewaySettings, *, seconds: float = 0.0) -> None:
    """Migrate the database, and make the first administrator if a password for it is given.

    A database that does not answer is tried again for `seconds`.
    """
    engine = make_engine(settings.database, read_timeout=MIGRATION_S)
    migrations.upgrade(engine, seconds=seconds)
    if settings.admin_password:
        users = UserService(Database(engine), Passwords())
        password = settings.admin_password.get_secret_value()
        asyncio.run(users.ensure_admin(settings.admin_email, password))
    engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
