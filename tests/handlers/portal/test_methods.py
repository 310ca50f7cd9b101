"""The portal of a client with several methods: its own page may go to WeChat, a site's page may not.

Red when a page of a site is offered a redirect, when a browser without the session's cookie goes to WeChat for it,
or when a bind of the portal waits for an exchange.
"""

from collections.abc import Callable
from typing import Any

import pytest
from harness import Page, World, problem
from portal_client import Visit, visit
from redirecting import REDIRECTS, WEBSITE_LOGIN, Kind, redirecting
from wechat_browser import Browser, browsing

Make = Callable[..., Any]
KINDS = pytest.mark.parametrize("kind", REDIRECTS, ids=lambda kind: kind.method)


async def hosted(here: Visit, **fields: Any) -> Page:
    """Ask for a ticket as the portal's own page."""
    response = await here.call(
        "POST", "/tickets", json=fields, headers=here.own | {"Content-Type": "application/json"}
    )
    assert response.status == 201, await response.text()
    return Page(here.world, await response.json(), response.status)


def let_in(browser: Browser, here: Visit) -> None:
    """Give a browser the session's cookie."""
    name, _, value = here.cookie["Cookie"].partition("=")
    browser.http.cookie_jar.update_cookies({name: value})


async def test_a_page_of_the_site_is_offered_no_redirect(make: Make) -> None:
    world, _ = await redirecting(make, WEBSITE_LOGIN)
    here = await visit(world)
    first, again = await here.bind(), await here.bind(method="scan")
    assert (first.made["method"], first.made["methods"]) == ("scan", ["scan"])
    assert again.id == first.id
    for method in ("website", "h5"):
        await problem(await here.call("POST", "/tickets", json={"method": method}), 400, "invalid-request")


async def test_a_client_with_redirects_alone_has_nothing_for_a_page_of_the_site(make: Make) -> None:
    world, _ = await redirecting(make, WEBSITE_LOGIN, methods=["website"])
    here = await visit(world)
    told = await problem(await here.call("POST", "/tickets", json={}), 400, "invalid-request")
    assert told["detail"].startswith("method: ")


async def test_a_client_with_apps_alone_has_a_row_on_the_portals_own_page(make: Make) -> None:
    world, _ = await redirecting(make, WEBSITE_LOGIN, accounts=[], methods=["website"])
    here = await visit(world)
    assert (await here.view())["accounts"] == []
    assert (await (await here.call(headers=here.own)).json())["accounts"] == ["site"]


@KINDS
async def test_the_portals_own_page_binds_in_one_step(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    here = await visit(world)
    assert (await hosted(here)).made["methods"] == ["scan", kind.method]
    page = await hosted(here, method=kind.method)
    async with browsing(world, kind.phone(person)) as browser:
        let_in(browser, here)
        back = await kind.sign_in(browser, page, person)
    assert (back.url.path, dict(back.url.query)) == (f"/portal/{here.id}", {"ended": "bound"})
    (binding,) = await world.bindings("42")
    assert (binding["method"], (await page.poll())["outcome"]) == (kind.method, "bound")


@KINDS
async def test_another_browser_cannot_go_to_wechat_for_it(make: Make, kind: Kind) -> None:
    world, person = await redirecting(make, kind)
    here, other = await visit(world), await visit(world, "43")
    page = await hosted(here, method=kind.method)
    async with browsing(world, kind.phone(person)) as browser:
        assert (await browser.open(page.made["authorize_url"])).status == 400
        let_in(browser, other)
        assert (await browser.open(page.made["authorize_url"])).status == 400
        let_in(browser, here)
        assert (await kind.sign_in(browser, page, person)).answer == {"ended": "bound"}


async def test_a_conflict_is_shown(make: Make) -> None:
    world, person = await redirecting(make, WEBSITE_LOGIN)
    ends = []
    for user in ("42", "43"):
        here = await visit(world, user)
        page = await hosted(here, method="website")
        async with browsing(world) as browser:
            let_in(browser, here)
            ends.append((await WEBSITE_LOGIN.sign_in(browser, page, person)).answer)
    assert ends == [{"ended": "bound"}, {"ended": "wechat_taken"}]


async def test_a_session_that_the_site_made_up_needs_the_exchange(make: Make) -> None:
    """Red when the session's name alone makes a bind one of the portal."""
    world, person = await redirecting(make, WEBSITE_LOGIN)
    back = "https://shop.example/login/done?from=wechat"
    page = await world.bind("42", method="website", return_url=back, state="s", session="portal:made-up")
    async with browsing(world) as browser:
        assert "code" in (await WEBSITE_LOGIN.sign_in(browser, page, person)).answer
    assert await world.bindings("42") == []


async def test_a_world_of_the_scan_alone_is_as_before(world: World) -> None:
    here = await visit(world)
    assert (await hosted(here)).made["methods"] == ["scan"]
