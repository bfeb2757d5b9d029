"""The flow of a prediction on a real MariaDB, which the test starts on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pymysql
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.orm import Session

from frontend_api import migrations
from frontend_api.auth.repository import RefreshToken, RefreshTokenRepository
from frontend_api.database import Base, make_engine, now
from frontend_api.settings import GatewaySettings
from frontend_api.users.repository import User, UserRepository

SERVER = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
INSTALL = shutil.which("mariadb-install-db")

pytestmark = [
    pytest.mark.mysql,
    pytest.mark.skipif(not (SERVER and INSTALL), reason="MariaDB (mariadbd) is not installed"),
]


@pytest.fixture
def mysql_url(tmp_path: Path) -> Iterator[str]:
    assert SERVER and INSTALL
    data = tmp_path / "data"
    common = ["--no-defaults", f"--datadir={data}"]
    flags = ["--auth-root-authentication-method=normal", "--skip-test-db"]
    subprocess.run([INSTALL, *common, *flags], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            SERVER,
            *common,
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={tmp_path / 's'}",
            f"--log-error={tmp_path / 'log'}",
            "--user=root",
        ]
    )
    try:
        _create(port, server)
        yield f"mysql+pymysql://root@127.0.0.1:{port}/gyrus"
    finally:
        server.terminate()
        server.wait(60)


def _create(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
                connection.cursor().execute("CREATE DATABASE gyrus CHARACTER SET utf8mb4")
                return
        except pymysql.OperationalError:
            assert server.poll() is None and time.monotonic() < deadline, "MariaDB did not start"
            time.sleep(0.2)


async def test_predictions_are_kept_paged_and_deleted_on_mysql(
    mysql_url: str, settings: GatewaySettings, run_gateway: Any
) -> None:
    async with run_gateway(settings.model_copy(update={"database_url": mysql_url})) as gateway:
        eve = await gateway.user("eve@example.com")
        mallory = await gateway.user("mallory@example.com")
        key = {"Idempotency-Key": "once"}
        first = await gateway.predict(eve | key, explain=True)
        assert first.status_code == 201, first.text
        assert (await gateway.predict(eve | key, explain=True)).json() == first.json()
        made = [first.json(), *[(await gateway.predict(eve)).json() for _ in range(3)]]
        page = (await gateway.client.get("/v1/predictions?limit=3", headers=eve)).json()
        params = {"cursor": page["next_cursor"]}
        rest = (await gateway.client.get("/v1/predictions", params=params, headers=eve)).json()
        assert page["items"] + rest["items"] == made[::-1]
        links = first.json()["links"]
        assert (await gateway.client.get(links["heatmap"], headers=eve)).status_code == 200
        assert (await gateway.client.get(links["self"], headers=mallory)).status_code == 404
        assert (await gateway.client.delete(links["self"], headers=eve)).status_code == 204


async def test_accounts_and_tokens_work_on_mysql(
    mysql_url: str, settings: GatewaySettings, run_gateway: Any, assert_problem: Any
) -> None:
    async with run_gateway(settings.model_copy(update={"database_url": mysql_url})) as gateway:
        new = {"email": "eve@example.com", "password": "correct horse battery", "consent": True}
        assert (await gateway.client.post("/v1/users", json=new)).status_code == 201
        assert_problem(await gateway.client.post("/v1/users", json=new), 409, "conflict")
        form = {"username": new["email"], "password": new["password"]}
        token = (await gateway.client.post("/v1/token", data=form)).json()["refresh_token"]
        body = {"refresh_token": token}
        assert (await gateway.client.post("/v1/token/refresh", json=body)).status_code == 200
        again = await gateway.client.post("/v1/token/refresh", json=body)
        assert_problem(again, 401, "unauthorized")


async def test_addresses_that_differ_by_an_accent_are_two_accounts(
    mysql_url: str, settings: GatewaySettings, run_gateway: Any
) -> None:
    async with run_gateway(settings.model_copy(update={"database_url": mysql_url})) as gateway:
        await gateway.user("jose@example.com")
        await gateway.user("josé@example.com")
        other = "josè@example.com"
        run = gateway.database.run
        assert await run(lambda session: UserRepository(session).by_email(other)) is None


def test_two_sign_ins_at_once_do_not_wait_for_each_other(mysql_url: str) -> None:
    engine = make_engine(mysql_url)
    migrations.upgrade(engine)
    users = [User(email=f"{name}@example.com", password_hash="none") for name in "ab"]
    with Session(engine, expire_on_commit=False) as session:
        session.add_all(users)
        session.commit()
    both = threading.Barrier(2)

    def sign_in(user: User) -> None:
        with Session(engine) as session, session.begin():
            tokens = RefreshTokenRepository(session)
            tokens.forget_expired(user.id, now())
            both.wait(60)
            tokens.add(
                RefreshToken(
                    family_id=user.id, user_id=user.id, token_hash=user.id, expires_at=now()
                )
            )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(sign_in, users))
    engine.dispose()


def test_migrations_make_the_tables_that_the_code_uses_on_mysql(mysql_url: str) -> None:
    engine = make_engine(mysql_url)
    migrations.upgrade(engine)
    migrations.upgrade(engine)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    assert found == []


@pytest.mark.parametrize("only", ["migrate", "serve"])
def test_a_wrong_password_is_told_at_once_and_not_shown(
    mysql_url: str, tmp_path: Path, only: str
) -> None:
    settings = {
        "GYRUS_HOME": str(tmp_path),
        "GYRUS_SERVE_SECRET": "s" * 32,
        "GYRUS_DATABASE_URL": mysql_url.replace("root@", "gyrus:not-the-one@"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "frontend_api", only],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("The database cannot be used: (1045, ")
    assert "not-the-one" not in line


def test_steps_that_were_done_but_not_noted_are_done_again_on_mysql(mysql_url: str) -> None:
    engine = make_engine(mysql_url, read_timeout=60)
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP INDEX ix_predictions_user_id_created_at_id ON predictions"))
        connection.execute(text("DELETE FROM alembic_version"))
    migrations.upgrade(engine)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    assert found == []
