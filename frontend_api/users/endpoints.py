"""Register, who am I, and another password."""

from fastapi import APIRouter

from frontend_api.dependencies import ClientAddress, CurrentUser, Gateway
from frontend_api.problems import documented
from frontend_api.users.repository import User
from frontend_api.users.schemas import NewUser, PasswordChange, UserOut
from gyrus.errors import Conflict, InputError, TooManyRequests, Unauthorized

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


@router.put(
    "/me/password",
    status_code=204,
    responses=documented(InputError, Unauthorized, TooManyRequests),
)
async def change_password(
    gateway: Gateway, user: CurrentUser, address: ClientAddress, change: PasswordChange
) -> None:
    """Set another password. All sign-ins end; access tokens last up to 15 minutes yet."""
    await gateway.auth.change_password(
        user.email,
        change.password.get_secret_value(),
        change.new_password.get_secret_value(),
        address,
    )
