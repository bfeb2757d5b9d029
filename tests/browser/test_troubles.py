"""The web page when something is missing, slow or lost, which routes in the browser bring about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from gyrus.imaging import encode_png
from gyrus.phantom import draw

pytestmark = pytest.mark.browser

PASSWORD = "a long enough password"
PROBLEM = "application/problem+json"

# Drop files of these names on the page.
DROP = """(zone, names) => {
    const data = new DataTransfer();
    for (const name of names) data.items.add(new File(['x'], name));
    zone.dispatchEvent(new DragEvent('drop', { bubbles: true, dataTransfer: data }));
}"""


@pytest.fixture
def reader(running: Any, page: Page) -> dict[str, str]:
    """A new account, signed in to in the page; also the header that speaks for it elsewhere."""
    account = {"email": f"reader-{uuid4().hex[:12]}@example.org", "password": PASSWORD}
    page.request.post(f"{running.url}/v1/users", data={**account, "consent": True})
    form = {"username": account["email"], "password": PASSWORD}
    token = page.request.post(f"{running.url}/v1/token", form=form).json()["access_token"]
    sign_in(page, running.url, account["email"])
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def picture() -> FilePayload:
    image, _ = draw("glioma", seed=5)
    return FilePayload(name="slice.png", mimeType="image/png", buffer=encode_png(image))


@pytest.fixture(autouse=True)
def no_route_is_left(page: Page) -> Iterator[None]:
    yield
    page.unroute_all(behavior="ignoreErrors")


def sign_in(page: Page, url: str, email: str) -> None:
    page.goto(url)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def send(page: Page, picture: FilePayload | Path) -> None:
    expect(page.locator("#file")).to_be_enabled()
    page.set_input_files("#file", picture)


def fail(route: Route, status: int = 503, detail: str = "Not just now.") -> None:
    route.fulfill(status=status, content_type=PROBLEM, json={"detail": detail})


def tell_health(page: Page, **changes: Any) -> None:
    """Have the page see another state of the service from its next look on."""

    def answer(route: Route) -> None:
        health = route.fetch().json()
        route.fulfill(json={**health, **changes})

    page.unroute("**/health/ready")
    page.route("**/health/ready", answer)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_without_a_champion_uploads_wait_and_without_a_registry_they_do_not(
    reader: Any, page: Page, picture: FilePayload
) -> None:
    tell_health(page, model=None, model_known=True)
    expect(page.get_by_role("heading", name="No model is served yet")).to_be_visible()
    expect(page.locator("#file")).to_be_disabled()
    page.locator("#drop").evaluate(DROP, ["slice.png"])
    expect(page.locator("#upload-error")).to_contain_text("No model answers yet")

    tell_health(page, model=None, model_known=False)
    expect(page.locator("#starting")).to_be_hidden()
    expect(page.locator("#serving")).to_have_text("Ready")
    send(page, picture)
    expect(page.locator("#decision")).to_be_visible()


def test_a_database_that_does_not_answer_is_no_failed_start(reader: Any, page: Page) -> None:
    message = "The database does not answer."
    tell_health(page, status="unavailable", stage="ready", message=message, model=None)
    expect(page.get_by_role("heading", name="The service is not ready")).to_be_visible()
    expect(page.locator("#starting-detail")).to_have_text(message)
    expect(page.locator("#serving")).to_have_text("Not ready")


def test_several_files_at_once_are_refused_in_words(reader: Any, page: Page) -> None:
    expect(page.locator("#file")).to_be_enabled()
    page.locator("#drop").evaluate(DROP, ["one.png", "two.png"])
    expect(page.locator("#upload-error")).to_have_text("One slice at a time.")


def test_an_access_token_that_expires_is_renewed_unnoticed(
    reader: Any, page: Page, picture: FilePayload
) -> None:
    refused: list[str] = []

    def once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.headers["authorization"])
            fail(route, 401)

    page.route("**/v1/predictions?explain=true", once)
    with page.expect_response("**/v1/token/refresh") as renewed:
        send(page, picture)
    assert renewed.value.ok
    expect(page.locator("#decision")).to_be_visible()
    assert refused


def test_a_session_that_is_over_says_so(reader: Any, page: Page, picture: FilePayload) -> None:
    page.context.clear_cookies()
    page.route("**/v1/predictions?explain=true", lambda route: fail(route, 401))
    send(page, picture)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#auth-error")).to_have_text("Your session has ended. Sign in again.")
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#auth-error")).to_be_hidden()


def test_signing_out_that_fails_is_told(reader: Any, page: Page) -> None:
    page.route("**/v1/token/revoke", lambda route: fail(route))
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#sign-out-error")).to_have_text("You are still signed in. Not just now.")
    page.unroute("**/v1/token/revoke")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#auth-error")).to_be_hidden()


def test_an_upload_whose_answer_was_lost_is_kept_once(
    reader: Any, page: Page, picture: FilePayload, tmp_path: Path
) -> None:
    file = tmp_path / "slice.png"
    file.write_bytes(picture["buffer"])
    keys: list[str] = []

    def lose_first(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            route.continue_()
            return
        # What a browser reads from a file is not shown to its routes, so it is sent from here.
        key = {"Idempotency-Key": keys[0]}
        url = route.request.url
        assert page.request.post(url, headers=reader | key, multipart={"file": picture}).ok
        route.abort()

    page.route("**/v1/predictions?explain=true", lose_first)
    send(page, file)
    expect(page.locator("#upload-error")).to_contain_text("cannot be reached")
    expect(page.locator("#history-list li")).to_have_count(1)
    first = page.locator("#history-list li").get_attribute("data-id")

    send(page, file)
    expect(page.locator("#decision")).to_be_visible()
    assert keys[0] == keys[1]
    expect(page.locator("#history-list li")).to_have_count(1)
    assert page.locator("#history-list li").get_attribute("data-id") == first

    send(page, file)  # once more, on purpose
    expect(page.locator("#history-list li")).to_have_count(2)
    assert keys[2] != keys[1]


def test_an_upload_that_ends_leaves_an_older_result_open(
    reader: Any, page: Page, picture: FilePayload
) -> None:
    send(page, picture)
    expect(page.locator("#decision")).to_be_visible()
    held: list[Route] = []
    page.route("**/v1/predictions?explain=true", lambda route: held.append(route))
    for ends in (fail, Route.continue_):
        send(page, picture)
        expect(page.locator("#waiting")).to_be_visible()
        page.locator("#drop").evaluate(DROP, ["slice.png"])
        expect(page.locator("#upload-error")).to_contain_text("still being analysed")
        page.locator(".history-open").last.click()
        expect(page.locator("#decision")).to_be_visible()
        ends(held.pop())
        expect(page.locator("#file")).to_be_enabled()
        expect(page.locator("#decision")).to_be_visible()
        expect(page.locator("#history-list li").last).to_have_attribute("data-open", "")
    expect(page.locator("#history-list li")).to_have_count(2)


def test_older_pages_follow_and_keep_the_focus(
    running: Any, reader: Any, page: Page, picture: FilePayload
) -> None:
    url = f"{running.url}/v1/predictions"
    for _ in range(22):
        assert page.request.post(url, headers=reader, multipart={"file": picture}).ok
    page.reload()
    expect(page.locator("#history-list li")).to_have_count(20)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#history-list li")).to_have_count(22)
    expect(page.get_by_role("button", name="Older")).to_be_hidden()
    expect(page.locator("#history-list li").nth(20).locator(".history-open")).to_be_focused()
    times = page.locator("#history-list time").evaluate_all("all => all.map(one => one.dateTime)")
    assert times == sorted(times, reverse=True)


def test_the_models_panel_follows_the_champion_and_tells_what_fails(
    running: Any, reader: Any, page: Page
) -> None:
    models: list[dict[str, Any]] = []
    page.route(
        "**/v1/me",
        lambda route: route.fulfill(json={**route.fetch().json(), "role": "admin"}),
    )
    page.route("**/v1/models", lambda route: route.fulfill(json={"items": models}))
    tell_health(page, model=None, model_known=True)
    page.reload()
    expect(page.get_by_text("No model has been trained yet.")).to_be_visible()

    served = page.request.get(f"{running.url}/v1/models", headers=reader).json()["items"][0]
    models += [
        {**served, "version": 2, "champion": False},
        {**served, "version": 1, "champion": True},
    ]
    model = {"version": 1, "architecture": "cnn", "synthetic": True}
    tell_health(page, model=model)
    expect(page.locator("#models-rows tr")).to_have_count(2)
    expect(page.locator("#models-rows tr").last).to_contain_text("Champion")

    def promote(route: Route) -> None:
        for one in models:
            one["champion"] = one["version"] == 2
        model["version"] = 2
        fail(route, detail="The replicas could not be told.")

    page.route("**/v1/models/2/promote", promote)
    page.get_by_role("button", name="Promote version 2").click()
    page.get_by_role("button", name="Promote", exact=True).click()
    expect(page.locator("#models-error")).to_have_text("The replicas could not be told.")
    expect(page.locator("#models-rows tr").first).to_contain_text("Champion")
    expect(page.locator("#serving")).to_contain_text("version 2")
    expect(page.get_by_role("region", name="Table of models")).to_be_focused()
