"""Access tokens: ES256 JWTs. The only module that uses python-jose."""

from datetime import timedelta

from jose import jwt
from jose.exceptions import ExpiredSignatureError, JWTError

from frontend_api.auth.keys import KeySet
from frontend_api.database import new_id, now
from gyrus.errors import Unauthorized

ALGORITHM = "ES256"
ISSUER = "gyrus"


class AccessTokens:
    """Signs and reads the access tokens of one set of keys."""

    def __init__(self, keys: KeySet, lifetime: timedelta) -> None:
        self._keys = keys
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
            key = self._keys.public[str(jwt.get_unverified_header(token).get("kid"))]
            claims = jwt.decode(
                token,
                key,
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
