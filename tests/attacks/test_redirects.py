"""Attacks on sign-ins by redirect: forged and foreign states, forwarded addresses, injected codes, races.

Whatever is refused uses nothing up: the honest browser gets its code afterwards.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from harness import ACCOUNT, Page, World, client, problem
from holding import Held
from limits import counted
from redirecting import BACK, H5, PAGES, WEBSITE_LOGIN, Kind, redirecting, state_of
from wechat_browser import Browser, Visit, browsing

from sandbox.people import Person
from service.app_keys import KEYRING
from service.confirmation.completion import TicketCompletion
from service.crypto.keyring import Capability
from service.tickets.status import TicketStatus

Make = Callable[..., Any]
ROUNDS = 8


@pytest.fixture(params=PAGES, ids=lambda kind: kind.method)
def kind(request: pytest.FixtureRequest) -> Kind:
    """What asks the person: a website, or WeCom."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def world(make: Make, kind: Kind) -> World:
    """A shop and a club with an account and two apps each; without a name the method is that of the apps."""
    offers = {"apps": ["site", "other"], "methods": [kind.method, "h5", "scan"], "return_urls": [BACK]}
    started: World = await make(
        official={"main": replace(ACCOUNT, oauth="base")},
        apps={"site": kind.app, "other": kind.second},
        clients={name: client(name, **offers) for name in ("shop", "club")},
        limits={"tickets_per_address": 0, "tickets_per_client": 0, "tickets_per_user": 0},
    )
    return started


async def login(world: World, **fields: Any) -> Page:
    return await world.login(**{"return_url": BACK, "state": "s", **fields})


async def bind(world: World, user_id: str = "anna", **fields: Any) -> Page:
    return await world.bind(user_id, **{"return_url": BACK, "state": "s", **fields})


async def left(browser: Browser, page: Page, way: str = "") -> str:
    """Let the browser leave for WeChat; return our state."""
    return state_of(await browser.open(way or page.made["authorize_url"]))


def allowed(world: World, browser: Browser, person: Person) -> str:
    """Return the address that WeChat sends the browser back to; it does not go there yet."""
    assert browser.at
    assert browser.at.consent
    return str(world.authorization.allow(person, browser.at.consent).address)


def unusable(visit: Visit) -> None:
    """Check that a browser was sent nowhere, and told nothing but that."""
    assert visit.status == 400, visit.url
    assert "sign-in-unusable" in visit.text


# --- state and cookie


async def test_a_state_that_is_not_this_browsers_leads_nowhere(world: World) -> None:
    """Red when `_of` takes a state of another browser or account, or `returned` one of a ticket that ended."""
    person, page, ended = await world.person(), await login(world), await login(world)
    async with browsing(world) as browser, browsing(world) as other:
        foreign, gone = await left(other, await login(world)), await left(browser, ended)
        assert (await ended.raw("DELETE")).status == 204
        own = await left(browser, page)
        back = allowed(world, browser, person)
        forged = ["", "0" * 32, own[:-1], own.upper(), f"{own}%00", f"{own}*", "%E4%B8%AD", "9" * 7000, page.id]
        for state in (*forged, foreign, gone):
            unusable(await browser.open(f"/oauth/site?code=c&state={state}"))
        unusable(await browser.open("/oauth/site?code=c"))
        unusable(await browser.open("/oauth/site"))
        for account in ("main", "other", "nobody"):
            unusable(await browser.open(f"/oauth/{account}?code=c&state={own}"))
        unusable(await other.open(back))
        assert (await page.poll())["status"] == "pending"
        assert (await browser.open(back)).answer["code"]


@pytest.mark.parametrize(
    "cookies", ["", "scanbind_browser={}x", "scanbind_panel={}", "scanbind_browser=; a={}", "{}"]
)
async def test_a_browser_without_its_own_cookie_gets_nothing(world: World, cookies: str) -> None:
    """Red when `Visits._of` does not compare the browser, or with the cookie of the panel."""
    person, page = await world.person(), await login(world)
    async with browsing(world) as browser:
        await left(browser, page)
        (own,) = [one.value for one in browser.http.cookie_jar if one.key == "scanbind_browser"]
        back = allowed(world, browser, person)
        headers = {"Cookie": cookies.format(own)} if cookies else {}
        answer = await world.call("GET", back.removeprefix(world.url), headers=headers, allow_redirects=False)
        assert (answer.status, answer.headers.get("Location")) == (400, None)
        assert (await browser.open(back)).answer["code"]


