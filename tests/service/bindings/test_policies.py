"""Conflicts of bindings, and unsubscribing, as each is configured."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness import ACCOUNT, SECOND, Page, World, client
from questions import links

from service.identities.follower_refresh import FollowerRefresh

Make = Callable[..., Any]
Ask = tuple[World, Callable[[Page], Awaitable[dict[str, Any]]]]


async def test_a_taken_wechat_is_told_and_rejected(world: World) -> None:
    person = await world.bound("42")
    page = await world.bind("43")
    assert "another Example shop account" in (await world.scan(person, page) or "")
    assert (await page.poll())["reason"] == "wechat_taken"


async def test_a_user_with_another_wechat_is_told_and_rejected(world: World) -> None:
    await world.bound("42")
    page = await world.bind("42")
    assert "bound to another WeChat" in (await world.scan(await world.person(), page) or "")
    assert (await page.poll())["reason"] == "user_taken"


async def test_the_same_binding_again_is_already_bound(world: World) -> None:
    person = await world.bound("42")
    page = await world.bind("42")
    assert "already bound" in (await world.scan(person, page) or "")
    assert (await page.poll())["outcome"] == "already_bound"


async def test_policies_let_a_binding_replace_or_move(make: Make) -> None:
    world = await make(clients={"shop": client("shop", rebind="replace", takeover="move")})
    first = await world.bound("42")
    second = await world.bound("42")
    appid = world.sandbox.accounts[0].appid
    assert [one["openid"] for one in await world.bindings("42")] == [second.openid(appid)]
    page = await world.bind("43")
    await world.scan(second, page)
    assert (await page.poll())["outcome"] == "bound"
    assert await world.bindings("42") == []
    login = await world.login()
    await world.scan(first, login)
    assert (await login.poll())["outcome"] == "register"


async def test_unfollowing_erases_the_person_and_is_never_answered(world: World) -> None:
    person = await world.bound("42")
    delivery = await world.sandbox.unfollow(person)
    assert delivery.attempts[-1].body == "success"
    assert await world.bindings("42") == []


async def test_unfollowing_may_keep_the_binding(make: Make) -> None:
    world = await make(accounts={"main": {"unfollow": "keep"}})
    person = await world.bound("42")
    await world.sandbox.unfollow(person)
    assert [one["subscribed"] for one in await world.bindings("42")] == [False]


@pytest.fixture(params=["none", "tap"])
async def two_accounts(make: Make, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that scans a ticket of one of two accounts, and says yes, if asked, as a new follower."""
    monkeypatch.setattr(FollowerRefresh, "refresh", lambda *_: None)  # it may come too late
    official = {"main": ACCOUNT, "second": SECOND}
    clients = {"shop": client("shop", accounts=[*official], confirm=request.param)}
    world = await make(official=official, clients=clients)
    person = await world.person(following=False, unionid="u-1")

    async def ask(page: Page) -> dict[str, Any]:
        asked = await world.scan(person, page)
        if request.param == "tap":
            await world.say(person, links(asked)[0], account=official[page.made["account"]].appid)
        return await page.poll()

    return world, ask


async def test_a_person_who_follows_a_second_account_just_now_is_recognised_there(two_accounts: Ask) -> None:
    """Red when a login is confirmed without asking for a unionid that was never asked for."""
    world, ask = two_accounts
    assert (await ask(await world.bind("42", account="main")))["outcome"] == "bound"
    assert (await ask(await world.login(account="second")))["outcome"] == "login"


async def test_a_second_account_takes_no_person_bound_in_the_first(two_accounts: Ask) -> None:
    """Red when `confirm_arrival`, or `confirm`, binds without asking for a unionid that was never asked for."""
    world, ask = two_accounts
    for user, account, reason in (("42", "main", None), ("43", "second", "wechat_taken")):
        assert (await ask(await world.bind(user, account=account)))["reason"] == reason
    assert len(await world.bindings("42")) == 1
    assert await world.bindings("43") == []
