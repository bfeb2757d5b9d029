"""Signing in, staying signed in, and signing out."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from frontend_api.auth.limits import AttemptLimit
from frontend_api.auth.passwords import Passwords
from frontend_api.auth.repository import RefreshToken, RefreshTokenRepository
from frontend_api.auth.tokens import AccessTokens
from frontend_api.database import Database, new_id, now
from frontend_api.users.repository import User, UserRepository
from frontend_api.users.schemas import MAX_PASSWORD
from frontend_api.users.service import normal_email
from gyrus.errors import Unauthorized

WRONG = "The address or the password is wrong."
MOST_EMAIL = 254


@dataclass(frozen=True)
class Grant:
    """What a sign-in or a refresh gives."""

    access: str
    refresh: str


class AuthService:
    """Gives tokens for passwords, and new tokens for old ones (RFC 9700, section 4.14)."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        tokens: AccessTokens,
        refresh_lifetime: timedelta,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._tokens = tokens
        self._limit = AttemptLimit()
        self.refresh_lifetime = refresh_lifetime

    async def sign_in(self, email: str, password: str, address: str) -> Grant:
        """Tokens for a password.

        Raises:
            Unauthorized: no such account, or not its password; which one is not told.
            TooManyRequests: too many failures.
        """
        user, replaced = await self._verify(email, password, address)

        def start(session: Session) -> str:
            account = _unchanged(session, user)
            if replaced:
                account.password_hash = replaced
            RefreshTokenRepository(session).forget_expired(user.id, now())
            return self._keep(session, user.id, family_id=new_id())

        return Grant(self._tokens.issue(user.id), await self._database.run(start))

    async def change_password(self, email: str, password: str, new: str, address: str) -> None:
        """Set another password, and revoke the refresh tokens of all sign-ins.

        Raises:
            Unauthorized: it is not the password.
            TooManyRequests: too many failures.
        """
        user, _ = await self._verify(email, password, address)
        password_hash = await self._passwords.hash(new)

        def change(session: Session) -> None:
            _unchanged(session, user).password_hash = password_hash
            RefreshTokenRepository(session).revoke_all(user.id, now())

        await self._database.run(change)

    async def _verify(self, email: str, password: str, address: str) -> tuple[User, str | None]:
        """The account, and a new hash of its password where the stored one is old."""
        if len(email) > MOST_EMAIL or len(password) > MAX_PASSWORD or "\0" in password:
            raise Unauthorized(WRONG)
        email = normal_email(email)
        self._limit.attempt(email, address)
        user = await self._database.run(lambda session: UserRepository(session).by_email(email))
        right, replaced = await self._passwords.verify(
            password, user.password_hash if user else None
        )
        if user is None or not right:
            raise Unauthorized(WRONG)
        self._limit.success(email, address)
        return user, replaced

    async def refresh(self, token: str) -> Grant:
        """New tokens for a refresh token, which is thereby used up.

        A token that comes a second time was stolen from one of its two users: all tokens of that
        sign-in are revoked.

        Raises:
            Unauthorized: it is unknown, expired, revoked or used.
        """

        def rotate(session: Session) -> tuple[str, str] | None:
            repository = RefreshTokenRepository(session)
            live = repository.use(_hash(token), now())
            found = repository.by_hash(_hash(token))
            if found is None:
                return None
            if not live:
                repository.revoke_family(found.family_id, now())
                return None
            return found.user_id, self._keep(session, found.user_id, found.family_id)

        rotated = await self._database.run(rotate)
        if rotated is None:
            raise Unauthorized("The refresh token is not valid any more. Sign in.")
        user_id, refresh = rotated
        return Grant(self._tokens.issue(user_id), refresh)

    async def revoke(self, token: str) -> None:
        """Sign out: revoke all tokens of the sign-in; an unknown token is none to revoke."""

        def end(session: Session) -> None:
            repository = RefreshTokenRepository(session)
            found = repository.by_hash(_hash(token))
            if found is not None:
                repository.revoke_family(found.family_id, now())

        await self._database.run(end)

    def _keep(self, session: Session, user_id: str, family_id: str) -> str:
        token = secrets.token_urlsafe(32)
        RefreshTokenRepository(session).add(
            RefreshToken(
                family_id=family_id,
                user_id=user_id,
                token_hash=_hash(token),
                expires_at=now() + self.refresh_lifetime,
            )
        )
        return token


def _unchanged(session: Session, verified: User) -> User:
    """The account, unless its password was changed since it was verified."""
    account = UserRepository(session).get(verified.id)
    if account is None:
        raise Unauthorized("The account was deleted.")
    if account.password_hash != verified.password_hash:
        raise Unauthorized(WRONG)
    return account


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
