"""What can be done with accounts."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from frontend_api.auth.passwords import Passwords
from frontend_api.database import Database, now
from frontend_api.users.repository import User, UserRepository
from gyrus.errors import Conflict


def normal_email(email: str) -> str:
    """The form of an address in which it is stored and looked up."""
    return email.strip().lower()


class UserService:
    """Registers accounts and finds them."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def register(self, email: str, password: str) -> User:
        """Make an account.

        Raises:
            Conflict: the address has one.
        """
        user = User(
            email=normal_email(email),
            password_hash=await self._passwords.hash(password),
            consented_at=now(),
        )
        try:
            return await self._database.run(lambda session: UserRepository(session).add(user))
        except IntegrityError as error:
            raise Conflict("There is an account with this address. Sign in instead.") from error

    async def get(self, user_id: str) -> User | None:
        """The account with this id, if it still exists."""
        return await self._database.run(lambda session: UserRepository(session).get(user_id))

    async def ensure_admin(self, email: str, password: str) -> bool:
        """Make the first administrator; returns whether there was none yet.

        An account that has the address already is deleted: whoever made it keeps no token for it.
        """
        password_hash = await self._passwords.hash(password)

        def make(session: Session) -> bool:
            users = UserRepository(session)
            if users.has_admin():
                return False
            squatter = users.by_email(normal_email(email))
            if squatter is not None:
                users.delete(squatter)
            users.add(User(email=normal_email(email), password_hash=password_hash, role="admin"))
            return True

        return await self._database.run(make)
