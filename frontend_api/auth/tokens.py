"""Access tokens: ES256 JWTs. The only module that uses python-jose."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from jose import jwt
from jose.exceptions import ExpiredSignatureError, JWTError

from frontend_api.auth import keys
from frontend_api.database import new_id, now
from gyrus.errors import InputError, Unauthorized

ALGORITHM = "ES256"
ISSUER = "gyrus"
LOOK_S = 5.0
"""Anyone can send an unknown `kid`, so the folder is read for them no more than once in so long."""

log = logging.getLogger("gyrus.gateway")


class AccessTokens:
    """Signs and reads the access tokens of a folder of keys.

    The key that signs, and each that has been read, stay until the next start. One that is added is
    found when a token names it: a gateway that started later may sign with it already.
    """

    def __init__(
        self, folder: Path, lifetime: timedelta, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._keys = keys.load(folder)
        self._public = self._keys.public
        self._clock = clock
        self._next_look = 0.0
        self.lifetime = lifetime

    def issue(self, user_id: str) -> str:
        """A token that says who the user is, for as long as `lifetime`."""
        issued = now()
        claims = {
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": user_id,
            "iat": issued,
            "exp": issued + self.lifetime,
            "jti": new_id(),
        }
        headers = {"kid": self._keys.current}
        return str(jwt.encode(claims, self._keys.private, ALGORITHM, headers=headers))

    def read(self, token: str) -> str:
        """The id of the user whose token it is.

        Raises:
            Unauthorized: it has expired, was changed, or was never ours.
        """
        try:
            kid = str(jwt.get_unverified_header(token).get("kid"))
            if kid not in self._public:
                self._look_for_more()
            claims = jwt.decode(
                token,
                self._public[kid],
                algorithms=[ALGORITHM],
                audience=ISSUER,
                issuer=ISSUER,
                options={f"require_{name}": True for name in ("exp", "iat", "sub", "aud", "iss")},
            )
        except ExpiredSignatureError as error:
            raise Unauthorized("The access token has expired. Refresh it.") from error
        except (JWTError, KeyError) as error:
            raise Unauthorized("The access token is not valid. Sign in.") from error
        return str(claims["sub"])

    def _look_for_more(self) -> None:
        """Read the folder again, unless that was done just now."""
        if self._clock() < self._next_look:
            return
        self._next_look = self._clock() + LOOK_S
        try:
            self._public = keys.public(self._folder) | self._public
        except (InputError, OSError) as error:
            log.error("The folder of signing keys was not read again: %s", error)
