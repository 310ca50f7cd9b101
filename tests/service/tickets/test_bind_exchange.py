"""The exchange of a redirect bind: signed, once, in time, and for whom the ticket says.

Red when Redis alone says whom to bind, or when of many exchanges at once several succeed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from altering import altered
from harness import Page, World, problem
from redirecting import BACK, H5, WEBSITE_LOGIN, redirecting
from wechat_browser import browsing

from service.app_keys import CODE_EXCHANGE
from service.identities.follower_refresh import FollowerRefresh
from service.tickets.redirects import PREFIX

Make = Callable[..., Any]


async def returned(make: Make) -> tuple[World, Page, str]:
    """Return a bind whose browser came back, and the code that it brought."""
    world, person = await redirecting(make, WEBSITE_LOGIN)
    page = await world.bind("anna", method="website", return_url=BACK, state="s")
    async with browsing(world) as browser:
        return world, page, (await WEBSITE_LOGIN.sign_in(browser, page, person)).answer["code"]


async def test_of_many_exchanges_at_once_one_succeeds(make: Make) -> None:
    world, _, code = await returned(make)
    answers = await asyncio.gather(*(world.exchange(code) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 9


async def test_another_person_or_account_in_redis_binds_no_person(make: Make) -> None:
    world, page, code = await returned(make)
    held = await world.redis.get(PREFIX + page.id)
    assert held
    for told, forged in (('"openid":"', '"openid":"x'), ('"account":"site"', '"account":"main"')):
        await world.redis.set(PREFIX + page.id, held.replace(told, forged))
        await problem(await world.exchange(code), 400, "invalid-code")
    await world.redis.set(PREFIX + page.id, held)
    assert (await world.exchange(code)).status == 200


async def test_the_code_is_one_clients(make: Make) -> None:
    world, _, code = await returned(make)
    await problem(await world.exchange(altered(code)), 400, "invalid-code")
    assert (await world.exchange(code)).status == 200


async def test_a_client_that_lost_the_application_keeps_the_code(make: Make) -> None:
    world, _, code = await returned(make)
    exchange = world.app[CODE_EXCHANGE]
    kept = exchange.binds.clients
    exchange.binds.clients = {"shop": kept["shop"].model_copy(update={"apps": ()})}
    await problem(await world.exchange(code), 409, "account-not-configured")
    exchange.binds.clients = kept
    assert (await world.exchange(code)).status == 200


async def test_a_person_who_unfollowed_meanwhile_is_not_bound(make: Make) -> None:
    """Red when the exchange stores the person again, who was erased."""
    world, person = await redirecting(make, H5)
    page = await world.bind("anna", method="h5", return_url=BACK, state="s")
    async with browsing(world, person) as browser:
        code = (await H5.sign_in(browser, page, person)).answer["code"]
    await world.sandbox.unfollow(person)
    await problem(await world.exchange(code), 400, "invalid-code")
    assert await world.bindings("anna") == []


async def test_the_unionid_of_a_follower_counts_though_the_authorization_does_not_tell_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when a bind does not fetch what a login does: the person is bound to two users."""
    monkeypatch.setattr(FollowerRefresh, "refresh", lambda *_: None)  # it may come too late
    world, _ = await redirecting(make, H5, open_platform="acme", methods=["h5", "website"])
    person = await world.person(unionid="union-anna")
    answers = []
    for kind, user in ((WEBSITE_LOGIN, "ben"), (H5, "anna")):
        page = await world.bind(user, method=kind.method, return_url=BACK, state="s")
        async with browsing(world, kind.phone(person)) as browser:
            answers.append(await world.exchange((await kind.sign_in(browser, page, person)).answer["code"]))
    assert answers[0].status == 200
    assert (await problem(answers[1], 409, "binding-conflict"))["reason"] == "wechat_taken"
