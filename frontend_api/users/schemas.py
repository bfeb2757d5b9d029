"""Bodies of the account endpoints."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, EmailStr, Field, SecretStr
from pydantic_core import PydanticCustomError

MIN_PASSWORD = 12
MAX_PASSWORD = 1024


def _fit(password: SecretStr) -> SecretStr:
    if len(password) < MIN_PASSWORD:
        raise PydanticCustomError("short", f"At least {MIN_PASSWORD} characters are needed.")
    # Not every hash can take it, so that a sign-in refuses it.
    if "\0" in password.get_secret_value():
        raise PydanticCustomError("nul", "A password cannot hold a NUL character.")
    return password


NewPassword = Annotated[
    SecretStr,
    Field(max_length=MAX_PASSWORD, json_schema_extra={"minLength": MIN_PASSWORD}),
    AfterValidator(_fit),
]


class NewUser(BaseModel):
    """A registration. `consent`: the person agrees that results are stored."""

    email: EmailStr
    password: NewPassword
    consent: Literal[True]


class PasswordChange(BaseModel):
    """The password of now, and the one to be."""

    password: SecretStr
    new_password: NewPassword


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    email: str
    role: Literal["user", "admin"]
    created_at: datetime
