"""Sign in inside WeChat: the openid first, more after a tap, and never the virtual person of a snapshot.

Red when userinfo is asked for without need or without a tap, when a snapshot's person is stored, and when a person
who used another way before is not recognised.
"""

from collections.abc import Callable
from typing import Any

import pytest
from harness import World
from redirecting import BACK, H5, WEBSITE_LOGIN, redirecting
from wechat_browser import Browser, Visit, browsing

from sandbox.people import Person

Make = Callable[..., Any]


async def userinfo(make: Make, **changes: Any) -> tuple[World, Person]:
    """Return a world whose account may ask for userinfo and shares unionids with the website."""
    world, _ = await redirecting(make, H5, oauth="userinfo", open_platform="acme", **changes)
    return world, await world.person(unionid="union-anna", following=False)


async def tapped(browser: Browser) -> Visit:
    """Tap what leads to WeChat's question."""
    assert browser.at
    return await browser.open(str(browser.at.url).replace("/more", "/userinfo"))


async def opened(browser: Browser, **fields: Any) -> Any:
    page = await browser.world.login(**{"method": "h5", "return_url": BACK, "state": "s", **fields})
    return await browser.open(page.made["authorize_url"])


async def test_more_is_asked_for_on_a_tap_and_only_of_strangers(make: Make) -> None:
    world, person = await userinfo(make)
    async with browsing(world, person) as browser:
        shown = await opened(browser)
        assert (shown.status, shown.consent) == (200, None)
        assert "code" not in shown.url.query
        assert 'href="userinfo"' in shown.text
        assert "Example shop" in shown.text
        assert (await tapped(browser)).consent
        told = (await browser.allow(person)).answer
        redeemed = await (await world.exchange(told["code"])).json()
        assert redeemed["unionid"] == "union-anna"
        assert "code" in (await opened(browser)).answer


async def test_a_person_without_shared_unionids_is_not_asked(make: Make) -> None:
    world, person = await redirecting(make, H5, oauth="userinfo")
    async with browsing(world, person) as browser:
        assert "code" in (await opened(browser)).answer


async def test_a_client_that_asks_for_profiles_asks_everybody(make: Make) -> None:
    world, person = await redirecting(make, H5, oauth="userinfo", profile=True)
    for _ in range(2):
        async with browsing(world, person) as browser:
            assert 'href="userinfo"' in (await opened(browser)).text


async def test_a_refusal_is_told_to_the_site(make: Make) -> None:
    world, person = await userinfo(make)
    async with browsing(world, person) as browser:
        page = await world.login(method="h5", return_url=BACK, state="s")
        await browser.open(page.made["authorize_url"])
        await tapped(browser)
        told = (await browser.refuse(person)).answer
    assert (told["error"], told["state"]) == ("access_denied", "s")
    assert ((await page.poll())["status"], (await page.poll())["reason"]) == ("rejected", "declined")


async def test_a_snapshot_says_what_to_tap_and_uses_nothing_up(make: Make) -> None:
    world, person = await redirecting(make, H5)
    page = await world.login(method="h5", return_url=BACK, state="s")
    world.authorization.show_snapshots(person, on=True)
    async with browsing(world, person) as snapshot:
        shown = await snapshot.open(page.made["authorize_url"])
        assert shown.status == 200
        assert "使用完整服务" in shown.text
        assert f'data-again="{page.made["authorize_url"]}"' in shown.text
    assert (await page.poll())["status"] == "pending"
    world.authorization.show_snapshots(person, on=False)
    async with browsing(world, person) as browser:
        assert "code" in (await browser.open(page.made["authorize_url"])).answer


@pytest.mark.parametrize("first", ["h5", "website"])
async def test_two_methods_find_one_person_in_both_orders(make: Make, first: str) -> None:
    world, person = await userinfo(make, methods=["h5", "website"])
    users = []
    for kind in (H5, WEBSITE_LOGIN) if first == "h5" else (WEBSITE_LOGIN, H5):
        page = await world.login(method=kind.method, return_url=BACK, state="s")
        async with browsing(world, kind.phone(person)) as browser:
            shown = await kind.sign_in(browser, page, person)
            if shown.status == 200:
                await tapped(browser)
                shown = await browser.allow(person)
        redeemed = await (await world.exchange(shown.answer["code"])).json()
        if redeemed["outcome"] == "register":
            body = {"user_id": "anna", "registration": redeemed["registration"]}
            assert (await world.site("POST", "/v1/bindings", body)).status == 201
        else:
            users.append(redeemed["user_id"])
    assert users == ["anna"]
    assert {one["method"] for one in await world.bindings("anna")} == {"h5", "website"}
