"""Only the page that a person was shown, in the browser that WeChat identified, answers (contract.md 8.4).

Red when a form of another page, person or browser counts, when a GET answers, or when the page may be framed.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from harness import Page, World, problem
from linking import asked, linking
from wechat_browser import Browser, browsing

from sandbox.authorization.inside import user_agent

Make = Callable[..., Any]


@pytest.fixture
async def page(make: Make) -> Page:
    return await (await linking(make)).login()


@pytest.fixture
async def world(page: Page) -> World:
    return page.world


@pytest.fixture
async def anna(page: Page) -> AsyncIterator[Browser]:
    """A browser that shows the question of *page*."""
    async with asked(page, await page.world.person()) as browser:
        yield browser


async def refused(browser: Browser, page: Page, headers: dict[str, str] | None = None, **fields: str) -> None:
    """Send the form; check that it does not count, and is sent with success afterwards."""
    question = browser.page
    visit = await browser.submit(headers, answer="yes", **fields)
    assert (visit.status, "Nothing was changed" in visit.text) == (403, True)
    assert visit.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
    assert (await page.poll())["status"] == "scanned"
    browser.at = question


async def test_a_form_of_another_origin_does_not_count(world: World, page: Page, anna: Browser) -> None:
    """Red when `answer` does not ask `is_own_page`."""
    for headers in (
        {},
        {"Origin": "null"},
        {"Origin": "https://shop.example"},
        {"Origin": world.url, "Sec-Fetch-Site": "cross-site"},
        {"Origin": world.url, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ):
        await refused(anna, page, headers)
    assert (await anna.submit({"Origin": world.url}, answer="yes")).status == 200


async def test_a_form_without_its_own_token_does_not_count(world: World, page: Page, anna: Browser) -> None:
    """Red when `Links.answer` does not compare the token."""
    other = await world.login()
    async with asked(other, await world.person()) as ben:
        foreign = ben.page.text.partition('name="token" value="')[2][:32]
    for token in ("", "x", foreign, page.made["secret"], "\0", "\U0001f600"):
        await refused(anna, page, token=token)
    assert (await anna.submit(answer="yes")).status == 200


async def test_another_browser_is_asked_itself_and_cannot_answer(world: World, page: Page, anna: Browser) -> None:
    """Red when `Visits.by_link` does not compare the browser."""
    question = anna.page
    async with browsing(world, await world.person()) as mallory:
        mallory.at = question
        await refused(mallory, page)
        shown = await mallory.reload()
        assert shown.way[1] == page.made["qr_url"]
        assert "Another person" in shown.text
        mallory.at = question  # with a cookie of its own
        await refused(mallory, page)
    async with browsing(world) as outside:
        outside.at = question
        assert "sign-in-outside" in (await outside.reload()).text
    assert (await anna.submit(answer="yes")).status == 200


async def test_a_token_is_of_one_person_in_the_same_browser(world: World, page: Page, anna: Browser) -> None:
    """Red when `answer_token` leaves the openid out: people may share a phone."""
    first = anna.page
    async with browsing(world, await world.person(), again=anna) as ben:
        second = await ben.open(page.made["qr_url"])
        assert "Another person" in second.text
        await ben.submit(answer="yes", token=first.text.partition('name="token" value="')[2][:32])
        assert ben.page.status == 403
    assert (await page.poll())["status"] == "scanned"


async def test_no_get_and_no_head_answers(world: World, page: Page, anna: Browser) -> None:
    address, token = str(anna.page.url), anna.page.text.partition('name="token" value="')[2][:32]
    assert "sign-in-question" in (await anna.open(f"{address}?answer=yes&token={token}")).text
    link = page.made["qr_url"]
    for path in (link, address):
        async with anna.http.head(path, allow_redirects=False) as response:
            assert response.status == 405
    async with anna.http.post(link) as response:
        assert response.status == 405
    assert (await page.poll())["status"] == "scanned"


async def test_nothing_frames_it_and_nothing_fetches_it_in_advance(page: Page, anna: Browser) -> None:
    assert "frame-ancestors 'none'" in anna.page.headers["Content-Security-Policy"]
    assert "form-action 'self'" in anna.page.headers["Content-Security-Policy"]
    assert anna.page.headers["Cache-Control"].startswith("no-store")
    for headers in ({"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Dest": "image"}, {"Sec-Purpose": "prefetch"}):
        async with anna.http.get(page.made["qr_url"], headers=headers, allow_redirects=False) as response:
            assert response.status == 403


async def test_over_https_the_cookie_is_the_hosts_own_and_comes_back_from_wechat(world: World, page: Page) -> None:
    world.settings.server.__dict__["public_url"] = "https://login.example"
    agent, path = {"User-Agent": user_agent(await world.person())}, page.made["qr_url"].removeprefix(world.url)
    cookie = (await world.call("GET", path, headers=agent, allow_redirects=False)).headers["Set-Cookie"]
    assert cookie.startswith("__Host-scanbind_browser=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b"answer=" + b"4" * 70_000, "payload-too-large"),
        (b"a=1&" * 9, "invalid-request"),
        (b"answer=%ff", "invalid-request"),
        (b"answer=\xff", "invalid-request"),
    ],
)
async def test_a_body_that_no_form_sends_is_a_problem(world: World, anna: Browser, body: bytes, slug: str) -> None:
    headers = {"Origin": world.url, "Content-Type": "application/x-www-form-urlencoded"}
    async with anna.http.post(anna.page.url, data=body, headers=headers) as response:
        await problem(response, response.status, slug)
    for more in ({"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}):
        async with anna.http.post(anna.page.url, data=b"answer=yes", headers={**headers, **more}) as response:
            await problem(response, 415, "unsupported-media-type")
    assert (await anna.submit(answer="yes")).status == 200


async def test_a_made_up_address_of_a_question_answers_nothing(world: World, page: Page, anna: Browser) -> None:
    question = anna.page
    state = str(question.url).rpartition("/")[2]
    for made_up in ("0" * 32, state[:-1], state.upper(), "%00", "é", "x" * 4000):
        async with anna.http.get(f"{page.made['qr_url']}/{made_up}", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, page.made["qr_url"])
    forged = f"{world.url}/link/{page.id}.x/{state}"
    assert (await anna.open(forged)).status == 400
    assert (await anna.submit(answer="yes", token="x")).status == 400


async def test_pages_are_limited_for_each_address(make: Make) -> None:
    """Red when a handler is not `visited`."""
    world = await linking(make, limits={"visits_per_address": 3})
    page = await world.login()
    async with asked(page, await world.person()) as browser:
        question = browser.page
        for shown in (await browser.submit(answer="yes"), await browser.open(page.made["qr_url"])):
            assert (shown.status, "sign-in-limited" in shown.text) == (429, True)
        browser.at = question
        assert (await browser.reload()).status == 429
    assert (await page.poll())["status"] == "scanned"
