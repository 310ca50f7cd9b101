"""A panel: a frame in the site's page goes to WeChat, and its landing page hands over what came back.

Red when any page but the client's gets it, when it is handed over without the cookie, when the frame may navigate
the window or is kept from WeChat, and when the redirect cannot be used beside it.
Covers: handlers.methods.cookie.
"""

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from harness import ORIGIN, Page, World
from redirecting import BACK, PAGES, WECOM, Kind, redirecting
from wechat_browser import Visit, browsing

Make = Callable[..., Any]
pytestmark = pytest.mark.parametrize("kind", PAGES, ids=lambda kind: kind.method)


async def panel(make: Make, kind: Kind, **changes: Any) -> tuple[World, Any, Page]:
    world, person = await redirecting(make, kind, **changes)
    return world, person, await world.login(method=kind.method, return_url=BACK, state="s")


def handed(visit: Visit) -> tuple[dict[str, str], list[str]]:
    """Return the message that a landing page sends, and the origins that may get it."""
    data = dict(re.findall(r'data-(\w+)="([^"]*)"', visit.text))
    return tuple(json.loads(html.unescape(data[name])) for name in ("message", "origins"))  # type: ignore[return-value]


async def test_the_landing_page_hands_over_code_and_state(make: Make, kind: Kind) -> None:
    world, person, page = await panel(make, kind)
    async with browsing(world) as frame:
        await frame.open(page.made["panel"]["src"])
        landed = await frame.allow(person)
        message, origins = handed(landed)
        assert (message["scanbind"], message["state"], origins) == ("authorized", "s", [ORIGIN])
        assert handed(await frame.open(str(landed.url))) == (message, origins)
    assert landed.status == 200
    assert f"frame-ancestors {ORIGIN}" in landed.headers["Content-Security-Policy"]
    assert (await (await world.exchange(message["code"])).json())["outcome"] == "register"


async def test_a_failure_is_handed_over_as_well(make: Make, kind: Kind) -> None:
    world, _, page = await panel(make, kind)
    async with browsing(world) as frame:
        visit = await frame.open(page.made["panel"]["src"])
        state = re.findall(r"state=(\w+)", visit.way[1])[0]
        landed = await frame.open(f"/oauth/site?code=made-up&state={state}")
    assert handed(landed)[0] == {"scanbind": "refused", "error": "invalid_request", "state": "s"}


async def test_without_the_cookie_nothing_is_handed_over_and_nothing_used_up(make: Make, kind: Kind) -> None:
    world, person, page = await panel(make, kind)
    async with browsing(world) as frame, browsing(world) as window:
        await frame.open(page.made["panel"]["src"])
        frame.http.cookie_jar.clear()
        landed = await frame.allow(person)
        assert (landed.status, handed(landed)) == (400, ({"scanbind": "cookies"}, [ORIGIN]))
        assert (await page.poll())["status"] == "pending"
        await window.open(page.made["authorize_url"])
        assert "code" in (await window.allow(person)).answer


async def test_the_frame_shows_wechats_page_within_the_frame(make: Make, kind: Kind) -> None:
    _, _, page = await panel(make, kind)
    async with browsing(page.world) as frame:
        visit = await frame.open(page.made["panel"]["src"])
    assert ("redirect_type=self" if kind is WECOM else "self_redirect=true") in visit.way[1]
    assert page.made["panel"]["sandbox"].split() == ["allow-scripts", "allow-same-origin"]
    assert "local-network-access" in page.made["panel"]["allow"]


async def test_over_https_the_cookie_is_partitioned(make: Make, kind: Kind) -> None:
    world, _, page = await panel(make, kind)
    world.settings.server.__dict__["public_url"] = "https://login.example"
    for url, expected in ((page.made["panel"]["src"], True), (page.made["authorize_url"], False)):
        response = await world.call("GET", url.removeprefix(world.url), allow_redirects=False)
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-scanbind_")
        assert "Secure" in cookie
        assert ("SameSite=None" in cookie, "Partitioned" in cookie) == (expected, expected)


async def test_only_a_navigation_opens_it(make: Make, kind: Kind) -> None:
    world, _, page = await panel(make, kind)
    for address, right in ((page.made["panel"]["src"], "iframe"), (page.made["authorize_url"], "document")):
        path = address.removeprefix(world.url)
        for headers in (
            {"Sec-Fetch-Dest": "image"},
            {"Sec-Fetch-Dest": "document" if right == "iframe" else "iframe"},
            {"Sec-Fetch-Dest": right, "Sec-Purpose": "prefetch"},
        ):
            assert (await world.call("GET", path, headers=headers, allow_redirects=False)).status == 403
        assert (await world.call("HEAD", path, headers={"Sec-Fetch-Dest": right})).status == 405
        opened = await world.call("GET", path, headers={"Sec-Fetch-Dest": right}, allow_redirects=False)
        assert opened.status == 302
