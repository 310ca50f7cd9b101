"""Sign in at a website application, inside WeChat and with WeCom: the browser goes and comes back.

Red when the code reaches another browser than the one that went, when a bind is committed before its exchange,
when an address of WeChat differs from what WeChat accepts, and when the site gets another error than WeChat gave.
Covers: handlers.methods.pages, handlers.methods.routes.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from harness import problem
from redirecting import BACK, H5, REDIRECTS, WECOM, Kind, redirecting
from wechat_browser import browsing

from sandbox.faults import SnsFault

Make = Callable[..., Any]
pytestmark = pytest.mark.parametrize("kind", REDIRECTS, ids=lambda kind: kind.method)


async def test_a_new_person_registers_and_logs_in_from_then_on(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    outcomes = []
    for state in ("s1", "s2"):
        page = await world.login(method=kind.method, return_url=BACK, state=state)
        async with browsing(world, kind.phone(person)) as browser:
            told = (await kind.sign_in(browser, page, person)).answer
        assert told["state"] == state
        redeemed = await (await world.exchange(told["code"])).json()
        assert (redeemed["method"], redeemed["state"], redeemed["via"]) == (kind.method, state, "page")
        assert (redeemed["kind"], redeemed["account"]) == (kind.identity, kind.account)
        assert (redeemed["openid"], redeemed["userid"]) == kind.names(world, person)
        outcomes.append(redeemed["outcome"])
        await problem(await world.exchange(told["code"]), 400, "invalid-code")
        if redeemed["outcome"] == "register":
            body = {"user_id": "anna", "registration": redeemed["registration"]}
            assert (await world.site("POST", "/v1/bindings", body)).status == 201
    assert outcomes == ["register", "login"]


async def test_a_poll_never_shows_the_code(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.login(method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        assert (await kind.sign_in(browser, page, person)).answer["code"]
    ended = await page.until("confirmed")
    assert (ended["outcome"], ended["code"], ended["match"]) == ("register", None, None)


async def test_a_bind_is_committed_by_the_exchange(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.bind("anna", method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        told = (await kind.sign_in(browser, page, person)).answer
    shown = await page.until("scanned")
    assert (shown["match"], shown["code"]) == (None, None)
    assert await world.bindings("anna") == []
    bound = await (await world.exchange(told["code"])).json()
    assert (bound["outcome"], bound["user_id"], bound["state"]) == ("bound", "anna", "s")
    (binding,) = await world.bindings("anna")
    assert (binding["method"], binding["kind"]) == (kind.method, kind.identity)
    names = kind.names(world, person)
    assert (binding["openid"], binding["userid"]) == (bound["openid"], bound["userid"]) == names
    assert (await page.poll())["outcome"] == "bound"
    await problem(await world.exchange(told["code"]), 400, "invalid-code")


async def test_a_bind_without_an_exchange_expires(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.bind("anna", method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        told = (await kind.sign_in(browser, page, person)).answer
    world.clock.advance(61)
    await problem(await world.exchange(told["code"]), 400, "invalid-code")
    world.clock.advance(page.made["expires_in"])
    assert (await page.poll())["status"] == "expired"
    assert await world.bindings("anna") == []


async def test_a_conflict_leaves_the_code_usable(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    for user in ("ben", "anna"):
        page = await world.bind(user, method=kind.method, return_url=BACK, state="s")
        async with browsing(world, kind.phone(person)) as browser:
            code = (await kind.sign_in(browser, page, person)).answer["code"]
        answer = await world.exchange(code)
    assert (await problem(answer, 409, "binding-conflict"))["reason"] == "wechat_taken"
    assert (await page.poll())["status"] == "scanned"
    assert (await world.site("DELETE", "/v1/bindings/ben")).status == 204
    assert (await (await world.exchange(code)).json())["outcome"] == "bound"


async def test_a_bind_again_says_already_bound(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    outcomes = []
    for _ in range(2):
        page = await world.bind("anna", method=kind.method, return_url=BACK, state="s")
        async with browsing(world, kind.phone(person)) as browser:
            code = (await kind.sign_in(browser, page, person)).answer["code"]
        outcomes.append((await (await world.exchange(code)).json())["outcome"])
    assert outcomes == ["bound", "already_bound"]


async def test_the_same_browser_gets_its_outcome_again_for_ten_minutes(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.login(method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        first = await kind.sign_in(browser, page, person)
        returned = first.way[-2]
        assert "/oauth/" in returned
        assert (await browser.open(returned)).url == first.url
        world.clock.advance(590)
        assert (await browser.open(returned)).url == first.url
        async with browsing(world, kind.phone(person)) as foreign:
            assert (await foreign.open(returned)).status == 400
        world.clock.advance(10)
        assert (await browser.open(returned)).status == 400


async def test_the_address_belongs_to_the_first_browser(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.login(method=kind.method, return_url=BACK, state="s")
    async with browsing(world) as first, browsing(world, kind.phone(person)) as second:
        await first.open(page.made["authorize_url"])
        assert (await second.open(page.made["authorize_url"])).status == 400
    assert (await page.poll())["status"] == "pending"


async def test_the_parameters_stand_in_wechats_order(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.login(method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        visit = await browser.open(page.made["authorize_url"])
    address = urlsplit(visit.way[1])
    asked = dict(parse_qsl(address.query))
    assert tuple(asked) == kind.order
    assert asked["redirect_uri"] == f"{world.url}/oauth/{kind.account}"
    assert asked["state"].isalnum()
    assert len(asked["state"]) >= 22
    assert address.fragment == ("" if kind is WECOM else "wechat_redirect")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (SnsFault.AWAY, "temporarily_unavailable"),
        (SnsFault.BUSY, "temporarily_unavailable"),
        (SnsFault.CUT, "temporarily_unavailable"),
    ],
)
async def test_a_failure_of_wechat_is_told_to_the_site(
    make: Make, kind: Kind, fault: SnsFault, error: str
) -> None:
    world, person = await redirecting(make, kind)
    page = await world.login(method=kind.method, return_url=BACK, state="s")
    world.authorization.fault = fault
    async with browsing(world, kind.phone(person)) as browser:
        told = (await kind.sign_in(browser, page, person)).answer
        assert told == {"from": "wechat", "error": error, "state": "s"}
        world.authorization.fault = None
        assert (await page.poll())["status"] == "pending"
        assert (await kind.sign_in(browser, page, person)).answer["code"]


async def test_a_redirect_needs_where_to_return_to(make: Make, kind: Kind) -> None:
    world, _ = await redirecting(make, kind)
    for body in ({"return_url": BACK}, {"state": "s"}, {"return_url": BACK, "state": ""}, {}):
        wanted = {"purpose": "bind", "user_id": "42", "method": kind.method, **body}
        told = await problem(await world.site("POST", "/v1/tickets", wanted), 400, "invalid-request")
        assert "return_url" in told["detail"]
    for url in (BACK + "?a", BACK + "/", BACK.upper(), "https://evil.example/", "javascript:alert(1)"):
        wanted = {"purpose": "bind", "user_id": "42", "method": kind.method, "return_url": url, "state": "s"}
        told = await problem(await world.site("POST", "/v1/tickets", wanted), 400, "invalid-request")
        assert told["detail"] == "return_url: not one of this client's return_urls"


async def test_a_cancelled_ticket_leads_nowhere(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.login(method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        if kind is not H5:
            await browser.open(page.made["authorize_url"])
            assert (await page.raw("DELETE")).status == 204
            assert (await browser.allow(person)).status == 400
        else:
            assert (await page.raw("DELETE")).status == 204
        assert (await browser.open(page.made["authorize_url"])).status == 400
    assert (await page.poll())["status"] == "cancelled"


async def test_a_lost_redis_costs_another_try(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.bind("anna", method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        code = (await kind.sign_in(browser, page, person)).answer["code"]
        await world.redis.flushall()
        await problem(await world.exchange(code), 400, "invalid-code")
        assert (await browser.open(page.made["authorize_url"])).status == 400
    assert await world.bindings("anna") == []


async def test_a_used_code_stays_used_in_an_older_redis(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    page = await world.bind("anna", method=kind.method, return_url=BACK, state="s")
    async with browsing(world, kind.phone(person)) as browser:
        code = (await kind.sign_in(browser, page, person)).answer["code"]
    kept = {key: await world.redis.get(key) for key in await world.redis.keys("scanbind:[rtw]:*")}
    assert (await world.exchange(code)).status == 200
    assert (await world.site("DELETE", "/v1/bindings/anna")).status == 204
    for key, value in kept.items():
        await world.redis.set(key, value)
    await problem(await world.exchange(code), 400, "invalid-code")
    assert await world.bindings("anna") == []


async def test_the_ticket_says_what_the_client_offers(make: Make, kind: Kind) -> None:
    world, _ = await redirecting(make, kind)
    page = await world.login(method=kind.method, return_url=BACK, state="s")
    made = page.made
    assert made["methods"] == [kind.method, "scan"]
    assert (made["qr_url"], made["qr_svg"], made["qr_png"]) == (None, None, None)
    assert made["authorize_url"].startswith(f"{world.url}/authorize/")
    again = await (await page.raw(suffix="/code")).json()
    assert again["authorize_url"] == made["authorize_url"]
    assert again["panel"] == made["panel"]
    assert (made["panel"] is not None) == (kind is not H5)
