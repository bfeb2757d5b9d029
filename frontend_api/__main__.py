"""`python -m frontend_api`: migrate the database, make the first administrator, serve."""

import asyncio
import logging
import os
import sys
from typing import Any

import uvicorn
from pydantic import ValidationError

from frontend_api import migrations
from frontend_api.app import create_app
from frontend_api.auth.passwords import Passwords
from frontend_api.database import Database, make_engine
from frontend_api.settings import GatewaySettings
from frontend_api.users.service import UserService

MLFLOW_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "15"}
"""By default MLflow's client tries for four minutes, and nobody waits so long for a page."""


def main() -> int:
    """Run the gateway until it is stopped."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        for found in error.errors():
            name = "_".join(str(part) for part in found["loc"]).upper()
            print(f"GYRUS_{name}: {found['msg']}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name, value in MLFLOW_PATIENCE.items():
        os.environ.setdefault(name, value)
    settings.home.mkdir(parents=True, exist_ok=True)
    prepare(settings)
    uvicorn.run(create_app(settings), **server_options(settings))
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


def prepare(settings: GatewaySettings) -> None:
    """Migrate the database, and make the first administrator if a password for it is given."""
    engine = make_engine(settings.database)
    migrations.upgrade(engine)
    if settings.admin_password:
        users = UserService(Database(engine), Passwords())
        password = settings.admin_password.get_secret_value()
        asyncio.run(users.ensure_admin(settings.admin_email, password))
    engine.dispose()


if __name__ == "__main__":
    sys.exit(main())
