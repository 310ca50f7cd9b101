"""What happens to a visit when requests overlap, a process ends in the middle, or the configuration changes.

Red when WeChat's code is exchanged twice, when a visit without an outcome waits for ever, or when an account is
used that the client does not have any more.
Covers: service.methods.addresses, service.methods.build, service.methods.destinations.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from harness import Page, World
from redirecting import BACK, WEBSITE_LOGIN, redirecting, state_of
from wechat_browser import browsing

from sandbox.faults import SnsFault
from sandbox.people import Person
from service.app_keys import VISITS
from service.methods import visits
from service.methods.visits import PREFIX

Make = Callable[..., Any]


async def begun(make: Make) -> tuple[World, Person, Page]:
    world, person = await redirecting(make, WEBSITE_LOGIN)
    return world, person, await world.login(method="website", return_url=BACK, state="s")


async def test_of_two_callbacks_at_once_one_exchanges_the_code(make: Make) -> None:
    world, person, page = await begun(make)
    world.authorization.fault, world.authorization.delay = SnsFault.SLOW, 0.3
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        consent = world.authorization.allow(
            person, browser.at.consent if browser.at and browser.at.consent else ""
        )
        assert consent.address
        both = await asyncio.gather(browser.open(consent.address), browser.open(consent.address))
    assert both[0].url == both[1].url
    assert "code" in both[0].answer


async def test_a_visit_whose_process_ended_is_told_to_try_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "_PATIENCE", timedelta(seconds=0.2))
    world, _, page = await begun(make)
    async with browsing(world) as browser:
        state = state_of(await browser.open(page.made["authorize_url"]))
        told = (await browser.open(f"/oauth/site?code=c&state={state}")).answer
        assert told["error"] == "invalid_request"
        without = await world.redis.get(PREFIX + state)
        assert without
        await world.redis.set(PREFIX + state, re.sub(r'"outcome":"\w+"', '"outcome":null', without))
        told = (await browser.open(f"/oauth/site?code=c&state={state}")).answer
        assert told["error"] == "temporarily_unavailable"
        monkeypatch.setattr(visits, "_PATIENCE", timedelta(minutes=9))
        world.clock.advance(9 * 60)
        async with asyncio.timeout(20):  # it is waited for once, and not by every reload
            assert (await browser.open(f"/oauth/site?code=c&state={state}")).answer == told


async def test_a_state_is_of_one_application(make: Make) -> None:
    world, _, page = await begun(make)
    async with browsing(world) as browser:
        state = state_of(await browser.open(page.made["authorize_url"]))
        assert (await browser.open(f"/oauth/main?code=c&state={state}")).status == 400
        assert (await browser.open(f"/oauth/site?code=c&state={state}")).answer["error"]


async def test_an_application_that_is_configured_no_more_is_not_opened(make: Make) -> None:
    world, _, page = await begun(make)
    world.app[VISITS].destinations = {}
    async with browsing(world) as browser:
        assert (await browser.open(page.made["authorize_url"])).status == 400


async def test_an_address_that_is_listed_no_more_gets_no_code(make: Make) -> None:
    """Red when Redis alone says where a code goes."""
    world, person, page = await begun(make)
    own = world.app[VISITS]
    own.clients = {"shop": own.clients["shop"].model_copy(update={"return_urls": ()})}
    async with browsing(world) as browser:
        assert (await WEBSITE_LOGIN.sign_in(browser, page, person)).status == 400


@pytest.mark.parametrize("lost", ["account", "client"])
async def test_an_application_or_client_that_was_taken_out_identifies_no_person(make: Make, lost: str) -> None:
    world, person, page = await begun(make)
    own = world.app[VISITS]
    async with browsing(world) as browser:
        await browser.open(page.made["panel"]["src"])
        shop = own.clients["shop"].model_copy(update={"apps": ()})
        own.clients = {"shop": shop} if lost == "account" else {}
        assert "sign-in-unusable" in (await browser.allow(person)).text
        browser.http.cookie_jar.clear()
        assert browser.at
        assert "sign-in-unusable" in (await browser.open(str(browser.at.url))).text
    assert (await page.poll())["status"] == "pending"


async def test_a_visit_without_a_return_lives_no_longer_than_its_ticket(
    make: Make,
) -> None:
    """Red when each opened address takes memory until ten minutes later."""
    world, person, page = await begun(make)
    async with browsing(world) as browser:
        key = PREFIX + state_of(await browser.open(page.made["authorize_url"]))
        assert await world.redis.ttl(key) <= page.made["expires_in"]
        await browser.allow(person)
        assert await world.redis.ttl(key) > page.made["expires_in"]


async def test_what_is_not_expected_is_a_server_error(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world, person, page = await begun(make)
    own = world.app[VISITS]
    own.destinations = {"site": replace(own.destinations["site"], web=None)}  # type: ignore[type-var]
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        assert (await browser.allow(person)).answer["error"] == "server_error"
    assert "unexpected error" in caplog.text
