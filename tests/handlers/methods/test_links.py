"""Sign in by a link: opened inside WeChat, it asks what the chat would, and its form answers (contract.md 8.4).

Red when the page shows less than the chat, when a person gets another person's question or ending, and when a
snapshot's person is stored.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from altering import altered
from harness import ACCOUNT, SECOND, Page, World, client
from linking import DESKTOP, asked, linking, said
from portal_client import visit
from wechat_browser import Visit, browsing

from models.tables.identities import followers
from sandbox.authorization.inside import user_agent
from sandbox.faults import SnsFault
from service.app_keys import AUDIT, LINKS

Make = Callable[..., Any]


def buttons(visit: Visit) -> list[str]:
    """Return what the buttons of the form send as `answer`."""
    return re.findall(r'<button[^>]* name="answer" value="([^"]*)"', visit.text)


async def test_the_page_shows_who_asks_for_what(make: Make) -> None:
    world = await linking(make)
    visitor = {"ip": "203.0.113.7", "user_agent": DESKTOP}
    page = await world.bind("42", account_name="an'na@<shop>.example", visitor=visitor)
    async with asked(page, await world.person()) as browser:
        shown = said(browser.page)
        for words in ("Example shop asks to bind", "“an'na@shop.example”", "Chrome · Windows", "203.0.113.7"):
            assert words in shown
        assert "asks to log you in" in said(await browser.open((await world.login()).made["qr_url"]))


@pytest.mark.parametrize(
    ("confirm", "login", "bind"),
    [("none", "tap", "match"), ("tap", "tap", "match"), ("choose",) * 3, ("match",) * 3],
)
async def test_the_page_asks_what_the_client_wants_and_never_nothing(
    make: Make, confirm: str, login: str, bind: str
) -> None:
    """Red when `confirmation` asks of a link what a scan asks."""
    world = await linking(make, confirm=confirm)
    person = await world.person()
    for page, expected in ((await world.login(), login), (await world.bind("42"), bind)):
        async with asked(page, person) as browser:
            shown = (await page.until("scanned"))["match"]
            assert ('name="answer" inputmode="numeric"' in browser.page.text) is (expected == "match")
            *answers, no = buttons(browser.page)
            assert no == "no"
            if expected == "choose":
                assert (len(answers), shown in answers) == (3, True)
            else:
                assert (answers, bool(shown)) == (["yes"] if expected == "tap" else [], expected == "match")
            await browser.submit(answer=shown or "yes")
            assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", ("请输入", "请只输入")), ("en", ("Type the two digits", "Type two digits and"))]
)
async def test_the_page_speaks_the_browsers_language_and_needs_no_script(
    make: Make, lang: str, words: tuple[str, str]
) -> None:
    world = await linking(make, confirm="match")
    async with asked(await world.login(), await world.person(), lang=lang) as browser:
        for asks, shown in zip(words, (browser.page, await browser.submit(answer="x")), strict=True):
            assert asks in said(shown)
            assert f'<html lang="{lang}">' in shown.text
            assert "<script" not in shown.text


async def test_a_login_by_a_page_or_a_back_end_is_polled_and_exchanged_as_a_scan(make: Make) -> None:
    world = await linking(make)
    person = await world.person()
    response = await world.site("POST", "/v1/tickets", {"purpose": "login", "state": "s"})
    for page in (await world.login(state="s"), Page(world, await response.json(), response.status)):
        assert page.made["qr_svg"]
        async with asked(page, person) as browser:
            assert (await page.poll())["status"] == "scanned"
            assert "Return to Example shop" in said(await browser.submit(answer="yes"))
        told = await (await world.exchange((await page.poll())["code"])).json()
        assert (told["outcome"], told["method"], told["state"]) == ("register", "link", "s")
    code = await (await page.raw(suffix="/code")).json()
    assert code["qr_url"] == page.made["qr_url"]


async def test_the_portal_binds_by_a_link(make: Make) -> None:
    world = await linking(make)
    here, person = await visit(world), await world.person(following=False)
    page = await here.bind()
    async with asked(page, person) as browser:
        assert "now bound" in said(await browser.submit(answer=(await page.until("scanned"))["match"]))
    (binding,) = (await here.view())["bindings"]
    assert (binding["kind"], binding["subscribed"]) == ("official_account", False)


@pytest.mark.parametrize("style", ["{0}{1}", " {0}{1}。", "【{0}{1}】", "{0}\ufe0f\u20e3{1}\ufe0f\u20e3"])
@pytest.mark.parametrize("zero", ["0", "０"])
async def test_digits_are_read_as_in_the_chat(make: Make, style: str, zero: str) -> None:
    world = await linking(make)
    page = await world.bind("42")
    async with asked(page, await world.person()) as browser:
        shown = (await page.until("scanned"))["match"]
        await browser.submit(answer=style.format(*(chr(ord(zero) + int(digit)) for digit in shown)))
    assert (await page.poll())["outcome"] == "bound"


@pytest.mark.parametrize("given", ["", "147", "4 7", "yes", "seven", [], ["10", "11"], "<b>"])
async def test_what_is_no_answer_is_asked_again_and_uses_nothing_up(make: Make, given: str | list[str]) -> None:
    """Red when `read_form` takes the first of two numbers, or a yes where the number is asked for."""
    world = await linking(make)
    page = await world.bind("42")
    async with asked(page, await world.person()) as browser:
        shown = (await page.until("scanned"))["match"]
        given = [shown, "10"] if given == ["10", "11"] else given
        assert "Type two digits" in said(await browser.submit(answer=given))
        assert (await page.poll())["status"] == "scanned"
        assert "now bound" in said(await browser.submit(answer=shown))


@pytest.mark.parametrize("confirm", ["choose", "match"])
async def test_a_wrong_number_ends_the_ticket_for_good(make: Make, confirm: str) -> None:
    world = await linking(make, confirm=confirm)
    page = await world.bind("42")
    async with asked(page, await world.person()) as browser:
        shown = (await page.until("scanned"))["match"]
        wrong = next(it for it in [*buttons(browser.page)[:-1], "10", "11"] if it != shown)
        assert "Wrong number" in said(await browser.submit(answer=wrong))
        assert (await page.poll())["reason"] == "wrong_number"
        assert "Wrong number" in said(await browser.reload())


@pytest.mark.parametrize("known", [False, True])
async def test_no_wins_over_a_number_and_is_told_again_to_its_owner_alone(make: Make, known: bool) -> None:
    """Red when `Authorization.refused` is not stored: SQL does not know who refused before they signed in."""
    world = await linking(make)
    person, other, page = await world.person(following=False), await world.person(), await world.bind("42")
    if known:
        async with asked(await world.login(), person) as browser:
            await browser.submit(answer="yes")
    async with asked(page, person) as early, asked(page, other) as late:
        number = (await page.until("scanned"))["match"]
        assert "Another person" in said(late.page)
        form = await early.submit(answer=[number, "no"])
        assert "Declined" in said(form)
        assert "Declined" in said(await early.reload())
        assert "Declined" in said(await early.reload())
        told = said(await late.reload())
        assert "Declined" not in told
        assert "Get a new code" in told
    assert (await page.poll())["reason"] == "declined"


async def test_a_second_person_is_told_and_changes_nothing(make: Make) -> None:
    world = await linking(make)
    page = await world.login()
    async with asked(page, await world.person()) as first, asked(page, await world.person()) as second:
        assert "Another person" in said(second.page)
        assert buttons(second.page) == []
        assert "finish signing up" in said(await first.submit(answer="yes"))
        for _ in range(2):
            assert "finish signing up" in said(await first.reload())
            assert "Another person" in said(await second.reload())


async def test_an_answer_after_the_end_is_told_how_it_ended(make: Make) -> None:
    """Red when `Links.answer` does not look at the ticket before it ends it."""
    world = await linking(make)
    page, cancelled = await world.login(), await world.login()
    person = await world.person()
    async with asked(page, person) as browser:
        question = browser.page
        await browser.submit(answer="yes")
        browser.at = question
        assert "finish signing up" in said(await browser.submit(answer="no"))
    async with asked(cancelled, person) as browser:
        assert (await cancelled.raw("DELETE")).status == 204
        assert "no longer valid" in said(await browser.submit(answer="yes"))
    assert [(await it.poll())["status"] for it in (page, cancelled)] == ["confirmed", "cancelled"]


async def test_a_link_has_no_owner_before_a_person_is_known(make: Make) -> None:
    """Red when `Visits.open` lets the first browser own a link."""
    world = await linking(make)
    page, person, other = await world.login(), await world.person(), await world.person()
    path, agent = page.made["qr_url"].removeprefix(world.url), {"User-Agent": user_agent(other)}
    assert (await world.call("GET", path, headers=agent, allow_redirects=False)).status == 302
    async with asked(page, person) as browser:
        assert buttons(browser.page) == ["yes", "no"]


@pytest.mark.parametrize(
    "agent",
    [DESKTOP, f"{DESKTOP} MicroMessenger/7.0.1 wxwork/4.1.9", ""],
    ids=["desktop", "WeCom", "none"],
)
async def test_outside_wechat_a_page_says_how_to_open_it(make: Make, agent: str) -> None:
    world = await linking(make)
    page = await world.login()
    path = page.made["qr_url"].removeprefix(world.url)
    response = await world.call("GET", path, headers={"User-Agent": agent}, allow_redirects=False)
    text = await response.text()
    assert (response.status, response.headers.get("Set-Cookie")) == (200, None)
    assert "请在微信中打开" in text
    assert "Open this in WeChat" in text
    assert await world.redis.keys("scanbind:w:*") == []
    assert (await page.poll())["status"] == "pending"


@pytest.mark.parametrize("inside", [True, False])
async def test_an_address_that_leads_nowhere_says_so(make: Make, inside: bool) -> None:
    """Red when a ticket, or another capability of the ticket, opens its link."""
    world = await linking(make)
    page, ended = await world.login(), await world.login()
    await ended.raw("DELETE")
    link = page.made["qr_url"]
    addresses = [ended.made["qr_url"], altered(link)]
    addresses += [f"{world.url}/link/{page.id}", f"{world.url}/link/{page.id}.{page.made['secret']}"]
    addresses += [link.replace("/link/", "/authorize/")]
    async with browsing(world, await world.person() if inside else None) as browser:
        for address in addresses:
            shown = await browser.open(address)
            assert (shown.status, "sign-in-unusable" in shown.text) == (400, True), address
    assert (await page.poll())["status"] == "pending"


async def test_a_snapshots_person_is_never_stored(make: Make) -> None:
    world = await linking(make)
    page, person = await world.login(), await world.person(following=False)
    world.authorization.show_snapshots(person, on=True)
    async with asked(page, person) as browser:
        assert "使用完整服务" in said(browser.page)
        assert f'data-again="{page.made["qr_url"]}"' in browser.page.text
        kept = [await world.redis.get(key) for key in await world.redis.keys("scanbind:w:*")]
        assert [value for value in kept if "openid" in value] == []
        world.authorization.show_snapshots(person, on=False)
        await browser.open(page.made["qr_url"])
        assert buttons(browser.page) == ["yes", "no"]
    count = sa.select(sa.func.count()).select_from(followers)
    assert await world.app[AUDIT].database.read(lambda it: it.scalar(count)) == 0


async def test_a_failure_of_wechat_offers_another_try_and_does_not_redirect_for_ever(make: Make) -> None:
    """Red when `Links.show` returns None for a failure: WeChat leads back to it at once."""
    world = await linking(make)
    page, person = await world.login(), await world.person()
    world.authorization.fault = SnsFault.AWAY
    async with asked(page, person) as browser:
        assert (browser.page.status, browser.page.text.count(f'href="{page.made["qr_url"]}"')) == (502, 1)
        world.authorization.fault = None
        await browser.open(page.made["qr_url"])
        assert buttons(browser.page) == ["yes", "no"]


async def test_each_account_asks_for_its_own_tickets(make: Make) -> None:
    """Red when `SceneVerifier.claim_of` takes the client's first account."""
    both = {name: replace(one, oauth="base") for name, one in (("main", ACCOUNT), ("second", SECOND))}
    shop = client("shop", accounts=["main", "second"], methods=["link"])
    world: World = await make(official=both, clients={"shop": shop})
    person = await world.person()
    for name, one in both.items():
        for page in (await world.login(account=name), await world.bind(name, account=name)):
            async with asked(page, person) as browser:
                assert f"appid={one.appid}" in browser.page.way[1]
                await browser.submit(answer=(await page.poll())["match"] or "yes")
            assert (await page.poll())["status"] == "confirmed"


async def test_an_account_that_the_client_lost_meanwhile_confirms_nothing(make: Make) -> None:
    world = await linking(make)
    page, person = await world.login(), await world.person()
    async with asked(page, person) as browser:
        links = world.app[LINKS]
        lost = links.verifier.clients["shop"].model_copy(update={"accounts": ()})
        links.verifier.clients = {"shop": lost}
        assert "no longer valid" in said(await browser.submit(answer="yes"))
        assert "no longer valid" in said(await browser.reload())
        assert (await browser.open(page.made["qr_url"])).status == 400
    assert (await page.poll())["status"] == "scanned"
