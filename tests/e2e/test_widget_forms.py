"""In a form the element hands over the code of a confirmed login, or says that it did not.

Red when `_submit` calls `requestSubmit()`, which validates the fields, or when its result is ignored.
"""

from typing import Any, Final

import pytest
from harness import World
from pages import POLICY, Site
from playwright.async_api import BrowserContext, expect
from widget import Console, Widget, confirm, opened, until

ELEMENT: Final = '<scanbind-qr client-id="shop" state="s" name="code"></scanbind-qr>'
FORM: Final = '<form action="/login" method="{method}"><input name="next" value="/cart">{element}</form>'
MAY_SUBMIT: Final = POLICY.replace("form-action 'none'", "form-action 'self'")
PASSWORD: Final = (
    '<input name="username" required><input name="password" type="password" minlength="8" required>'
    '<label><input type="checkbox" name="agree" required> I agree</label>'
    '<input type="email" name="mail" value="no address">'
)
SUBMITTED: Final = {
    "plain": FORM.format(method="post", element=ELEMENT),
    "hidden panel": f'<form method="POST" action="/login"><div hidden>{PASSWORD}</div>{ELEMENT}</form>',
    "visible fields": f'<form method="Post" action="/login">{PASSWORD}{ELEMENT}</form>',
    "novalidate": f'<form method="post" action="/login" novalidate>{PASSWORD}{ELEMENT}</form>',
    "shadowed": f'<form method="post" action="/login"><input name="method" value="get"><input name="id">'
    f'<button name="submit">Go</button><button name="requestSubmit">Go</button>{ELEMENT}</form>',
    "shadowed methods": '<form method="post" action="/login">'
    + "".join(f'<input data-name="{name}">' for name in ("getAttribute", "append", "dispatchEvent", "isConnected"))
    + f"{ELEMENT}</form>",
    "form attribute": '<form id="login" method="post" action="/login"></form>'
    + ELEMENT.replace("name=", 'form="login" name='),
    "disabled fields": f'<form method="post" action="/login"><fieldset disabled>{ELEMENT}</fieldset></form>',
    "shadow root": f'<div><template shadowrootmode="open"><form method="post" action="/login">{ELEMENT}</form>'
    "</template></div>",
}
"""Forms that are submitted with the code, by what is special about them.

A field with `data-name` gets its name at the confirmation: Playwright too reads a form by `getAttribute`.
"""
UNSUBMITTED: Final = {
    "get": (FORM.format(method="get", element=ELEMENT), "", "its method is not post"),
    "dialog": (FORM.format(method="dialog", element=ELEMENT), "", "its method is not post"),
    "no method": (f'<form action="/login">{ELEMENT}</form>', "", "its method is not post"),
    "no form": (ELEMENT, "", "there is no form"),
    "unknown form": (ELEMENT.replace("name=", 'form="other" name='), "", "there is no form"),
    "cancelled": (
        SUBMITTED["plain"],
        "addEventListener('submit', (e) => e.preventDefault())",
        "a submit listener",
    ),
    "removed": (
        SUBMITTED["plain"],
        "addEventListener('scanbind:confirmed', (e) => document.forms[0].replaceWith(e.target))",
        "there is no form",
    ),
}
"""Pages on which no form can be submitted, with a script and the reason."""


async def logs_in(town: World, site: Site, context: BrowserContext, body: str, *, script: str = "") -> Widget:
    """Log in by a form on a page of the site."""
    site.put("", path="/login", head="")
    widget = await opened(context, site.put(body, policy=MAY_SUBMIT))
    await widget.shows_a_code()
    if script:
        await widget.page.evaluate(script)
    await confirm(town, await town.person(), widget)
    return widget


async def test_a_confirmed_login_submits_the_form_with_any_values_of_its_other_fields(
    town: World, site: Site, context: BrowserContext
) -> None:
    script = """
        addEventListener('submit', (e) => sessionStorage.setItem('seen', new FormData(e.target).get('code')));
        addEventListener('scanbind:confirmed', () => {
            for (const field of document.querySelectorAll('[data-name]')) field.name = field.dataset.name;
        });
    """
    for number, (special, body) in enumerate(SUBMITTED.items(), start=1):
        widget = await logs_in(town, site, context, body, script=script)
        await until(lambda number=number: len(site.forms) == number)
        sent = site.forms[-1]
        assert special != "plain" or sent.keys() == {"next", "code"}
        redeemed = await town.exchange(sent["code"])
        assert (await redeemed.json())["outcome"] == "register", special
        assert "code" not in widget.page.url
        await widget.page.wait_for_url("**/login")
        seen = await widget.page.evaluate("sessionStorage.seen")
        assert special == "shadow root" or seen == sent["code"], special  # submit events do not leave it
        await widget.page.close()