async def test_by_https_no_cookie_without_the_prefix_is_taken(world: World) -> None:
    """Red when `cookie.name` leaves the prefix out: a neighbouring host can set such a cookie for this one."""
    world.settings.server.__dict__["public_url"] = "https://login.example"
    for way, name in (("authorize_url", "scanbind_browser"), ("panel", "scanbind_panel")):
        page = await login(world)
        path = (page.made[way]["src"] if way == "panel" else page.made[way]).removeprefix(world.url)
        for key in (name, f"__Secure-{name}", f"__host-{name}", f"__Host-{name}x"):
            planted = {"Cookie": f"{key}={'m' * 32}"}
            answer = await world.call("GET", path, headers=planted, allow_redirects=False)
            assert answer.status == (302 if key == name else 400), key
            cookie = answer.headers.get("Set-Cookie", "")
            assert "mmm" not in cookie


# --- codes of WeChat


async def test_a_code_of_wechat_counts_once_for_its_own_application_and_in_time(world: World) -> None:
    """Red when the first code of a state is not the only one, or an error of WeChat is not believed."""
    person = await world.person()
    async with browsing(world) as browser, browsing(world) as other:
        used = allowed(world, browser, person) if await left(browser, await login(world)) else ""
        assert (await browser.open(used)).answer["code"]
        code = used.partition("code=")[2].partition("&")[0]
        elsewhere = await login(world, account="other")
        await left(other, elsewhere)
        foreign = allowed(world, other, person).partition("code=")[2].partition("&")[0]
        page = await login(world)
        for one in (code, foreign, "made-up"):
            state = await left(browser, page)
            told = (await browser.open(f"/oauth/site?code={one}&state={state}")).answer
            assert (told["error"], "code" in told) == ("invalid_request", False)
            unusable(await browser.open(f"/oauth/site?code=another&state={state}"))
        await left(browser, page)
        late = allowed(world, browser, person)
        assert (await page.poll())["status"] == "pending"
        assert (await browser.open(late)).answer["code"]


async def test_the_first_code_that_a_state_brings_is_the_only_one(world: World) -> None:
    """Red when a refusal, or a made-up code, does not use the state up: a second person's code would be taken."""
    person, page = await world.person(), await login(world)
    async with browsing(world) as browser:
        for query, error in (("code=made-up&", "invalid_request"), ("", "access_denied")):
            state = await left(browser, page)
            back = allowed(world, browser, person)
            assert (await browser.open(f"/oauth/site?{query}state={state}")).answer["error"] == error
            unusable(await browser.open(back))
    assert (await page.poll())["reason"] == "declined"


# --- forwarded addresses


@pytest.mark.parametrize("inside", [False, True], ids=["page", "h5"])
async def test_who_forwards_an_address_gets_nothing_of_the_person_who_opens_it(
    world: World, kind: Kind, *, inside: bool
) -> None:
    """Red when `_code` of a ticket's view leaves redirects out, or a second browser may open the address."""
    kind = H5 if inside else kind
    victim, page = await world.person(), await login(world, method=kind.method)
    bound = await bind(world, method=kind.method)
    async with browsing(world, kind.phone(victim)) as browser, browsing(world) as mallory:
        for ticket in (page, bound):
            visit = await kind.sign_in(browser, ticket, victim)
            assert visit.answer["state"] == "s"  # which the site compares with the session of this browser
            unusable(await mallory.open(ticket.made["authorize_url"]))
            back = next(one for one in (browser.at.way if browser.at else ()) if "/oauth/" in one)
            unusable(await mallory.open(back))
            for suffix in ("", "/code"):
                told = await (await ticket.raw(suffix=suffix)).text()
                assert visit.answer["code"] not in told
                assert visit.answer["code"].partition(".")[2] not in told
        events = await (await page.raw(suffix="/events")).text()  # the stream of a ticket that has ended ends
        assert '"confirmed"' in events
        assert '"code":null' in events
    assert await world.bindings("anna") == []


