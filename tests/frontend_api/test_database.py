"""Transactions: what is repeated, and what an error tells."""

from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from frontend_api import migrations
from frontend_api.database import Database, make_engine
from frontend_api.users.repository import User, UserRepository


@pytest.fixture
def database(tmp_path: Path) -> Any:
    engine = make_engine(f"sqlite:///{tmp_path / 'gyrus.db'}")
    migrations.upgrade(engine)
    yield Database(engine)
    engine.dispose()


def failing(user: User, errors: list[int]) -> Any:
    """Work that adds an account, and fails with each of MySQL's errors once."""

    def work(session: Session) -> str:
        added = UserRepository(session).add(user)
        if errors:
            raise OperationalError("INSERT", {}, pymysql.OperationalError(errors.pop(0), "it did"))
        return added.id

    return work


async def count(database: Database) -> int:
    query = select(func.count()).select_from(User)
    return int(await database.run(lambda session: session.scalar(query)))


@pytest.mark.parametrize("error", [1205, 1213, 2006, 2013])
async def test_after_a_deadlock_or_a_lost_connection_it_is_done_once_more(
    database: Database, error: int
) -> None:
    user = User(email="a@example.com", password_hash="none")
    assert await database.run(failing(user, [error])) == user.id
    assert await count(database) == 1


@pytest.mark.parametrize("errors", [[1213, 1213], [1054]])
async def test_other_errors_and_a_second_one_are_told(
    database: Database, errors: list[int]
) -> None:
    with pytest.raises(OperationalError):
        await database.run(failing(User(email="a@example.com", password_hash="none"), errors))
    assert errors == []
    assert await count(database) == 0


async def test_a_commit_that_fails_is_not_repeated(database: Database) -> None:
    calls = 0

    def work(session: Session) -> None:
        nonlocal calls
        calls += 1
        event.listen(session, "before_commit", lose)

    def lose(_session: Session) -> None:
        raise OperationalError("COMMIT", {}, pymysql.OperationalError(2013, "lost"))

    with pytest.raises(OperationalError):
        await database.run(work)
    assert calls == 1


async def test_an_error_does_not_show_what_was_to_be_stored(database: Database) -> None:
    user = {"email": "patient@example.com", "password_hash": "a hash"}
    await database.run(lambda session: UserRepository(session).add(User(**user)))
    with pytest.raises(IntegrityError) as caught:
        await database.run(lambda session: UserRepository(session).add(User(**user)))
    assert "patient@example.com" not in str(caught.value)
    assert "a hash" not in str(caught.value)
