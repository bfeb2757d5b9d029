"""Bodies of the account endpoints."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr, field_validator


class NewUser(BaseModel):
    """A registration. `consent`: the person agrees that results are stored."""

    email: EmailStr
    password: SecretStr = Field(min_length=12, max_length=1024)
    consent: Literal[True]

    @field_validator("password")
    @classmethod
    def _no_nul(cls, password: SecretStr) -> SecretStr:
        # Not every hash can take it, so that a sign-in refuses it.
        if "\0" in password.get_secret_value():
            raise ValueError("A password cannot hold a NUL character.")
        return password


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    email: str
    role: Literal["user", "admin"]
    created_at: datetime
