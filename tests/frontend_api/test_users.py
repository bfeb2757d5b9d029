"""Accounts."""

from typing import Any

import pytest

PASSWORD = "correct horse battery"


def new(**changes: Any) -> dict[str, Any]:
    return {"email": "Carol@Example.com", "password": PASSWORD, "consent": True} | changes


async def test_a_person_registers_signs_in_and_sees_who_they_are(gateway: Any) -> None:
    created = await gateway.client.post("/v1/users", json=new())
    assert created.status_code == 201
    assert created.json() | {"id": "", "created_at": ""} == {
        "id": "",
        "email": "carol@example.com",
        "role": "user",
        "created_at": "",
    }
    form = {"username": "CAROL@example.com", "password": PASSWORD}
    token = (await gateway.client.post("/v1/token", data=form)).json()["access_token"]
    me = await gateway.client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json() == created.json()


async def test_an_address_has_one_account(gateway: Any, assert_problem: Any) -> None:
    await gateway.user("carol@example.com")
    assert_problem(await gateway.client.post("/v1/users", json=new()), 409, "conflict")


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"password": "elevenchars"}, "password", "At least 12 characters are needed."),
        ({"password": "twelve chars\0"}, "password", "A password cannot hold a NUL character."),
        ({"email": "nobody"}, "email", ""),
        ({"consent": False}, "consent", ""),
    ],
)
async def test_a_refused_registration_names_the_field_and_never_repeats_the_password(
    gateway: Any, assert_problem: Any, changes: dict[str, Any], field: str, words: str
) -> None:
    answer = await gateway.client.post("/v1/users", json=new(**changes))
    assert_problem(answer, 400, "invalid-input")
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert not words or error["message"] == words
    assert new(**changes)["password"] not in answer.text


async def test_the_first_administrator_is_made_once(gateway: Any) -> None:
    users = gateway.state.users
    assert await users.ensure_admin("admin@example.com", PASSWORD)
    assert not await users.ensure_admin("other@example.com", "another password")
    grant = await gateway.state.auth.sign_in("admin@example.com", PASSWORD, "")
    me = await gateway.client.get("/v1/me", headers={"Authorization": f"Bearer {grant.access}"})
    assert me.json()["role"] == "admin"


async def test_who_was_signed_in_to_the_administrators_account_is_signed_out(
    gateway: Any,
) -> None:
    users, auth = gateway.state.users, gateway.state.auth
    await users.register("admin@example.com", "not the operator")
    await users.register("other@example.com", PASSWORD)
    before = await auth.sign_in("admin@example.com", "not the operator", "")
    other = await auth.sign_in("other@example.com", PASSWORD, "")
    assert await users.ensure_admin("admin@example.com", PASSWORD)
    for grant, status in ((before, 401), (other, 200)):
        me = await gateway.client.get("/v1/me", headers={"Authorization": f"Bearer {grant.access}"})
        assert me.status_code == status
        body = {"refresh_token": grant.refresh}
        answer = await gateway.client.post("/v1/token/refresh", json=body)
        assert answer.status_code == status
