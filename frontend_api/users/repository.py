"""Where accounts are kept."""

from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, Session, mapped_column

from frontend_api.database import Base, UtcDateTime, new_id, now

# MySQL's default collations find jose@ and josé@ equal; a limit that counts addresses would not.
Address = String(254).with_variant(
    mysql.VARCHAR(254, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)


class User(Base):
    """An account."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(Address, unique=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16), default="user")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    consented_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserRepository:
    """Queries of accounts, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, user: User) -> User:
        """Add an account; raises `IntegrityError` when its address is taken."""
        self._session.add(user)
        self._session.flush()
        return user

    def delete(self, user: User) -> None:
        """Delete an account with all that is its own; its address is free then."""
        self._session.delete(user)
        self._session.flush()

    def get(self, user_id: str) -> User | None:
        """The account with this id."""
        return self._session.get(User, user_id)

    def by_email(self, email: str) -> User | None:
        """The account with this address."""
        return self._session.scalar(select(User).where(User.email == email))

    def has_admin(self) -> bool:
        """Whether there is an administrator."""
        admins = select(User.id).where(User.role == "admin").limit(1)
        return self._session.scalar(admins) is not None
