"""An element that cannot work says why: friendly to the visitor, exactly to the site's developer.

Red when `_explain` is not called, or when a refusal is not readable by the page that it concerns.
"""

from typing import Final

from aiohttp import web
from harness import World
from pages import POLICY, Site
from playwright.async_api import BrowserContext, expect
from proxy import Proxy
from widget import LOGIN, Begin, Console, Widget, in_time, opened, timed
from widget_waiting import BIND, LOST

BLOCKED: Final = ("Access to fetch", LOST)
FAULTY: Final = {
    '<scanbind-qr state="s"></scanbind-qr>': "missing: client-id or ticket-url or ticket and secret",
    '<scanbind-qr purpose="bind" client-id="shop"></scanbind-qr>': "missing: ticket-url or ticket and secret",
    '<scanbind-qr purpose="bind" ticket="t"></scanbind-qr>': "missing: ticket-url or ticket and secret",
    '<scanbind-qr client-id="shopp" state="s"></scanbind-qr>': "{url}/v1/tickets answered 403. client_id: ",
    '<scanbind-qr client-id="" state="s"></scanbind-qr>': "{url}/v1/tickets answered 403. client_id: ",
    '<scanbind-qr client-id="shop" state="s" account="other"></scanbind-qr>': "{url}/v1/tickets answered 400. acc",
    BIND.format(ticket="unknown", secret="x"): "{url}/v1/tickets/unknown/code answered 404. ",
    '<scanbind-qr purpose="bind" ticket-url="/odd"></scanbind-qr>': "the answer is no ticket",
    '<scanbind-qr purpose="bind" ticket-url="/ticket/"></scanbind-qr>': "{origin}/ticket/ answered 405. ",
}  # fmt: skip
"""Elements that can never show a code, and the beginning of what is said of them."""


async def says(widget: Widget, console: Console, reason: str) -> None:
    await widget.becomes("failed")
    await expect(widget.status).to_have_text("Something went wrong")
    [line] = console.reasons
    assert line.startswith(reason), line
    await expect(widget.host).to_have_attribute("data-error", line)


async def test_a_faulty_element_names_its_fault(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(*BLOCKED)
    for body, reason in FAULTY.items():
        console.reasons.clear()
        widget = await opened(context, site.put(body))
        await says(widget, console, reason.format(url=town.url, origin=site.origin))
        await widget.page.close()


async def test_what_is_only_missing_for_the_login_is_named_beside_the_code(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    for body, names in (
        ('<scanbind-qr client-id="shop"></scanbind-qr>', "state"),
        ('<form method="post"><scanbind-qr client-id="shop" state=""></scanbind-qr></form>', "state,name"),
        (f"<form>{LOGIN}</form>", "name"),
    ):
        console.reasons.clear()
        widget = await opened(context, site.put(body))
        await widget.shows_a_code()
        assert console.reasons == [f"missing: {names}"]
        await expect(widget.host).to_have_attribute("data-error", f"missing: {names}")
        await widget.page.close()


async def test_a_page_at_an_origin_that_no_client_lists_is_named(
    world: World, site: Site, context: BrowserContext, console: Console
) -> None:
    """The browser withholds the refusal; that the script can be read tells it from an outage."""
    console.expect(*BLOCKED)
    site.service = world.url
    widget = await opened(context, site.put(LOGIN))
    await says(widget, console, f"{world.url}/ does not list {site.origin} in clients.shop.origins")


async def test_a_script_that_is_not_scanbinds_own_is_named(
    begin: Begin, site: Site, context: BrowserContext, console: Console, between: Proxy
) -> None:
    """A copy at another address asks that address, which knows no tickets."""
    console.expect(*BLOCKED)

    async def copy(request: web.Request, proxy: Proxy) -> web.StreamResponse | None:
        if request.path.startswith("/v1/"):
            headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type"}
            if request.method == "OPTIONS":
                return web.Response(headers=headers)
            return web.Response(text="<!doctype html>", content_type="text/html", headers=headers)
        return None

    between.rule = copy
    widget = await opened(context, site.put(LOGIN))
    await says(widget, console, f"{between.url}/v1/tickets answered no JSON")


async def test_an_outage_is_not_taken_for_a_refusal(
    between: Proxy, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(*BLOCKED)
    widget = await timed(context, site.put(LOGIN.replace("<scanbind-qr", "<scanbind-qr hidden")))

    async def away(request: web.Request, _: Proxy) -> web.Response:
        return web.Response(status=502)

    between.rule = away
    await widget.host.evaluate("one => { one.hidden = false }")
    await in_time(widget.page, lambda: widget.has("offline"), step=1)
    await expect(widget.host).to_have_attribute(
        "data-error", f"{between.url}/ cannot be reached, or connect-src forbids it"
    )
    between.rule = None
    await in_time(widget.page, lambda: widget.has("waiting"), step=2)
    assert await widget.host.get_attribute("data-error") is None


async def test_a_source_that_fails_without_an_answer_is_asked_again(
    town: World, site: Site, context: BrowserContext
) -> None:
    page = await context.new_page()
    await page.clock.install()
    await page.goto(site.put('<scanbind-qr purpose="bind"></scanbind-qr>', head=""))
    await page.evaluate(
        """(host) => {
          let times = 0;
          document.querySelector("scanbind-qr").source = async ({ purpose }) => {
            if (!times++) throw Object.assign(new Error("no network"), { status: 0 });
            return (await fetch("/ticket", { method: "POST", body: JSON.stringify({ purpose }) })).json();
          };
          return import(`${host}/widget.js`).then(() => null);
        }""",
        town.url,
    )
    widget = Widget(page)
    await in_time(page, lambda: widget.has("waiting"), step=1)
    assert await widget.statuses() == ["loading", "offline", "waiting"]


async def test_a_sandboxed_frame_is_told_the_origin_that_it_has(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect(*BLOCKED)
    site.put(LOGIN, path="/frame")
    frame = '<iframe sandbox="allow-scripts" src="/frame" width="400" height="600"></iframe>'
    policy = POLICY + "; frame-src 'self'"
    page = await site.open(context, frame, policy=policy)
    host = page.frame_locator("iframe").locator("scanbind-qr")
    await expect(host).to_have_attribute("data-status", "failed")
    await expect(host).to_have_attribute("data-error", f"{town.url}/ does not list null in clients.shop.origins")
