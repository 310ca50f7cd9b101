"""Widget and portal in browsers that lack what is newer than Chromium 86, Safari 14 and Firefox 90.

Each feature is taken away before the page loads. Red when a script uses one without a fallback. The syntax is held
by `tests/test_web_syntax.py`.
"""

from typing import Final

from harness import World
from pages import POLICY, Site
from playwright.async_api import BrowserContext, Page, expect
from portal_page import bound, disconnect, enter
from proxy import Proxy
from widget import LOGIN, Console, Widget, confirm, until

LACKS: Final = {
    "constructable style sheets": """
      delete Document.prototype.adoptedStyleSheets; delete ShadowRoot.prototype.adoptedStyleSheets;
      globalThis.CSSStyleSheet = class { constructor() { throw new TypeError("Illegal constructor") } };""",
    "light-dark() and color-mix()": """
      const supports = CSS.supports;
      CSS.supports = (...what) => !/light-dark|color-mix/.test(what) && supports.apply(CSS, what);""",
    "ElementInternals": "delete HTMLElement.prototype.attachInternals; delete globalThis.ElementInternals;",
    "Object.hasOwn": "delete Object.hasOwn;",
    "reasons of aborted signals": """
      const { abort } = AbortController.prototype;
      AbortController.prototype.abort = function () { abort.call(this) };
      delete AbortSignal.prototype.reason; delete AbortSignal.prototype.throwIfAborted;""",
    "AbortSignal.timeout and any": "delete AbortSignal.timeout; delete AbortSignal.any; delete AbortSignal.abort;",
    "listeners that end by a signal": """
      const { addEventListener } = EventTarget.prototype;
      EventTarget.prototype.addEventListener = function (name, listener, options) {
        const { signal, ...known } = Object(options);
        return addEventListener.call(this, name, listener, typeof options === "object" ? known : options);
      };""",
    "streams that are piped": """
      delete ReadableStream.prototype.pipeThrough; delete ReadableStream.prototype.pipeTo;
      delete globalThis.TextDecoderStream; delete globalThis.TransformStream;
      delete ReadableStream.prototype[Symbol.asyncIterator]; delete ReadableStream.prototype.values;
      delete ReadableStream.from;""",
    "BroadcastChannel and locks": "delete globalThis.BroadcastChannel; delete Navigator.prototype.locks;",
    "requestSubmit": "delete HTMLFormElement.prototype.requestSubmit; delete globalThis.SubmitEvent;",
    "checkVisibility": "delete Element.prototype.checkVisibility;",
    "IntersectionObserver": "delete globalThis.IntersectionObserver; delete globalThis.ResizeObserver;",
    "reflected ARIA": """
      for (const name of Object.getOwnPropertyNames(Element.prototype).filter((one) => /^aria|^role$/.test(one)))
        delete Element.prototype[name];""",
    "dialog": """
      for (const name of ["show", "showModal", "close", "open"]) delete HTMLDialogElement.prototype[name];""",
    "newer methods": """
      for (const one of [Array, String, Object.getPrototypeOf(Int8Array)]) delete one.prototype.at;
      for (const name of ["findLast", "toSorted", "toReversed", "with"]) delete Array.prototype[name];
      delete globalThis.structuredClone; delete Crypto.prototype.randomUUID; delete Promise.withResolvers;
      delete Object.groupBy; delete HTMLElement.prototype.inert; delete Element.prototype.setHTMLUnsafe;""",
}  # fmt: skip
"""What a browser of the floor may lack, and how to take it away."""
STYLED: Final = POLICY.replace("form-action 'none'", "form-action 'self'") + "; style-src 'unsafe-inline'"
FORM: Final = '<form method="post" action="/login">' + LOGIN.replace(" state", ' name="code" state') + "</form>"


async def page_without(context: BrowserContext, *lacking: str) -> Page:
    page = await context.new_page()
    for one in lacking:
        await page.add_init_script(f"(() => {{ {LACKS[one]} }})()")
    return page


async def test_the_widget_works_without_each_newer_feature(
    between: Proxy, town: World, site: Site, context: BrowserContext
) -> None:
    """Past the first code: a reconnect is where a missing reason of an abort was fatal."""
    anna = await town.person()
    for one in LACKS:
        page = await page_without(context, one)
        await page.goto(site.put(LOGIN, policy=STYLED))
        widget = Widget(page)
        await widget.shows_a_code()
        await expect(widget.host.locator(".box")).to_have_css("background-color", "rgb(255, 255, 255)")
        await until(lambda: between.holding)
        await page.evaluate("dispatchEvent(new Event('online'))")
        await confirm(town, anna, widget)
        await widget.becomes("confirmed")
        await page.close()


async def test_a_login_works_without_all_of_them(town: World, site: Site, context: BrowserContext) -> None:
    site.put("", path="/login", head="")
    page = await page_without(context, *LACKS)
    await page.goto(site.put(f"<div hidden>{FORM}</div>", policy=STYLED))
    await page.wait_for_timeout(1_500)  # a look
    assert town.sandbox.codes() == []
    await page.evaluate("document.querySelector('div').hidden = false")
    widget = Widget(page)
    await widget.shows_a_code()
    await confirm(town, await town.person(), widget)
    await until(lambda: site.forms)
    assert (await town.exchange(site.forms[0]["code"])).status == 200


async def test_where_styles_are_not_allowed_the_widget_is_plain_but_usable(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    console.expect("Applying inline style", "Refused to apply inline style")
    page = await page_without(context, "constructable style sheets")
    await page.goto(site.put(LOGIN))
    widget = Widget(page)
    await widget.shows_a_code()
    await expect(widget.qr).to_have_css("width", "200px")
    await expect(widget.button).to_be_hidden()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")


async def test_what_is_inside_the_element_is_shown_until_its_script_runs(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    """So a browser below the floor, or one that does not get the script, shows words and a link."""
    console.expect("Failed to load resource", "Access to script")
    body = LOGIN.replace("></", '>Use a newer browser, or <a href="/password">log in with a password</a>.</')
    page = await site.open(context, body, head='<script type="module" src="{host}/no-such.js"></script>')
    await expect(page.get_by_role("link")).to_be_visible()
    await page.goto(site.put(body))
    await Widget(page).shows_a_code()
    await expect(page.get_by_role("link")).to_be_hidden()


async def test_the_portal_works_without_all_of_them(
    town: World, context: BrowserContext, console: Console
) -> None:
    """Its own policy allows no inline style, so it is plain; each step can be done."""
    console.expect("Applying inline style", "Refused to apply inline style")
    person = await bound(town)
    page = await page_without(context, *LACKS)
    await enter(town, page)
    await expect(page.get_by_test_id("portal-binding")).to_be_visible()
    await page.get_by_test_id("portal-disconnect").click()
    await expect(page.get_by_test_id("portal-confirm-no")).to_be_focused()
    await page.get_by_test_id("portal-confirm-no").click()
    await expect(page.get_by_test_id("portal-confirm")).to_have_count(0)
    await disconnect(page)
    await expect(page.get_by_test_id("portal-notice")).to_have_text("Done: your WeChat is disconnected.")
    assert await town.bindings("42") == []
    await expect(page.get_by_test_id("qr")).to_be_visible()
    await town.sandbox.scan(person, town.sandbox.codes()[0].url)
    await town.say(person, await page.get_by_test_id("match").inner_text())
    await expect(page.get_by_test_id("portal-notice")).to_have_text("Done: your WeChat is connected.")
