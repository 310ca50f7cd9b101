"""In a form the element is a field: a confirmed login submits it with the code, without any script."""

import pytest
from harness import World
from pages import POLICY, Site
from playwright.async_api import BrowserContext
from widget import Widget, confirm, opened, until

FORM = """<form action="{action}" method="{method}"><input name="next" value="/cart">
<scanbind-qr client-id="shop" state="s" {name}></scanbind-qr></form>"""
MAY_SUBMIT = POLICY.replace("form-action 'none'", "form-action 'self'")


async def logs_in(
    town: World,
    site: Site,
    context: BrowserContext,
    *,
    method: str = "post",
    name: str = 'name="code"',
    script: str = "",
) -> Widget:
    """Log in by a form on a page of the site."""
    body = FORM.format(action="/login", method=method, name=name)
    site.put("", path="/login", head="")
    widget = await opened(context, site.put(body, policy=MAY_SUBMIT))
    await widget.shows_a_code()
    if script:
        await widget.page.evaluate(script)
    await confirm(town, await town.person(), widget)
    return widget


async def test_a_confirmed_login_submits_the_form_with_its_code(
    town: World, site: Site, context: BrowserContext
) -> None:
    widget = await logs_in(town, site, context)
    await until(lambda: site.forms)
    assert site.forms[0].keys() == {"next", "code"}
    assert site.forms[0]["next"] == "/cart"
    redeemed = await town.exchange(site.forms[0]["code"])
    assert (await redeemed.json())["outcome"] == "register"
    assert "code" not in widget.page.url


@pytest.mark.parametrize(
    "how",
    [
        {"method": "get"},  # an address is kept in histories and logs
        {"name": ""},
        {"script": "addEventListener('scanbind:confirmed', (event) => event.preventDefault())"},
    ],
    ids=["get", "nameless", "prevented"],
)
async def test_a_form_that_is_not_meant_stays(
    town: World, site: Site, context: BrowserContext, how: dict[str, str]
) -> None:
    widget = await logs_in(town, site, context, **how)
    await widget.becomes("confirmed")
    [confirmed] = await widget.told("confirmed")
    assert (await town.exchange(confirmed["code"])).status == 200
    assert site.forms == []
    assert widget.page.url == f"{site.origin}/"


async def test_a_bind_submits_nothing(town: World, site: Site, context: BrowserContext) -> None:
    body = '<form method="post"><scanbind-qr purpose="bind" ticket-url="/ticket" name="code"></scanbind-qr></form>'
    widget = await opened(context, site.put(body, policy=MAY_SUBMIT))
    await widget.shows_a_code()
    await confirm(town, await town.person(), widget)
    await widget.becomes("confirmed")
    assert site.forms == []
