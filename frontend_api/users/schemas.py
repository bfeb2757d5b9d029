"""Bodies of the account endpoints."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError

MIN_PASSWORD = 12


class NewUser(BaseModel):
    """A registration. `consent`: the person agrees that results are stored."""

    email: EmailStr
    password: SecretStr = Field(max_length=1024, json_schema_extra={"minLength": MIN_PASSWORD})
    consent: Literal[True]

    @field_validator("password")
    @classmethod
    def _fit(cls, password: SecretStr) -> SecretStr:
        if len(password) < MIN_PASSWORD:
            raise PydanticCustomError("short", f"At least {MIN_PASSWORD} characters are needed.")
        # Not every hash can take it, so that a sign-in refuses it.
        if "\0" in password.get_secret_value():
            raise PydanticCustomError("nul", "A password cannot hold a NUL character.")
        return password


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    email: str
    role: Literal["user", "admin"]
    created_at: datetime
