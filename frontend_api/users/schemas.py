"""Bodies of the account endpoints."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr


class NewUser(BaseModel):
    """A registration. `consent`: the person agrees that results are stored."""

    email: EmailStr
    password: SecretStr = Field(min_length=12, max_length=1024)
    consent: Literal[True]


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    email: str
    role: Literal["user", "admin"]
    created_at: datetime
