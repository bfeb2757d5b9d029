from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text
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
    with pytest.raises(Unavailable):
        migrations.wait(engine, seconds=0.1)