async def test_an_unsubmitted_code_is_reported_to_visitor_page_and_console(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    for special, (body, script, reason) in UNSUBMITTED.items():
        console.reasons.clear()
        record = "addEventListener('scanbind:undelivered', (e) => { globalThis.undelivered = e.detail });"
        widget = await logs_in(town, site, context, body, script=record + script)
        await widget.becomes("undelivered")
        await expect(widget.status).to_have_text("Confirmed on your phone")
        await expect(widget.button).to_be_visible()
        [confirmed] = await widget.told("confirmed")
        undelivered: dict[str, Any] = await widget.page.evaluate("undelivered")
        assert undelivered["reason"].startswith(reason), special
        assert undelivered == {"reason": undelivered["reason"]} | {
            key: confirmed[key] for key in ("code", "outcome", "ticket")
        }
        [line] = console.reasons
        assert line == f"the form was not submitted: {undelivered['reason']}"
        await expect(widget.host).to_have_attribute("data-error", line)
        assert (await town.exchange(confirmed["code"])).status == 200
        assert widget.page.url == f"{site.origin}/"
        await widget.page.close()
    assert site.forms == []


async def test_a_form_is_submitted_although_the_page_removes_the_element(
    town: World, site: Site, context: BrowserContext
) -> None:
    script = "addEventListener('scanbind:confirmed', (event) => event.target.remove())"
    await logs_in(town, site, context, SUBMITTED["plain"], script=script)
    await until(lambda: site.forms)
    assert (await town.exchange(site.forms[0]["code"])).status == 200


async def test_a_page_that_sends_a_cancelled_form_itself_shows_no_fault(
    town: World, site: Site, context: BrowserContext, console: Console
) -> None:
    """As single-page applications do: they go on within the grace, and the visitor sees "Confirmed" until then."""
    script = """addEventListener("submit", async (event) => {
      event.preventDefault();
      globalThis.seen = event.target.querySelector("scanbind-qr").dataset.status;
      await fetch("/login", { method: "POST", body: new FormData(event.target) });
      setTimeout(() => event.target.replaceWith("Hello"), 1000);
    })"""
    widget = await logs_in(town, site, context, SUBMITTED["plain"], script=script)
    await expect(widget.page.get_by_text("Hello")).to_be_visible()
    await widget.page.wait_for_timeout(3_500)
    assert await widget.page.evaluate("seen") == "confirmed"
    assert (await town.exchange(site.forms[0]["code"])).status == 200
    assert (await widget.statuses())[-1] == "confirmed"
    assert console.reasons == []


async def test_a_page_shown_again_by_back_gets_a_new_code(
    town: World, site: Site, context: BrowserContext
) -> None:
    """The back/forward cache keeps the page as it was left: confirmed, with a login code that was used."""
    widget = await logs_in(town, site, context, SUBMITTED["plain"])
    await widget.page.wait_for_url("**/login")
    await widget.page.evaluate("history.back()")
    await widget.shows_a_code()
    assert await widget.page.locator("input[name=code]").count() == 0
    assert "confirmed" in await widget.statuses()  # the same document as before


async def test_a_page_that_stays_after_the_submit_is_reported(
    town: World, site: Site, context: BrowserContext
) -> None:
    site.keeps_page = True
    widget = await logs_in(town, site, context, SUBMITTED["plain"])
    await until(lambda: site.forms)
    await widget.becomes("undelivered", within=20)
    await widget.button.click()
    await widget.shows_a_code()
    assert await widget.page.locator("input[name=code]").count() == 0  # the code of before is not sent again


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("", ""),
        ('name="code"', "addEventListener('scanbind:confirmed', (event) => event.preventDefault())"),
    ],
    ids=["nameless", "prevented"],
)
async def test_a_form_that_is_not_meant_stays(
    town: World, site: Site, context: BrowserContext, *, name: str, script: str
) -> None:
    body = SUBMITTED["plain"].replace('name="code"', name)
    widget = await logs_in(town, site, context, body, script=script)
    await widget.becomes("confirmed")
    [confirmed] = await widget.told("confirmed")
    assert (await town.exchange(confirmed["code"])).status == 200
    assert site.forms == []
    assert widget.page.url == f"{site.origin}/"
    assert bool(name) == (await widget.host.get_attribute("data-error") is None)  # a name was perhaps forgotten


async def test_a_bind_submits_nothing(town: World, site: Site, context: BrowserContext) -> None:
    body = '<form method="post"><scanbind-qr purpose="bind" ticket-url="/ticket" name="code"></scanbind-qr></form>'
    widget = await opened(context, site.put(body, policy=MAY_SUBMIT))
    await widget.shows_a_code()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    assert site.forms == []
