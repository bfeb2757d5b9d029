"""The database: one engine, transactions in threads, and the types that tables share.

SQLAlchemy's synchronous sessions, because PyMySQL and sqlite3 are synchronous: an async handler
calls `Database.run`, which does the work in a thread and has committed when it returns.
"""

import os
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio.to_thread
from sqlalchemy import DateTime, Engine, MetaData, create_engine, event, make_url, text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

CONNECTIONS = 10
"""Connections of one gateway process, and threads that use them."""

READ_S = 30

UNREACHED = {
    1040,  # too many connections
    1053,  # it is shutting down
    2003,  # no connection
}
"""Errors of MySQL while there is no connection; afterwards SQLAlchemy knows a lost one."""

PASSING = {
    1205,  # lock wait timeout
    1213,  # deadlock
    2006,  # the server has gone away
    2013,  # the connection was lost
}
"""Errors of MySQL after which the same transaction may well succeed."""

T = TypeVar("T")


class Base(DeclarativeBase):
    """The base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC with microseconds."""

    impl = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From naive UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A UUID of version 7 (RFC 9562): ids sort by the millisecond they were made in."""
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def make_engine(url: str, *, read_timeout: int = READ_S) -> Engine:
    """An engine for `sqlite:///…` or `mysql+pymysql://…`.

    `read_timeout` are the seconds that MySQL's answer is waited for. Errors do not show the
    parameters of a statement: they are addresses and hashes of people.
    """
    options: dict[str, Any] = {}
    if make_url(url).get_backend_name() != "sqlite":
        # Under REPEATABLE READ a DELETE that finds nothing locks a gap in the index, and two
        # sign-ins that then INSERT wait for each other.
        options["isolation_level"] = "READ COMMITTED"
        options["connect_args"] = {
            "connect_timeout": 5,
            "read_timeout": read_timeout,
            "write_timeout": 30,
        }
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        **options,
    )
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def is_unreached(error: DBAPIError) -> bool:
    """Whether the database was not there to answer, or the connection was lost."""
    return error.connection_invalidated or code_of(error) in UNREACHED


def code_of(error: DBAPIError) -> Any:
    """The number of MySQL's error, or what another database says in its place."""
    return error.orig.args[0] if error.orig is not None and error.orig.args else None


class Database:
    """Transactions, each in a thread of its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, expire_on_commit=False)
        self._threads = anyio.CapacityLimiter(CONNECTIONS)

    async def run(self, work: Callable[[Session], T]) -> T:
        """Do `work` in one transaction; it is committed when this returns, else rolled back.

        After a deadlock or a lost connection `work` is done once more, so all that it does must be
        in the transaction. A commit that fails is not repeated: it may have been made.
        """
        return await anyio.to_thread.run_sync(self._transact, work, limiter=self._threads)

    async def check(self) -> None:
        """Ask the database anything; raises `SQLAlchemyError` when it does not answer."""
        await self.run(lambda session: session.execute(text("SELECT 1")))

    def _transact(self, work: Callable[[Session], T]) -> T:
        with self._sessions() as session:
            try:
                answer = _done(session, work)
            except DBAPIError as error:
                if code_of(error) not in PASSING:
                    raise
                session.rollback()
                answer = _done(session, work)
            session.commit()
            return answer


def _done(session: Session, work: Callable[[Session], T]) -> T:
    answer = work(session)
    session.flush()
    return answer
