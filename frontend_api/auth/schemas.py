"""Bodies of the token endpoints."""

from typing import Literal

from pydantic import BaseModel, Field


class TokenOut(BaseModel):
    """An access token for `expires_in` seconds; the refresh token is null in a browser's cookie."""

    access_token: str
    refresh_token: str | None
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 (a kind, not a secret)
    expires_in: int


class RefreshIn(BaseModel):
    """A refresh token; a browser leaves it out and sends its cookie."""

    refresh_token: str | None = Field(default=None, max_length=128)
