"""The widget in each engine: from the first code to every way it ends.

Red when the widget in a form does not submit it.
"""

import pytest
from engines.driver import Visitor
from engines.page import DEADLINE, WIDGET, Page, code_in
from harness import World
from pages import POLICY, Site
from proxy import Proxy, Rule, cuts_off, followers_fail, no_streams
from two_services import links_of
from widget import LOGIN, Begin, Console, until

from sandbox.people import Person

BIND = '<scanbind-qr purpose="bind" ticket="{ticket}" secret="{secret}"></scanbind-qr>'
ASKED = '<scanbind-qr purpose="bind" ticket-url="/ticket"></scanbind-qr>'
FORM = '<form action="/login" method="post"><input name="next" value="/cart">{}</form>'
MAY_SUBMIT = POLICY.replace("form-action 'none'", "form-action 'self'")
LOST = ("Failed to load resource", "Access to fetch", "Cross-Origin Request Blocked")


async def scan(town: World, person: Person, page: Page, *, of: str = WIDGET) -> str:
    """Scan the code on the page, and return what the chat says."""
    scanned = await town.sandbox.scan(person, await code_in(await page.shows_a_code(of=of)))
    assert scanned.delivery
    return scanned.delivery.reply or ""


async def confirm(town: World, person: Person, page: Page, *, of: str = WIDGET) -> None:
    """Scan the code on the page and answer with the number that the page shows then."""
    await scan(town, person, page, of=of)
    await town.say(person, await page.number(of=of))
    await page.becomes("confirmed", of=of)


async def later(town: World, page: Page, seconds: int) -> None:
    """Let time pass for the service and for the browser, whose timers notice as after a sleep."""
    town.clock.advance(seconds)
    await page.run("(ms) => { const now = Date.now; Date.now = () => now() + ms; }", seconds * 1000)


# -- handing over --


async def test_a_visitor_logs_in_and_the_site_learns_who_it_is(town: World, site: Site, page: Page) -> None:
    anna = await town.person()
    bound = await town.bind("42")
    await town.scan(anna, bound)
    await town.say(anna, (await bound.poll())["match"])

    await page.tab.go(site.put(LOGIN))
    await page.shows_a_code()
    await page.record()
    await page.shows("qr-status", "Scan with WeChat")
    assert await page.text("timer") in {"5:00", *(f"4:{second}" for second in range(30, 60))}
    await page.hides("refresh-code")
    await scan(town, anna, page)
    await page.becomes("scanned")
    await page.hides("qr")
    await town.say(anna, await page.number())
    await page.becomes("confirmed")
    said = await page.confirmed()
    assert said["outcome"] == "login"
    told = await (await town.exchange(said["code"])).json()
    assert (told["user_id"], told["state"]) == ("42", "from-the-session")


async def test_a_form_takes_the_code_of_a_confirmed_login_along(town: World, site: Site, page: Page) -> None:
    widget = LOGIN.replace("client-id", 'name="code" client-id')
    await page.tab.go(site.put(FORM.format(widget), policy=MAY_SUBMIT))
    anna = await town.person()
    await scan(town, anna, page)
    await town.say(anna, await page.number())
    await page.is_at(f"{site.origin}/login")
    [form] = site.forms
    assert (form.keys(), form["next"]) == ({"next", "code"}, "/cart")
    assert (await (await town.exchange(form["code"])).json())["outcome"] == "register"


async def test_the_back_end_makes_the_ticket_of_a_bind(town: World, site: Site, page: Page) -> None:
    await page.tab.go(site.put("", path="/before", head=""))
    await page.run("() => { document.cookie = 'session=annas'; }")
    await page.tab.go(site.put(ASKED))
    await confirm(town, await town.person(), page)
    await page.shows("qr-status", "WeChat is connected")
    [asked] = site.asked
    assert (asked.body, asked.cookie) == ({"purpose": "bind"}, "session=annas")
    assert len(await town.bindings("42")) == 1


@pytest.mark.parametrize(("how", "status"), [("none", "confirmed"), ("tap", "scanned")])
async def test_without_a_number_none_is_shown(begin: Begin, site: Site, page: Page, how: str, status: str) -> None:
    world = await begin(confirm=how)
    await page.tab.go(site.put(LOGIN))
    await scan(world, await world.person(), page)
    await page.becomes(status)
    await page.hides("match")
    await page.hides("qr")


async def test_several_widgets_on_a_page_each_follow_their_own_code(town: World, site: Site, page: Page) -> None:
    both = [LOGIN.replace("client-id", f'id="{name}" client-id') for name in ("first", "second")]
    await page.tab.go(site.put("".join(both)))
    assert await page.shows_a_code(of="#first") != await page.shows_a_code(of="#second")
    await page.record()
    await confirm(town, await town.person(), page, of="#second")
    assert (await page.confirmed())["id"] == "second"
    await page.becomes("waiting", of="#first")
    await confirm(town, await town.person(), page, of="#first")


