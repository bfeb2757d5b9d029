"""Register, and who am I."""

from fastapi import APIRouter

from frontend_api.dependencies import CurrentUser, Gateway
from frontend_api.problems import documented
from frontend_api.users.repository import User
from frontend_api.users.schemas import NewUser, UserOut
from gyrus.errors import Conflict, InputError, Unauthorized

router = APIRouter(prefix="/v1", tags=["account"])


@router.post(
    "/users", status_code=201, response_model=UserOut, responses=documented(InputError, Conflict)
)
async def register(gateway: Gateway, new: NewUser) -> User:
    """Make an account."""
    return await gateway.users.register(new.email, new.password.get_secret_value())


@router.get("/me", response_model=UserOut, responses=documented(Unauthorized))
async def me(user: CurrentUser) -> User:
    """The account that is signed in."""
    return user
