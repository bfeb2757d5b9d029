"""Signing in, access tokens and rotating refresh tokens."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from jose import jwt
from passlib.hash import argon2, bcrypt

from frontend_api.auth import keys
from frontend_api.auth.limits import ATTEMPTS, WINDOW_S, AttemptLimit
from frontend_api.auth.passwords import Passwords
from frontend_api.auth.service import AuthService
from frontend_api.auth.tokens import AccessTokens
from frontend_api.users.repository import User, UserRepository
from gyrus.errors import TooManyRequests, Unauthorized
from tests.frontend_api.test_keys import add_key

PASSWORD = "correct horse battery"
FORM = {"username": "dora@example.com", "password": PASSWORD}
BROWSER = {"X-Gyrus-Client": "browser"}


@pytest.fixture
async def dora(gateway: Any) -> User:
    return await gateway.state.users.register("dora@example.com", PASSWORD)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(claims: dict[str, Any]) -> str:
    return encoded(json.dumps(claims).encode())


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "form", [FORM | {"password": "wrong"}, {"username": "nobody@example.com", "password": "x"}]
)
async def test_a_wrong_password_and_an_unknown_account_answer_alike(
    gateway: Any, dora: User, assert_problem: Any, form: dict[str, str]
) -> None:
    answer = await gateway.client.post("/v1/token", data=form)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["detail"] == "The address or the password is wrong."


@pytest.mark.parametrize(
    "form",
    [
        FORM | {"password": "x" * 5000},
        FORM | {"password": "x" * 1025},
        FORM | {"password": "x\0y"},
        FORM | {"username": "x" * 255},
    ],
)
@pytest.mark.parametrize("scheme", [argon2, bcrypt])
async def test_what_no_account_can_have_is_a_wrong_password_and_no_attempt(
    gateway: Any, assert_problem: Any, form: dict[str, str], scheme: Any
) -> None:
    stored = scheme.using(rounds=4).hash(PASSWORD)
    user = User(email="dora@example.com", password_hash=stored)
    await gateway.database.run(lambda session: UserRepository(session).add(user))
    for _ in range(ATTEMPTS + 1):
        answer = await gateway.client.post("/v1/token", data=form)
        assert_problem(answer, 401, "unauthorized")
        assert answer.json()["detail"] == "The address or the password is wrong."


async def test_a_sign_in_gives_both_tokens(gateway: Any, dora: User) -> None:
    tokens = (await gateway.client.post("/v1/token", data=FORM)).json()
    assert tokens["token_type"] == "bearer"
    assert tokens["expires_in"] == 15 * 60
    assert jwt.get_unverified_header(tokens["access_token"])["alg"] == "ES256"
    assert jwt.get_unverified_header(tokens["access_token"])["kid"] == "key-1"
    me = await gateway.client.get("/v1/me", headers=bearer(tokens["access_token"]))
    assert me.json()["id"] == dora.id


async def test_a_refresh_token_is_changed_for_new_tokens(gateway: Any, dora: User) -> None:
    first = (await gateway.client.post("/v1/token", data=FORM)).json()
    body = {"refresh_token": first["refresh_token"]}
    second = (await gateway.client.post("/v1/token/refresh", json=body)).json()
    assert second["refresh_token"] != first["refresh_token"]
    me = await gateway.client.get("/v1/me", headers=bearer(second["access_token"]))
    assert me.status_code == 200


async def test_reused_refresh_token_revokes_its_family(
    gateway: Any, dora: User, assert_problem: Any
) -> None:
    other = (await gateway.client.post("/v1/token", data=FORM)).json()["refresh_token"]
    first = (await gateway.client.post("/v1/token", data=FORM)).json()["refresh_token"]

    async def refresh(token: str) -> Any:
        return await gateway.client.post("/v1/token/refresh", json={"refresh_token": token})

    second = (await refresh(first)).json()["refresh_token"]
    assert_problem(await refresh(first), 401, "unauthorized")
    assert_problem(await refresh(second), 401, "unauthorized")
    assert (await refresh(other)).status_code == 200


async def test_signing_out_revokes_the_refresh_token(
    gateway: Any, dora: User, assert_problem: Any
) -> None:
    token = (await gateway.client.post("/v1/token", data=FORM)).json()["refresh_token"]
    body = {"refresh_token": token}
    assert (await gateway.client.post("/v1/token/revoke", json=body)).status_code == 204
    assert (await gateway.client.post("/v1/token/revoke", json=body)).status_code == 204
    refreshed = await gateway.client.post("/v1/token/refresh", json=body)
    assert_problem(refreshed, 401, "unauthorized")


async def test_another_password_ends_all_sign_ins(
    gateway: Any, dora: User, assert_problem: Any
) -> None:
    tokens = (await gateway.client.post("/v1/token", data=FORM)).json()
    await gateway.state.users.register("other@example.com", PASSWORD)
    other = await gateway.state.auth.sign_in("other@example.com", PASSWORD, "")

    async def change(old: str, new: str) -> Any:
        body = {"password": old, "new_password": new}
        headers = bearer(tokens["access_token"])
        return await gateway.client.put("/v1/me/password", json=body, headers=headers)

    another = "a wholly other sentence"
    assert_problem(await change("not the password", another), 401, "unauthorized")
    assert_problem(await change(FORM["password"], "short"), 400, "invalid-input")
    assert (await gateway.client.post("/v1/token", data=FORM)).status_code == 200
    assert (await change(FORM["password"], another)).status_code == 204
    assert_problem(await gateway.client.post("/v1/token", data=FORM), 401, "unauthorized")
    body = {"refresh_token": tokens["refresh_token"]}
    refreshed = await gateway.client.post("/v1/token/refresh", json=body)
    assert_problem(refreshed, 401, "unauthorized")
    form = {**FORM, "password": another}
    assert (await gateway.client.post("/v1/token", data=form)).status_code == 200
    assert await gateway.state.auth.refresh(other.refresh)


async def test_a_password_that_is_changed_while_it_is_verified_is_wrong(
    gateway: Any, dora: User
) -> None:
    """`dora` changes her password between the check of the old one and its use."""
    another = "a wholly other sentence"

    class Slow(Passwords):
        async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
            verified = await super().verify(password, stored)
            await gateway.state.auth.change_password(dora.email, PASSWORD, another, "")
            return verified[0], "an old hash made anew"

    auth = AuthService(gateway.database, Slow(), gateway.state.tokens, timedelta(days=1))
    with pytest.raises(Unauthorized):
        await auth.sign_in(dora.email, PASSWORD, "")
    assert await gateway.state.auth.sign_in(dora.email, another, "")


async def test_a_browser_keeps_its_refresh_token_in_a_cookie_that_scripts_cannot_read(
    gateway: Any, dora: User, assert_problem: Any
) -> None:
    answer = await gateway.client.post("/v1/token", data=FORM, headers=BROWSER)
    assert answer.json()["refresh_token"] is None
    cookie = answer.headers["Set-Cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/v1/token", "max-age=1209600"):
        assert part in cookie
    bare = await gateway.client.post("/v1/token/refresh")
    assert_problem(bare, 401, "unauthorized")
    refreshed = await gateway.client.post("/v1/token/refresh", headers=BROWSER)
    assert refreshed.status_code == 200
    assert refreshed.json()["refresh_token"] is None
    revoked = await gateway.client.post("/v1/token/revoke", headers=BROWSER)
    assert revoked.status_code == 204
    assert 'gyrus_refresh=""' in revoked.headers["Set-Cookie"]


async def test_the_cookie_is_secure_over_https(gateway: Any, dora: User) -> None:
    answer = await gateway.client.post("https://gyrus/v1/token", data=FORM, headers=BROWSER)
    assert "secure" in answer.headers["Set-Cookie"].lower()


async def test_no_expired_and_tampered_tokens_are_refused(
    gateway: Any, dora: User, assert_problem: Any
) -> None:
    loaded = keys.load(gateway.settings.keys)
    good = gateway.state.tokens.issue(dora.id)
    expired = AccessTokens(gateway.settings.keys, timedelta(seconds=-1)).issue(dora.id)
    head, body, signature = good.split(".")
    flipped = ("A" if body[5] != "A" else "B").join([body[:5], body[6:]])
    public = loaded.public["key-1"]
    claims = jwt.get_unverified_claims(good)
    nothing = part({"alg": "none", "kid": "key-1"})
    # Who takes the algorithm from the token verifies this with the public key as its secret; no
    # library signs it, so it is made by hand.
    confused = f"{part({'alg': 'HS256', 'kid': 'key-1'})}.{part(claims)}"
    mac = hmac.new(public.encode(), confused.encode(), hashlib.sha256).digest()

    def signed(**changes: Any) -> str:
        changed = {name: value for name, value in (claims | changes).items() if value is not None}
        return str(jwt.encode(changed, loaded.private, "ES256", headers={"kid": "key-1"}))

    assert gateway.state.tokens.read(signed()) == dora.id
    unknown = jwt.encode(claims, loaded.private, "ES256", headers={"kid": "../key-1"})
    for token in (
        expired,
        f"{head}.{flipped}.{signature}",
        f"{head}.{body}.",
        f"{nothing}.{part(claims)}.",
        f"{confused}.{encoded(mac)}",
        signed(iss="another"),
        signed(aud="another"),
        signed(aud=None),
        signed(exp=None),
        signed(sub=None),
        unknown,
        public,
        "nonsense",
    ):
        answer = await gateway.client.get("/v1/me", headers=bearer(token.replace("\n", "")))
        assert_problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert_problem(await gateway.client.get("/v1/me"), 401, "unauthorized")
    assert (await gateway.client.get("/v1/me", headers=bearer(good))).status_code == 200


async def test_too_many_failures_are_slowed_down_and_a_success_forgets_them(
    gateway: Any, dora: User, assert_problem: Any
) -> None:
    async def sign_in(password: str) -> Any:
        return await gateway.client.post("/v1/token", data=FORM | {"password": password})

    for _ in range(ATTEMPTS - 1):
        assert_problem(await sign_in("wrong"), 401, "unauthorized")
    assert (await sign_in(PASSWORD)).status_code == 200
    for _ in range(ATTEMPTS):
        assert_problem(await sign_in("wrong"), 401, "unauthorized")
    answer = await sign_in(PASSWORD)
    assert_problem(answer, 429, "too-many-requests")
    assert 0 < int(answer.headers["Retry-After"]) <= WINDOW_S


def test_the_limit_counts_an_account_from_an_address_and_forgets() -> None:
    at = 0.0
    limit = AttemptLimit(lambda: at)
    for _ in range(ATTEMPTS):
        limit.attempt("a", "here")
    with pytest.raises(TooManyRequests):
        limit.attempt("a", "here")
    limit.attempt("b", "here")
    limit.attempt("a", "there")
    at = WINDOW_S + 1
    limit.attempt("a", "here")


def test_the_limit_keeps_nothing_of_what_was_sent() -> None:
    limit = AttemptLimit()
    limit.attempt("x" * 1_000_000, "here")
    assert [len(key) for key in limit._attempts] == [32]


async def test_a_bcrypt_hash_is_accepted_and_replaced(gateway: Any) -> None:
    old = bcrypt.using(rounds=4).hash(PASSWORD)
    user = User(email="dora@example.com", password_hash=old)
    await gateway.database.run(lambda session: UserRepository(session).add(user))
    assert (await gateway.client.post("/v1/token", data=FORM)).status_code == 200
    stored = await gateway.state.users.get(user.id)
    assert stored.password_hash.startswith("$argon2id$")
    assert (await gateway.client.post("/v1/token", data=FORM)).status_code == 200


async def test_a_password_longer_than_bcrypt_reads_is_wrong_for_a_bcrypt_hash() -> None:
    old = bcrypt.using(rounds=4).hash("x" * 72)
    assert await Passwords().verify("x" * 73, old) == (False, None)


async def test_two_gateways_of_which_one_was_replaced_take_each_others_tokens(
    gateway: Any, run_gateway: Any, dora: User
) -> None:
    old = (await gateway.client.post("/v1/token", data=FORM)).json()["access_token"]
    add_key(gateway.settings.keys, "key-2.pem")
    async with run_gateway(gateway.settings) as replaced:
        new = (await replaced.client.post("/v1/token", data=FORM)).json()["access_token"]
        assert jwt.get_unverified_header(new)["kid"] == "key-2"
        for one in (gateway, replaced):
            for token in (old, new):
                answer = await one.client.get("/v1/me", headers=bearer(token))
                assert answer.status_code == 200, answer.text
