"""What happens to a visit when requests overlap, a process ends in the middle, or the configuration changes.

Red when WeChat's code is exchanged twice, when a visit without an outcome waits for ever, or when an account is
used that the client does not have any more.
Covers: service.methods.addresses, service.methods.build.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from harness import Page, World
from redirecting import BACK, WEBSITE_LOGIN, redirecting
from wechat_browser import Visit, browsing

from sandbox.faults import SnsFault
from sandbox.people import Person
from service.app_keys import VISITS
from service.methods import visits
from service.methods.visits import PREFIX

Make = Callable[..., Any]


async def begun(make: Make) -> tuple[World, Person, Page]:
    world, person = await redirecting(make, WEBSITE_LOGIN)
    return world, person, await world.login(method="website", return_url=BACK, state="s")


def state_of(visit: Visit) -> str:
    return re.findall(r"state=(\w+)", visit.way[1])[0]


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
    monkeypatch.setattr(visits, "_PATIENCE", 0.2)
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


async def test_a_state_is_of_one_application(make: Make) -> None:
    world, _, page = await begun(make)
    async with browsing(world) as browser:
        state = state_of(await browser.open(page.made["authorize_url"]))
        assert (await browser.open(f"/oauth/main?code=c&state={state}")).status == 400
        assert (await browser.open(f"/oauth/site?code=c&state={state}")).answer["error"]


async def test_an_application_that_the_client_lost_identifies_nobody(make: Make) -> None:
    world, person, page = await begun(make)
    verifier = world.app[VISITS].verifier
    verifier.clients = {**verifier.clients, "shop": verifier.clients["shop"].model_copy(update={"apps": ()})}
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        assert (await browser.allow(person)).status == 400
    assert (await page.poll())["status"] == "pending"


async def test_an_application_that_is_configured_no_more_is_not_opened(make: Make) -> None:
    world, _, page = await begun(make)
    world.app[VISITS].targets = {}
    async with browsing(world) as browser:
        assert (await browser.open(page.made["authorize_url"])).status == 400


async def test_what_is_not_expected_is_a_server_error(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    world, person, page = await begun(make)
    own = world.app[VISITS]
    own.web = {}
    async with browsing(world) as browser:
        await browser.open(page.made["authorize_url"])
        assert (await browser.allow(person)).answer["error"] == "server_error"
    assert "unexpected error" in caplog.text
