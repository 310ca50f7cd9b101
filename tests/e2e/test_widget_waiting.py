"""How the widget waits: event stream, long poll, poll."""

import pytest
from harness import World
from pages import Site
from playwright.async_api import BrowserContext, Route
from proxy import Proxy, Rule, cuts_off, no_streams, nothing_held, silent
from widget import LOGIN, Console, Widget, confirm, in_time, passes, scan_newest, timed, until
from widget_waiting import BIND, LOST, asked_during, done, status_of

from models.ticket import TicketId


async def test_one_stream_is_all_that_waiting_takes(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await until(lambda: between.holding)
    assert await asked_during(between, widget.page, 20) == set()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    assert [one.path.endswith("/events") for one in between.following()] == [True]
    await until(lambda: not between.holding)


@pytest.mark.parametrize("rule", [silent, no_streams])
async def test_where_no_stream_comes_through_polls_are_held(
    between: Proxy, town: World, site: Site, context: BrowserContext, *, console: Console, rule: Rule
) -> None:
    console.expect(LOST, "Access to fetch")
    between.rule = rule
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()

    async def polls_are_held() -> bool:
        return any(one.held and not one.path.endswith("/events") for one in between.asked)

    await in_time(widget.page, polls_are_held, step=3)
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    assert "offline" not in await widget.statuses()


@pytest.mark.parametrize("rule", [nothing_held, cuts_off])
async def test_where_nothing_is_held_it_asks_now_and_then(
    between: Proxy, town: World, site: Site, context: BrowserContext, *, console: Console, rule: Rule
) -> None:
    console.expect(LOST, "Access to fetch")
    between.rule = rule
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()

    async def only_plain_polls() -> bool:
        return len(between.following()) > 4 and not any(one.held for one in between.following()[-3:])

    await in_time(widget.page, only_plain_polls, step=3)
    anna = await town.person()
    await scan_newest(town, anna)
    await in_time(widget.page, widget.match.is_visible, step=3)
    await town.say(anna, await widget.number())
    await in_time(widget.page, lambda: widget.has("confirmed"), step=3)
    assert "offline" not in await widget.statuses()


async def test_a_plain_poll_asks_no_leave_of_its_own(
    between: Proxy, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(LOST, "Access to fetch")
    between.rule = nothing_held
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    await in_time(widget.page, lambda: done(len([one for one in between.following() if not one.held]) > 8), step=2)
    asked = [one for one in between.asked if one.method == "OPTIONS" and not one.path.endswith("/events")]
    # Leave is asked for a code, for a plain poll once, and for each poll that wants to be held.
    assert len(asked) <= 2 + len([one for one in between.following() if one.held])


@pytest.mark.parametrize(("purpose", "after"), [("login", "cancelled"), ("bind", "scanned")])
async def test_a_login_ends_when_its_page_is_left(
    town: World, site: Site, context: BrowserContext, purpose: str, after: str
) -> None:
    body = LOGIN if purpose == "login" else BIND.format_map((await town.bind("42")).made)
    page = await context.new_page()
    async with page.expect_request("**/v1/tickets/*/events"):
        await page.goto(site.put(body))
    widget = Widget(page)
    await widget.shows_a_code()
    await scan_newest(town, await town.person())
    await widget.becomes("scanned")
    ticket = TicketId(await widget.ticket())
    site.put("<p>Elsewhere</p>", head="")
    await page.reload()
    await until(lambda: status_of(town, ticket) == after)


@pytest.mark.parametrize("tag", ["", '"{}-gzip"'])
async def test_an_etag_that_a_proxy_takes_away_or_changes_hides_no_state_and_makes_no_storm(
    town: World, site: Site, context: BrowserContext, *, console: Console, tag: str
) -> None:
    """Red when states are compared by their ETag, or when a poll that was not held is repeated at once."""
    console.expect(LOST)
    polls: list[str] = []

    async def pass_on(route: Route) -> None:
        polls.append(route.request.url)
        response = await route.fetch()
        headers = {**response.headers}
        if etag := headers.pop("etag", "").strip('"'):
            headers |= {"etag": tag.format(etag)} if tag else {}
        await route.fulfill(response=response, headers=headers)

    await context.route("**/v1/tickets/*", pass_on)
    await context.route("**/v1/tickets/*/events", lambda route: route.abort())
    anna = await town.person()
    widget = await timed(context, site.put(LOGIN))
    await widget.shows_a_code()
    for _ in range(20):
        await passes(widget.page, 1)
    assert 1 < len(polls) < 20
    await scan_newest(town, anna)
    await in_time(widget.page, widget.match.is_visible, step=3)
    await town.say(anna, await widget.number())
    await in_time(widget.page, lambda: widget.has("confirmed"), step=3)