@pytest.mark.parametrize("purpose", ["login", "bind"])
@pytest.mark.parametrize("first", ["panel", "window"])
async def test_of_two_people_on_one_ticket_the_second_gets_nothing(
    world: World, kind: Kind, purpose: str, first: str
) -> None:
    """Red when `_done` does not compare who was first, or `_result` not who came back in this browser."""
    anna, ben = await world.person(), await world.person()
    page = await login(world) if purpose == "login" else await bind(world)
    async with browsing(world) as window, browsing(world) as frame:
        await left(window, page)
        await left(frame, page, page.made["panel"]["src"])
        ways = [(frame, anna), (window, ben)] if first == "panel" else [(window, anna), (frame, ben)]
        (one, _), (two, _) = ways
        backs = [allowed(world, browser, person) for browser, person in ways]
        won = await one.open(backs[0])
        unusable(await two.open(backs[1]))
        unusable(await two.open(backs[1]))
        again = await one.open(backs[0])
        assert (again.url, again.text) == (won.url, won.text)
    if first == "window":
        told = await (await world.exchange(won.answer["code"])).json()
        assert (told["openid"], told["userid"]) == kind.names(world, anna)


async def test_a_refusal_ends_no_bind_that_another_person_came_back_to(world: World) -> None:
    """Red when `_refused` does not look whose the ticket is."""
    page = await bind(world)
    async with browsing(world) as window, browsing(world) as frame:
        state = await left(window, page)
        await frame.open(page.made["panel"]["src"])
        assert "&quot;code&quot;" in (await frame.allow(await world.person())).text
        unusable(await window.open(f"/oauth/site?state={state}"))
    assert (await page.poll())["status"] == "scanned"


async def test_a_return_again_gives_no_other_persons_code(world: World) -> None:
    """Redis may lose who was first. Red when `_result` does not compare who came back in this browser."""
    anna, ben, page = await world.person(), await world.person(), await bind(world)
    async with browsing(world) as window, browsing(world) as frame:
        await left(window, page)
        back = allowed(world, window, anna)
        old = (await window.open(back)).answer["code"]
        await world.redis.delete(f"scanbind:t:{page.id}")
        await left(frame, page, page.made["panel"]["src"])
        assert "&quot;code&quot;" in (await frame.allow(ben)).text
        unusable(await window.open(back))
    await problem(await world.exchange(old), 400, "invalid-code")


async def test_a_code_or_an_address_is_no_other_clients_and_no_other_kinds(world: World, kind: Kind) -> None:
    """Red when kinds of capabilities share a key, or `BindExchange` looks whose neither code nor ticket is."""
    person, page = await world.person(), await bind(world)
    keys = world.app[KEYRING]
    for what in Capability:
        genuine = keys.newest("shop").capability(what, page.id)
        for given in (
            *(keys.newest("shop").capability(other, page.id) for other in Capability if other is not what),
            page.id, f"{page.id}.", f"{page.id}.{page.made['secret']}", page.made["secret"], genuine[:-1],
            f"{genuine}A", genuine.swapcase(),
        ):  # fmt: skip
            assert keys.permitted(what, given) is None, given
            if what in (Capability.AUTHORIZE, Capability.PANEL):
                assert (await world.call("GET", f"/{what}/{given}", allow_redirects=False)).status == 400
    async with browsing(world) as browser:
        code = (await kind.sign_in(browser, page, person)).answer["code"]
    await problem(await world.exchange(code, client="club"), 400, "invalid-code")
    assert (await world.exchange(code)).status == 200


async def test_an_address_opens_so_many_pages_a_minute_and_the_rest_waits(
    make: Make, kind: Kind, minute: Any
) -> None:
    """Red when `visited` counts nothing, or what is refused uses up the state."""
    few = partial(make, limits={"visits_per_address": 3})
    world, person = await redirecting(few, kind)
    page = await login(world)
    async with browsing(world) as browser:
        for _ in range(3):
            await left(browser, page)
        back = allowed(world, browser, person)
        for address in (
            page.made["authorize_url"],
            page.made["panel"]["src"],
            back,
            "/authorize/x",
            "/oauth/site",
        ):
            refused = await browser.open(address)
            assert (refused.status, refused.headers["Retry-After"]) == (429, "40")
        assert await counted(world, "visits_per_address") == 5
        minute.now += 60
        assert (await browser.open(back)).answer["code"]


