"""The web page in a real browser, in front of the running system."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from gyrus.imaging import encode_png
from gyrus.phantom import draw

pytestmark = pytest.mark.browser

PASSWORD = "a long enough password"

# The levels of a canvas: how many different colours, and how much of it is not transparent.
LEVELS = """canvas => {
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    const colours = new Set();
    let opaque = 0;
    for (let at = 0; at < data.length; at += 4) {
        colours.add(data.subarray(at, at + 4).join());
        opaque += data[at + 3] > 0;
    }
    return { colours: colours.size, opaque: opaque / (width * height) };
}"""


def register(page: Page, url: str) -> None:
    """Make an account in the page, which signs in with it."""
    page.goto(url)
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Email").fill(f"reader-{uuid4().hex[:12]}@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()


def upload(page: Page, label: str = "glioma", seed: int = 5) -> None:
    """Send a generated slice, and wait for the answer."""
    image, _ = draw(label, seed=seed)
    expect(page.locator("#file")).to_be_enabled()
    send(page, "slice.png", "image/png", encode_png(image))
    expect(page.locator("#decision")).to_be_visible()


def send(page: Page, name: str, kind: str, content: bytes) -> None:
    """Choose a file in the page."""
    page.set_input_files("#file", FilePayload(name=name, mimeType=kind, buffer=content))


def levels(page: Page, canvas: str) -> dict[str, float]:
    """How many colours a canvas holds, and how much of it is painted."""
    found: dict[str, float] = page.locator(canvas).evaluate(LEVELS)
    return found


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for a condition; Playwright's own way is an eval, which the page's policy refuses."""
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(50)
    pytest.fail("it did not come true within 5 s")


def test_an_uploaded_image_gets_a_decision_bars_and_a_place_in_the_history(
    running: Any, page: Page, complaints: list[str]
) -> None:
    register(page, running.url)
    expect(page.locator("#history-empty")).to_be_visible()

    upload(page)

    expect(page.locator("#decision")).to_have_text(
        re.compile("Signs of a tumour|No sign of a tumour|Uncertain")
    )
    shares = page.locator("#bars .bar-text span:last-child").all_inner_texts()
    assert len(shares) >= 2
    assert 99 <= sum(float(share.strip("<> %")) for share in shares) <= 101
    assert re.search(r"\d %: below (it|the first)", page.locator("#threshold-text").inner_text())
    expect(page.locator("#history-list li")).to_have_count(1)

    page.reload()
    page.locator(".history-open").click()
    expect(page.locator("#decision")).to_be_visible()
    assert complaints == []


def test_the_heatmap_is_drawn_and_obeys_its_controls(
    running: Any, page: Page, complaints: list[str]
) -> None:
    register(page, running.url)
    upload(page)
    until(page, lambda: levels(page, "#scan")["colours"] > 20)
    # The map of a class that nothing speaks for is empty; some class has one.
    names = page.locator("#heat-class option").evaluate_all("all => all.map(one => one.value)")
    for name in names:
        page.select_option("#heat-class", name)
        expect(page.locator("#heat")).to_have_attribute("data-class", name)
        before = levels(page, "#heat")
        if before["colours"] > 20:
            break
    assert before["colours"] > 20
    assert before["opaque"] > 0.02

    heat = page.locator("#heat")
    page.locator("#opacity").fill("25")
    assert heat.evaluate("canvas => getComputedStyle(canvas).opacity") == "0.25"
    expect(page.locator("#opacity-value")).to_have_text("25 %")

    first = heat.evaluate("canvas => canvas.toDataURL()")
    page.select_option("#colormap", "viridis")
    until(page, lambda: heat.evaluate("canvas => canvas.toDataURL()") != first)
    assert complaints == []


BETWEEN = "lies between the two thresholds"
EITHER = "Either the probability of a tumour lies where"
UNLIKE = "This image is unlike the images"


def test_the_thresholds_are_marked_and_tell_why_it_is_uncertain(
    running: Any, page: Page, complaints: list[str]
) -> None:
    changes: dict[str, Any] = {"decision": "uncertain", "threshold": 0.25}

    def answer(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), **changes})

    page.route("**/v1/predictions?explain=true", answer)
    register(page, running.url)
    band = page.locator("#band")
    one, two = "The mark is this model’s threshold, 25.0 %", "thresholds, 25.0 % and 75.0 %"
    for tumour, upper, why, marks, width in (
        (0.5, 0.75, BETWEEN, two, "50%"),
        (0.9, 0.75, UNLIKE, two, "50%"),
        (0.5, None, EITHER, one, "0px"),
        (0.5, 0.25, UNLIKE, one, "0px"),
    ):
        changes.update(tumour_probability=tumour, upper_threshold=upper)
        upload(page)
        expect(page.locator("#decision-text")).to_contain_text(why)
        expect(page.locator("#threshold-text")).to_contain_text(marks)
        assert band.evaluate("band => [band.style.left, band.style.width]") == ["25%", width]
    assert complaints == []


def test_a_result_is_deleted_after_a_question(running: Any, page: Page) -> None:
    register(page, running.url)
    upload(page)
    page.get_by_role("button", name="Delete:").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#history-list li")).to_have_count(1)

    page.get_by_role("button", name="Delete:").click()
    page.get_by_role("button", name="Delete", exact=True).click()

    expect(page.locator("#history-list li")).to_have_count(0)
    expect(page.locator("#result")).to_be_hidden()


def test_a_file_that_is_no_image_is_refused_in_words(running: Any, page: Page) -> None:
    register(page, running.url)
    expect(page.locator("#file")).to_be_enabled()
    send(page, "notes.txt", "text/plain", b"not an image")
    expect(page.get_by_role("alert")).to_contain_text("not an image that Gyrus reads")
    expect(page.locator("#result")).to_be_hidden()


def test_signing_out_leaves_nothing_behind(running: Any, page: Page) -> None:
    register(page, running.url)
    upload(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#history-list li")).to_have_count(0)


def test_a_model_trained_on_generated_images_says_so(running: Any, page: Page) -> None:
    page.goto(running.url)
    ready = page.request.get(f"{running.url}/health/ready").json()
    notice = page.get_by_text("trained on generated images only").first
    expect(notice).to_be_visible(visible=ready["model"]["synthetic"])


def test_the_page_needs_no_other_host(running: Any, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    register(page, running.url)
    upload(page)
    assert asked
    assert all(address.startswith((running.url, "blob:")) for address in asked)
