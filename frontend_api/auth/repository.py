"""Where refresh tokens are kept: only their hashes."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from frontend_api.database import Base, UtcDateTime, new_id


class RefreshToken(Base):
    """One refresh token. Those that came out of one sign-in share a `family_id`."""

    __tablename__ = "refresh_tokens"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    family_id: Mapped[str] = mapped_column(String(36), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RefreshTokenRepository:
    """Queries of refresh tokens, in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, token: RefreshToken) -> None:
        """Keep a token."""
        self._session.add(token)
        self._session.flush()

    def by_hash(self, token_hash: str) -> RefreshToken | None:
        """The token with this hash."""
        return self._session.scalar(
            select(RefreshToken).where(RefreshToken.token_hash == token_hash)
        )

    def use(self, token_hash: str, at: datetime) -> bool:
        """Mark a live token as used; of two that try at once, one succeeds."""
        result = self._session.execute(
            update(RefreshToken)
            .where(
                RefreshToken.token_hash == token_hash,
                RefreshToken.used_at.is_(None),
                RefreshToken.revoked_at.is_(None),
                RefreshToken.expires_at > at,
            )
            .values(used_at=at)
        )
        return cast(CursorResult[Any], result).rowcount == 1

    def revoke_family(self, family_id: str, at: datetime) -> None:
        """Revoke all tokens of a sign-in."""
        self._session.execute(
            update(RefreshToken)
            .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
            .values(revoked_at=at)
        )

    def revoke_all(self, user_id: str, at: datetime) -> None:
        """Revoke all tokens of a user."""
        self._session.execute(
            update(RefreshToken)
            .where(RefreshToken.user_id == user_id, RefreshToken.revoked_at.is_(None))
            .values(revoked_at=at)
        )

    def forget_expired(self, user_id: str, at: datetime) -> None:
        """Delete a user's tokens that have expired."""
        self._session.execute(
            delete(RefreshToken).where(
                RefreshToken.user_id == user_id, RefreshToken.expires_at < at
            )
        )