# --- at the same time


async def test_of_two_codes_at_once_one_is_exchanged(world: World, other: World) -> None:
    """Red when `Visits.returned` does not compare and swap."""
    person = await world.person()
    for _ in range(ROUNDS):
        page = await bind(world, refresh=True)
        async with browsing(world) as browser:
            state = await left(browser, page)
            one = allowed(world, browser, person)
            await left(browser, page)
            two = f"{allowed(world, browser, person).partition('&state=')[0]}&state={state}".replace(
                world.url, other.url
            )
            visits = await asyncio.gather(browser.open(one), replace(browser, world=other).open(two))
        assert sorted(str(visit.status) for visit in visits) == ["400", "None"]


@pytest.mark.parametrize(
    ("purpose", "owner", "method"),
    [("login", TicketCompletion, "confirm_arrival"), ("bind", TicketStatus, "mark_scanned")],
)
async def test_of_two_people_at_once_one_gets_a_code(
    world: World, monkeypatch: pytest.MonkeyPatch, purpose: str, owner: type, method: str
) -> None:
    """Red when `_done` and `_result` do not look whose the ending is, or `_done` not who was marked first."""
    anna, ben = await world.person(), await world.person()
    page = await (login(world) if purpose == "login" else bind(world))
    async with browsing(world) as window, browsing(world) as frame:
        await left(window, page)
        await left(frame, page, page.made["panel"]["src"])
        held = Held(monkeypatch, owner, method)
        late = asyncio.create_task(window.allow(anna))
        await held.reached()
        assert "&quot;code&quot;" in (await frame.allow(ben)).text
        held.release()
        unusable(await late)


async def test_a_return_and_a_cancel_at_once_leave_one_ending(world: World, other: World) -> None:
    """Red when `_done` believes an ending that is another's."""
    person = await world.person()
    for number in range(ROUNDS):
        page = await login(world)
        async with browsing(world) as browser:
            await left(browser, page)
            back = allowed(world, browser, person)

            async def cancelled(page: Page = page, number: int = number) -> int:
                await asyncio.sleep(number * 0.002)
                return (await Page(other, page.made, 200).raw("DELETE")).status

            visit, status = await asyncio.gather(browser.open(back), cancelled())
        if status == 204:
            unusable(visit)
        else:
            assert (await world.exchange(visit.answer["code"])).status == 200


async def test_of_two_returns_the_last_code_counts_and_binds_once(world: World, other: World, kind: Kind) -> None:
    """Red when `Redirects.returned` keeps the first return, or when two exchanges bind."""
    person = await world.person()
    page = await bind(world)
    codes = []
    async with browsing(world) as browser:
        for _ in range(2):
            codes.append((await kind.sign_in(browser, page, person)).answer["code"])
            world.clock.advance(1)
        backs = [left(browser, page), world.exchange(codes[0]), other.exchange(codes[1])]
        _, old, new = await asyncio.gather(*backs)
        await problem(old, 400, "invalid-code")
        assert new.status == 200
        unusable(await browser.allow(person))
    for code in codes:
        await problem(await world.exchange(code), 400, "invalid-code")
    assert len(await world.bindings("anna")) == 1


@pytest.mark.parametrize("purpose", ["login", "bind"])
async def test_a_ticket_that_expires_while_wechat_answers_gives_no_code(
    world: World, kind: Kind, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_done` does not read the ticket again after WeChat's answer."""
    person, page = await world.person(), await (login(world) if purpose == "login" else bind(world))
    owner: Any = world.authorization if kind is WEBSITE_LOGIN else world.authorization.enterprises
    name = "exchange" if kind is WEBSITE_LOGIN else "userinfo"
    exchange = getattr(owner, name)

    def late(*asked: Any, **how: Any) -> Any:
        answer = exchange(*asked, **how)
        world.clock.advance(page.made["expires_in"])
        return answer

    monkeypatch.setattr(owner, name, late)
    async with browsing(world) as browser:
        await left(browser, page)
        unusable(await browser.allow(person))
    assert (await page.poll())["status"] == "expired"
    assert await world.bindings("anna") == []
