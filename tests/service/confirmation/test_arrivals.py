"""A person whom a web authorization named signs in as one who scanned does, in an account or in an app.

Covers: service.confirmation.completion.
"""

from collections.abc import Callable
from typing import Any

import pytest
from arriving import arrive, code, redirecting
from harness import ACCOUNT, SECOND, WEBSITE, World, client, problem
from portal_client import visit

from models.events import OpenId
from models.ticket import Outcome
from sandbox.people import Person
from service.app_keys import CODE_EXCHANGE
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Authorized

Make = Callable[..., Any]
OFFICIAL = {"main": ACCOUNT, "second": SECOND}
BY_SITE = {"methods": ["scan", "website"], "return_urls": ["https://shop.example/login/done"]}


@pytest.fixture
async def shop(make: Make, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose shop has two accounts and a website app, of one Open Platform account."""
    monkeypatch.setattr(FollowerRefresh, "refresh", lambda *_: None)  # it may come too late
    started: World = await make(
        official=OFFICIAL,
        accounts={name: {"open_platform": "acme"} for name in OFFICIAL},
        apps={"site": WEBSITE},
        clients={"shop": client("shop", accounts=[*OFFICIAL], apps=["site"], **BY_SITE)},
    )
    return started


def named(person: Person, account: str, unionid: str | None = None) -> Authorized:
    appids = {name: one.appid for name, one in OFFICIAL.items()} | {"site": WEBSITE.appid}
    return Authorized(account, OpenId(person.openid(appids[account])), unionid)


async def bound(world: World, person: Person) -> None:
    """Bind *person* to the user 42, by a scan in the account `main`."""
    page = await world.bind("42")
    await world.scan(person, page)
    assert (await page.poll())["outcome"] == "bound"


async def test_who_is_bound_by_a_scan_signs_in_through_an_app_and_is_disconnected_there_alone(
    shop: World,
) -> None:
    person = await shop.person(unionid="u-1")
    await bound(shop, person)
    ending = await arrive(shop, await redirecting(shop, "site"), named(person, "site", "u-1"))
    told = await (await shop.exchange(code(shop, ending))).json()
    assert (told["outcome"], told["user_id"], told["unionid"]) == ("login", "42", "u-1")
    assert (told["account"], told["appid"], told["subscribed"]) == ("site", WEBSITE.appid, False)
    shown = {one["account"]: one for one in (await (await visit(shop)).view())["bindings"]}
    assert [(name, one["ends_on_unfollow"]) for name, one in shown.items()] == [("main", True), ("site", False)]
    assert (await shop.site("DELETE", "/v1/bindings/42?account=site")).status == 204
    assert [one["account"] for one in await shop.bindings("42")] == ["main"]


async def test_a_new_person_registers_through_an_app(shop: World) -> None:
    person = await shop.person(following=False)
    ending = await arrive(shop, await redirecting(shop, "site"), named(person, "site"))
    told = await (await shop.exchange(code(shop, ending))).json()
    assert (told["outcome"], told["account"], told["subscribed"]) == ("register", "site", False)
    body = {"user_id": "43", "registration": told["registration"]}
    assert (await shop.site("POST", "/v1/bindings", body)).status == 201
    again = await arrive(shop, await redirecting(shop, "site"), named(person, "site"))
    assert (again.outcome, again.user_id) == (Outcome.LOGIN, "43")


async def test_an_app_that_the_client_has_no_more_keeps_the_code_usable(shop: World) -> None:
    """Red when `_appid` looks among the client's accounts alone, or only among all apps."""
    ending = await arrive(shop, await redirecting(shop, "site"), named(await shop.person(), "site"))
    exchange = shop.app[CODE_EXCHANGE]
    had = exchange.clients
    exchange.clients = {"shop": had["shop"].model_copy(update={"apps": ()})}
    await problem(await shop.exchange(code(shop, ending)), 409, "account-not-configured")
    exchange.clients = had
    assert (await shop.exchange(code(shop, ending))).status == 200


async def test_the_unionid_of_a_follower_is_fetched_if_the_authorization_does_not_tell_it(shop: World) -> None:
    """Red when `_fetch_unionid` leaves out an `Authorized` without a unionid."""
    person = await shop.person(unionid="u-1")
    await bound(shop, person)
    ending = await arrive(shop, await redirecting(shop, "second"), named(person, "second"))
    assert (ending.outcome, ending.user_id) == (Outcome.LOGIN, "42")


@pytest.mark.parametrize("unionid", [None, "u-1"])
async def test_nothing_is_fetched_of_a_person_who_does_not_follow_or_whose_unionid_is_told(
    shop: World, monkeypatch: pytest.MonkeyPatch, unionid: str | None
) -> None:
    """Red when `_can_ask` is true of others than followers, or `_fetch_unionid` asks in spite of a unionid."""
    person = await shop.person(following=unionid is not None, unionid="u-1")

    async def asked(*_: Any) -> None:
        raise AssertionError("WeChat was asked")

    monkeypatch.setattr(FollowerRefresh, "_ask", asked)
    for _ in range(2):
        ending = await arrive(shop, await redirecting(shop, "second"), named(person, "second", unionid))
        assert ending.outcome is Outcome.REGISTER
    if unionid is None:
        assert (await (await shop.exchange(code(shop, ending))).json())["subscribed"] is False
