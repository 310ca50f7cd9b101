"""The states and events of the widget, from the first code to the end."""

import asyncio
import re
from typing import Any

import pytest
from harness import World
from pages import Site
from playwright.async_api import BrowserContext, Page, expect
from proxy import Proxy
from two_services import links_of
from widget import LOGIN, Begin, Console, Widget, confirm, opened, scan_newest, timed

BIND = '<scanbind-qr purpose="bind" ticket="{ticket}" secret="{secret}"></scanbind-qr>'
RENEWED = '<scanbind-qr purpose="bind" ticket-url="/ticket"></scanbind-qr>'


async def later(world: World, page: Page, seconds: float) -> None:
    """Let time pass for the service and for the browser, which notices as after a sleep."""
    world.clock.advance(seconds)
    await page.clock.fast_forward(round(seconds * 1000))


# -- logging in ---------------------------------------------------------------------------------------------------


async def test_a_visitor_logs_in_and_the_site_learns_who_it_is(
    town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    bound = await town.bind("42")
    await town.scan(anna, bound)
    await town.say(anna, (await bound.poll())["match"])

    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await expect(widget.status).to_have_text("Scan with WeChat")
    await expect(widget.timer).to_have_text(re.compile("^(5:00|4:5[0-9])$"))
    await expect(widget.button).to_be_hidden()
    await confirm(town, anna, widget)
    await widget.becomes("confirmed")

    assert await widget.statuses() == ["loading", "waiting", "scanned", "confirmed"]
    [said] = await widget.told("confirmed")
    assert (said["outcome"], said["ticket"]) == ("login", await widget.ticket())
    told = await (await town.exchange(said["code"])).json()
    assert (told["user_id"], told["state"], told["via"]) == ("42", "from-the-session", "page")


async def test_an_unbound_person_is_registered(town: World, site: Site, context: BrowserContext) -> None:
    ben = await town.person()
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await confirm(town, ben, widget)
    await widget.becomes("confirmed")
    [said] = await widget.told("confirmed")
    told = await (await town.exchange(said["code"])).json()
    assert (said["outcome"], told["outcome"]) == ("register", "register")
    registration = {"user_id": "7", "registration": told["registration"]}
    assert (await town.site("POST", "/v1/bindings", registration)).status == 201


@pytest.mark.parametrize(("how", "seen"), [("none", ["confirmed"]), ("tap", ["scanned"])])
async def test_without_a_number_none_is_shown(
    begin: Begin, site: Site, context: BrowserContext, how: str, seen: list[str]
) -> None:
    world = await begin(confirm=how)
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await scan_newest(world, await world.person())
    await widget.becomes(seen[-1])
    assert await widget.statuses() == ["loading", "waiting", *seen]
    await expect(widget.match).to_be_hidden()
    await expect(widget.qr).to_be_hidden()


# -- binding ------------------------------------------------------------------------------------------------------


async def test_a_ticket_of_the_back_end_is_shown_and_followed(
    town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    for words in ("WeChat is connected", "This WeChat is already connected"):
        made = (await town.bind("42", refresh=True)).made
        widget = await opened(context, site.put(BIND.format_map(made)))
        await widget.shows_a_code()
        await confirm(town, anna, widget)
        await widget.becomes("confirmed")
        await expect(widget.status).to_have_text(words)
        [said] = await widget.told("confirmed")
        assert said["code"] is None
    assert len(await town.bindings("42")) == 1


async def test_a_login_of_the_back_end_gives_the_page_its_code(
    town: World, site: Site, context: BrowserContext
) -> None:
    made = await (await town.site("POST", "/v1/tickets", {"purpose": "login", "state": "s"})).json()
    widget = await opened(context, site.put(BIND.replace('"bind"', '"login"').format_map(made)))
    await widget.shows_a_code()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    [said] = await widget.told("confirmed")
    told = await (await town.exchange(said["code"])).json()
    assert (told["outcome"], told["state"], told["via"]) == ("register", "s", "backend")


async def test_the_back_end_makes_a_ticket_when_the_page_wants_one(
    town: World, site: Site, context: BrowserContext
) -> None:
    await context.add_cookies([{"name": "session", "value": "annas", "url": site.origin}])
    widget = await opened(context, site.put(RENEWED))
    await widget.shows_a_code()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    [asked] = site.asked
    assert (asked.body, asked.cookie) == ({"purpose": "bind"}, "session=annas")
    [binding] = await town.bindings("42")
    assert binding["openid"]


async def test_a_script_of_the_page_may_bring_the_ticket(town: World, site: Site, context: BrowserContext) -> None:
    page = await site.open(context, '<scanbind-qr purpose="bind"></scanbind-qr>')
    widget = Widget(page)
    await page.evaluate(
        """() => {
          const one = document.querySelector("scanbind-qr");
          one.source = async ({ purpose }) =>
            (await fetch("/ticket", { method: "POST", body: JSON.stringify({ purpose }) })).json();
        }"""
    )
    await widget.shows_a_code()
    assert site.asked[0].body == {"purpose": "bind"}


@pytest.mark.parametrize("reason", ["wechat_taken", "user_taken"])
async def test_a_binding_that_stands_in_the_way_is_named(
    begin: Begin, site: Site, context: BrowserContext, reason: str
) -> None:
    world = await begin(confirm="none")
    anna = await world.bound("42")
    site.wanted = {"user_id": "7" if reason == "wechat_taken" else "42"}
    widget = await opened(context, site.put(RENEWED))
    await widget.shows_a_code()
    await scan_newest(world, anna if reason == "wechat_taken" else await world.person())
    await widget.becomes(reason)
    [*_, last] = await widget.told("status")
    assert (last["status"], last["reason"]) == (reason, reason)
    await expect(widget.button).to_be_visible()


# -- endings ------------------------------------------------------------------------------------------------------


async def test_a_wrong_number_ends_the_code_and_another_is_had_by_a_tap(
    town: World, site: Site, context: BrowserContext
) -> None:
    anna = await town.person()
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    first = await widget.ticket()
    await scan_newest(town, anna)
    await town.say(anna, "10" if await widget.number() != "10" else "11")
    await widget.becomes("wrong_number")
    await expect(widget.match).to_be_hidden()
    await widget.button.click()
    await widget.shows_a_code()
    assert await widget.ticket() != first
    await confirm(town, anna, widget)
    await widget.becomes("confirmed")


async def test_not_me_is_shown_as_declined(town: World, site: Site, context: BrowserContext) -> None:
    anna = await town.person()
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    reply = await scan_newest(town, anna)
    assert reply
    await town.say(anna, links_of(reply)[-1])
    await widget.becomes("declined")
    await expect(widget.status).to_have_text("Declined on the phone")
    await expect(widget.qr).to_be_hidden()


async def test_second_phone_is_told_so_and_changes_nothing(
    town: World, site: Site, context: BrowserContext
) -> None:
    anna, ben = await town.person(), await town.person()
    widget = await opened(context, site.put(LOGIN))
    await widget.shows_a_code()
    await scan_newest(town, anna)
    number = await widget.number()
    reply = await scan_newest(town, ben)
    assert reply
    assert not links_of(reply)
    await town.say(ben, number)
    assert await widget.number() == number
    await town.say(anna, number)
    await widget.becomes("confirmed")
    assert await widget.statuses() == ["loading", "waiting", "scanned", "confirmed"]


async def test_a_replaced_code_is_shown_as_replaced(town: World, site: Site, context: BrowserContext) -> None:
    made = await town.bind("42")
    widget = await opened(context, site.put(BIND.format_map(made.made)))
    await widget.shows_a_code()
    await town.bind("42", refresh=True)
    await widget.becomes("cancelled")
    await expect(widget.button).to_be_visible()


async def test_the_end_of_a_code_is_announced_once_and_then_it_is_renewed(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await timed(context, site.put(LOGIN))
    page = widget.page
    await widget.shows_a_code()
    first = await widget.ticket()
    await later(town, page, 285)
    await widget.becomes("expiring")
    await expect(widget.qr).to_be_visible()
    await expect(widget.host.get_by_text("about to expire")).to_be_visible()
    await later(town, page, 4)
    await expect(widget.timer).to_have_text(re.compile("^0:(0[0-9]|1[01])$"))
    assert (await widget.statuses()).count("expiring") == 1
    await later(town, page, 14)
    await widget.shows_a_code()
    assert await widget.ticket() != first
    assert await widget.statuses() == ["loading", "waiting", "expiring", "expired", "loading", "waiting"]


async def test_the_warning_comes_twenty_seconds_before_the_end(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await timed(context, site.put(LOGIN))
    page = widget.page
    await widget.shows_a_code()
    await later(town, page, 270)
    while not await widget.has("expiring"):
        await later(town, page, 1)
    assert int((await widget.timer.inner_text()).removeprefix("0:")) > 20


async def test_a_code_about_to_end_can_still_be_scanned(town: World, site: Site, context: BrowserContext) -> None:
    anna = await town.person()
    widget = await timed(context, site.put(LOGIN))
    page = widget.page
    await widget.shows_a_code()
    await later(town, page, 285)
    await widget.becomes("expiring")
    await confirm(town, anna, widget)
    await widget.becomes("confirmed")


async def test_ten_codes_follow_by_themselves_and_then_a_person_must_ask(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await timed(context, site.put(LOGIN))
    page = widget.page
    for codes in range(1, 12):
        await widget.has_had(codes)
        await widget.shows_a_code()
        await later(town, page, 301)
    await widget.becomes("expired")
    await expect(widget.button).to_be_visible()
    await widget.button.click()
    await widget.shows_a_code()


async def test_a_ticket_that_the_page_was_given_is_not_renewed_but_asked_for(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await timed(context, site.put(BIND.format_map((await town.bind("42")).made)))
    page = widget.page
    await widget.shows_a_code()
    await later(town, page, 601)
    await widget.becomes("expired")
    await page.evaluate("addEventListener('scanbind:renew', (event) => event.preventDefault(), { once: true })")
    await widget.button.click()
    assert len(await widget.told("renew")) == 1
    made = (await town.bind("42")).made
    await page.evaluate(
        """({ ticket, secret }) => {
          const one = document.querySelector("scanbind-qr");
          one.setAttribute("ticket", ticket);
          one.setAttribute("secret", secret);
        }""",
        made,
    )
    await widget.shows_a_code()
    assert await widget.ticket() == made["ticket"]


async def test_without_a_renew_handler_a_tap_reloads_the_page(
    town: World, site: Site, context: BrowserContext
) -> None:
    made = await town.bind("42")
    widget = await opened(context, site.put(BIND.format_map(made.made)))
    await widget.shows_a_code()
    site.put(BIND.format_map((await town.bind("42", refresh=True)).made))
    await widget.becomes("cancelled")
    await widget.button.click()
    await widget.shows_a_code()


# -- before there is a code ---------------------------------------------------------------------------------------


async def test_while_a_code_is_made_the_page_says_so(between: Proxy, site: Site, context: BrowserContext) -> None:
    ready = asyncio.Event()

    async def slow(request: Any, _: Proxy) -> None:
        if request.method == "POST":
            await ready.wait()

    between.rule = slow
    widget = await opened(context, site.put(LOGIN))
    await widget.becomes("loading")
    await expect(widget.status).to_have_text("Getting a code…")
    await expect(widget.button).to_be_hidden()
    ready.set()
    await widget.shows_a_code()


async def test_a_page_that_may_not_ask_says_that_it_failed(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect("Failed to load resource: the server responded with a status of 405")
    widget = await opened(context, site.put(RENEWED.replace("/ticket", "/nowhere")))
    await widget.becomes("failed")
    await expect(widget.button).to_be_visible()


async def test_a_ticket_that_the_service_does_not_know_has_failed(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect("Failed to load resource: the server responded with a status of 404")
    made = (await town.bind("42")).made
    widget = await opened(context, site.put(BIND.format_map({**made, "secret": "another"})))
    await widget.becomes("failed")
    await expect(widget.button).to_be_visible()


async def test_a_chinese_page_shows_chinese_texts(town: World, site: Site, context: BrowserContext) -> None:
    anna = await town.person()
    widget = await opened(context, site.put(LOGIN, lang="zh-CN"))
    await widget.shows_a_code()
    await expect(widget.status).to_have_text("请用微信扫一扫")
    reply = await scan_newest(town, anna)
    assert reply
    await expect(widget.status).to_have_text("请在微信中回复这个数字")
    await town.say(anna, links_of(reply)[-1])
    await expect(widget.status).to_have_text("已在手机上拒绝")