async def test_a_chinese_page_shows_chinese_texts(town: World, site: Site, page: Page) -> None:
    await page.tab.go(site.put(LOGIN, lang="zh-CN"))
    await page.shows_a_code()
    await page.shows("qr-status", "请用微信扫一扫")
    await scan(town, await town.person(), page)
    await page.shows("qr-status", "请在微信中回复这个数字")


# -- endings --


async def test_a_wrong_number_ends_the_code_and_a_press_brings_another(
    town: World, site: Site, page: Page
) -> None:
    anna = await town.person()
    await page.tab.go(site.put(LOGIN))
    first = await page.shows_a_code()
    await scan(town, anna, page)
    await town.say(anna, "10" if await page.number() != "10" else "11")
    await page.becomes("wrong_number")
    await page.hides("match")
    await page.press("refresh-code")
    await page.shows_a_code(other_than=first)
    await confirm(town, anna, page)


async def test_not_me_is_shown_as_declined(town: World, site: Site, page: Page) -> None:
    anna = await town.person()
    await page.tab.go(site.put(LOGIN))
    await page.shows_a_code()
    reply = await scan(town, anna, page)
    assert reply
    await town.say(anna, links_of(reply)[-1])
    await page.shows("qr-status", "Declined on the phone")
    await page.hides("qr")


async def test_a_code_that_ends_is_announced_and_renewed(town: World, site: Site, page: Page) -> None:
    await page.tab.go(site.put(LOGIN))
    first = await page.shows_a_code()
    await later(town, page, 285)
    await page.becomes("expiring")
    await page.shows("qr")
    await later(town, page, 20)
    await page.shows_a_code(other_than=first)


async def test_a_replaced_code_is_shown_as_replaced(town: World, site: Site, page: Page) -> None:
    await page.tab.go(site.put(BIND.format_map((await town.bind("42")).made)))
    await page.shows_a_code()
    await town.bind("42", refresh=True)
    await page.becomes("cancelled")
    await page.shows("refresh-code")


# -- connections --


@pytest.mark.parametrize("rule", [None, no_streams, cuts_off], ids=["stream", "long poll", "poll"])
async def test_every_transport_shows_the_number(
    between: Proxy, town: World, site: Site, page: Page, *, console: Console, rule: Rule | None
) -> None:
    console.expect(*LOST)
    between.rule = rule
    await page.tab.go(site.put(LOGIN))
    await page.shows_a_code()
    await until(lambda: len(between.following()) > (4 if rule is cuts_off else 0), within=DEADLINE)
    await confirm(town, await town.person(), page)
    ways = {"stream" if one.path.endswith("/events") else one.held for one in between.following()}
    assert ways >= {None: {"stream"}, no_streams: {"stream", True}, cuts_off: {"stream", True, False}}[rule]


async def test_a_connection_that_was_down_is_used_again(
    between: Proxy, town: World, site: Site, page: Page, *, console: Console
) -> None:
    console.expect(*LOST)
    await page.tab.go(site.put(LOGIN))
    await page.shows_a_code()
    await until(lambda: between.holding, within=DEADLINE)
    between.rule = followers_fail
    between.cut()
    await page.becomes("offline")
    await page.shows("qr")
    between.rule = None
    await page.run("() => dispatchEvent(new Event('online'))")
    await page.becomes("waiting")
    await confirm(town, await town.person(), page)


async def test_a_page_left_and_come_back_to_has_a_code_that_works(town: World, site: Site, page: Page) -> None:
    elsewhere = site.put("<p>Elsewhere</p>", path="/elsewhere", head="")
    await page.tab.go(site.put(LOGIN))
    await page.shows_a_code()
    await page.tab.go(elsewhere)
    await page.is_at(elsewhere)
    await page.tab.back()
    await page.is_at(f"{site.origin}/")
    await confirm(town, await town.person(), page)


async def test_two_tabs_of_a_site_both_come_to_their_end(
    between: Proxy, town: World, site: Site, page: Page, *, visitor: Visitor
) -> None:
    address = site.put(LOGIN)
    await page.tab.go(address)
    await page.shows_a_code()
    second = Page(await visitor.tab())
    await second.tab.go(address)
    await second.shows_a_code()
    await confirm(town, await town.person(), second)
    await page.tab.front()
    await confirm(town, await town.person(), page)
    await until(lambda: not between.holding, within=DEADLINE)
