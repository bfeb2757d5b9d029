"""The schema's steps: what waits for what, what is done again, and what is told of a failure."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import Engine, event, inspect, text
from sqlalchemy.exc import OperationalError

from frontend_api import migrations
from frontend_api.database import make_engine
from gyrus.errors import Unavailable


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return make_engine(f"sqlite:///{tmp_path / 'gyrus.db'}")


def test_a_gateway_waits_for_the_migration(engine: Engine) -> None:
    with pytest.raises(Unavailable, match="migrate"):
        migrations.wait(engine, seconds=0)
    migrations.upgrade(engine)
    migrations.wait(engine, seconds=0)


def test_a_newer_database_is_left_as_it_is(engine: Engine) -> None:
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'of-next-year'"))
    migrations.upgrade(engine)
    migrations.wait(engine, seconds=0)
    assert "users" in inspect(engine).get_table_names()


def test_a_database_that_never_answers_is_not_waited_for_without_end() -> None:
    engine = make_engine("sqlite:////nowhere/at/all.db")
    with pytest.raises(OperationalError):
        migrations.upgrade(engine, seconds=0.1)
    with pytest.raises(OperationalError):
        migrations.wait(engine, seconds=0.1)


@pytest.mark.parametrize(("code", "tries"), [(2003, 2), (2013, 2), (1045, 1), (1049, 1)])
@pytest.mark.parametrize("begin", [migrations.upgrade, migrations.wait])
def test_only_a_database_that_is_not_reached_is_tried_again(
    code: int, tries: int, begin: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine("mysql+pymysql://gyrus:a-password@db/gyrus")
    tried = []

    def fail(*_: object) -> None:
        tried.append(1)
        raise pymysql.OperationalError(code, "it does not")

    event.listen(engine, "do_connect", fail)
    with pytest.raises(OperationalError, match=str(code)):
        begin(engine, seconds=0.5)
    assert len(tried) == tries
    told = [record.getMessage() for record in caplog.records]
    assert told == [f"the database does not answer yet: error {code}"] * (tries - 1)


@pytest.mark.parametrize("noted", ["0001", "0002", "0003", None])
def test_a_step_that_was_done_but_not_noted_is_done_again(
    engine: Engine, noted: str | None
) -> None:
    migrations.upgrade(engine)
    before = inspect(engine).get_columns("predictions")
    with engine.begin() as connection:
        if noted is None:
            connection.execute(text("DROP INDEX ix_predictions_user_id_created_at_id"))
        sets = f"UPDATE alembic_version SET version_num = '{noted}'"
        connection.execute(text(sets if noted else "DELETE FROM alembic_version"))
    migrations.upgrade(engine)
    migrations.wait(engine, seconds=0)
    found = inspect(engine)
    assert [one["name"] for one in found.get_columns("predictions")] == [
        one["name"] for one in before
    ]
    [index] = found.get_indexes("predictions")
    assert index["name"] == "ix_predictions_user_id_created_at_id"


@pytest.mark.parametrize("only", ["migrate", "serve"])
def test_a_database_that_cannot_be_used_is_told_in_a_line(tmp_path: Path, only: str) -> None:
    settings = {
        "GYRUS_HOME": str(tmp_path),
        "GYRUS_SERVE_SECRET": "s" * 32,
        "GYRUS_DATABASE_URL": "sqlite:////nowhere/at/all.db",
    }
    done = subprocess.run(
        [sys.executable, "-m", "frontend_api", only],
        env=os.environ | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == "The database cannot be used: unable to open database file\n"
