"""An account that is taken out of the configuration, or from a client, between two steps of a person.

Two services share their stores: one as it was configured before, one as it is after.
Red when `CodeExchange` does not compare the accounts of the client and their appids before it uses a code up, when
an answer takes the appid from the configuration, or when `SceneVerifier` skips clients without the account.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from harness import ACCOUNT, SECOND, Page, World, client, problem
from streams import event, stream

from models.events import OpenId
from sandbox.account import OfficialAccount
from sandbox.people import Person
from service.privacy import subject_requests
from service.privacy.subject_requests import Subject

BOTH = ["main", "second"]
MOVED = replace(ACCOUNT, appid="wx00000000000moved")

Make = Callable[..., Any]


@dataclass(frozen=True)
class Loss:
    """How the configuration is changed, and what is told of it."""

    official: dict[str, OfficialAccount]
    accounts: list[str]
    told: str


LOSSES = {
    "out of the configuration": Loss({"second": SECOND}, ["second"], "the account main is not configured"),
    "from the client": Loss({"main": ACCOUNT, "second": SECOND}, ["second"], "the account main is not configured"),
    "another appid": Loss({"main": MOVED, "second": SECOND}, BOTH, "the account main has another appid"),
}


@pytest.fixture(params=LOSSES.values(), ids=LOSSES)
def loss(request: pytest.FixtureRequest) -> Loss:
    return request.param  # type: ignore[no-any-return]  # one of LOSSES


@pytest.fixture
async def before(make: Make) -> World:
    return await configured(make, {"main": ACCOUNT, "second": SECOND}, BOTH)


async def configured(make: Make, official: dict[str, OfficialAccount], accounts: list[str]) -> World:
    clients = {"shop": client("shop", accounts=accounts), "club": client("club", accounts=["second"])}
    world: World = await make(official=official, clients=clients)
    return world


async def after(make: Make, loss: Loss) -> World:
    return await configured(make, loss.official, loss.accounts)


async def confirmed(world: World, person: Person) -> str:
    page = await world.login()
    await world.scan(person, page)
    return str((await page.until("confirmed"))["code"])


@pytest.mark.parametrize("user", [None, "42"], ids=["new", "known"])
async def test_a_code_is_refused_by_name_and_can_still_be_used(
    before: World, make: Make, loss: Loss, user: str | None
) -> None:
    code = await confirmed(before, await (before.bound(user) if user else before.person()))
    now = await after(make, loss)
    for _ in range(2):
        told = await problem(await now.exchange(code), 409, "account-not-configured")
        assert told["detail"].startswith(loss.told)
    answer = await before.exchange(code)  # as after putting the account back
    assert (answer.status, (await answer.json())["appid"]) == (200, ACCOUNT.appid)
    await problem(await now.exchange(code), 400, "invalid-code")  # it is used up: the account does not matter


async def test_a_code_that_is_too_old_is_invalid_whatever_the_account(
    before: World, make: Make, loss: Loss
) -> None:
    code = await confirmed(before, await before.person())
    now = await after(make, loss)
    now.clock.advance(60)
    await problem(await now.exchange(code), 400, "invalid-code")


async def test_a_registration_is_refused_by_name_and_can_still_be_used(
    before: World, make: Make, loss: Loss
) -> None:
    redeemed = await (await before.exchange(await confirmed(before, await before.person()))).json()
    body = {"user_id": "42", "registration": redeemed["registration"]}
    now = await after(make, loss)
    told = await problem(await now.site("POST", "/v1/bindings", body), 409, "account-not-configured")
    assert told["detail"].startswith(loss.told)
    assert (await before.site("POST", "/v1/bindings", body)).status == 201
    assert [(one["account"], one["appid"]) for one in await now.bindings("42")] == [("main", ACCOUNT.appid)]


async def test_bindings_are_listed_with_their_own_appid_and_can_be_removed(
    before: World, make: Make, loss: Loss
) -> None:
    await before.bound("42")
    listed = await before.bindings("42")
    now = await after(make, loss)
    assert await now.bindings("42") == listed
    assert listed[0]["appid"] == ACCOUNT.appid
    assert (await now.site("DELETE", "/v1/bindings/42?account=main")).status == 204
    assert await now.bindings("42") == []


async def test_pages_go_on_with_their_ticket(before: World, make: Make, loss: Loss) -> None:
    page = await before.login()
    now = await after(make, loss)
    same = Page(now, page.made, 200)
    assert (await same.poll())["status"] == "pending"
    async with stream(same) as response:
        assert (await event(response))["data"]["status"] == "pending"
    await before.scan(await before.person(), page)
    state = await same.poll()
    assert (state["status"], state["outcome"]) == ("confirmed", "register")
    open_page = Page(now, (await before.login()).made, 200)
    assert (await open_page.raw("DELETE")).status == 204


async def test_the_portal_shows_and_removes_the_binding(before: World, make: Make, loss: Loss) -> None:
    await before.bound("42")
    now = await after(make, loss)
    link = await (await now.site("POST", "/v1/portal-sessions", {"user_id": "42"})).json()
    session = link["token"].partition(".")[0]
    bearer = {"Authorization": f"Bearer {link['token']}", "Origin": "https://shop.example"}
    opened = await (await now.call("POST", f"/v1/portal-sessions/{session}/open", headers=bearer)).json()
    bearer = {"Authorization": f"Bearer {opened['secret']}", "Origin": "https://shop.example"}
    view = await (await now.call("GET", f"/v1/portal-sessions/{session}", headers=bearer)).json()
    assert (view["accounts"], [one["account"] for one in view["bindings"]]) == (loss.accounts, ["main"])
    removed = await now.call("DELETE", f"/v1/portal-sessions/{session}/bindings/main", headers=bearer)
    assert removed.status == 204


async def test_the_start_warns_of_the_bindings_of_a_former_appid(
    before: World, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    for user in ("42", "43"):
        await before.bound(user)
    with caplog.at_level(logging.WARNING):
        await after(make, LOSSES["out of the configuration"])
        assert caplog.messages == []
        await after(make, LOSSES["another appid"])
    [line] = caplog.messages
    assert line.startswith(f"accounts.main.appid: is {MOVED.appid} now; bindings made under {ACCOUNT.appid}: 2.")
    assert "docs/operations.md#when-an-accounts-appid-changes" in line


async def test_a_person_of_the_former_appid_is_new_and_stays_listed(before: World, make: Make) -> None:
    """Even with the same openid, which WeChat does not give twice."""
    person = await before.bound("42")
    now = await after(make, LOSSES["another appid"])
    same = await now.person()
    now.sandbox.contact(same).openid = before.sandbox.contact(person).openid
    told = await (await now.exchange(await confirmed(now, same))).json()
    assert (told["outcome"], told["appid"]) == ("register", MOVED.appid)
    body = {"user_id": "43", "registration": told["registration"]}
    assert (await (await now.site("POST", "/v1/bindings", body)).json())["appid"] == MOVED.appid
    assert [one["appid"] for one in await now.bindings("42")] == [ACCOUNT.appid]
    await now.sandbox.unfollow(same)
    assert (await now.bindings("43"), len(await now.bindings("42"))) == ([], 1)


async def test_export_and_erasure_find_the_person_all_the_same(before: World, make: Make, loss: Loss) -> None:
    openid = before.sandbox.contact(await before.bound("42")).openid
    now = await after(make, loss)
    about = Subject(openid=OpenId(openid))
    exported = await subject_requests.export(now.settings, about)
    assert exported is not None
    assert [(one["account"], one["appid"], one["openid"]) for one in exported.report["people"]] == [
        ("main", ACCOUNT.appid, openid)
    ]
    await subject_requests.erase(now.settings, about)
    assert await now.bindings("42") == []


async def test_new_tickets_of_the_account_are_refused_by_name(before: World, make: Make) -> None:
    now = await after(make, LOSSES["out of the configuration"])
    body = {"purpose": "bind", "user_id": "42", "account": "main"}
    told = await problem(await now.site("POST", "/v1/tickets", body), 400, "invalid-request")
    assert told["detail"].startswith("account: ")


async def test_pushes_of_an_account_that_is_not_configured_are_not_found(before: World, make: Make) -> None:
    person = await before.bound("42")
    now = await after(make, LOSSES["out of the configuration"])
    before.sandbox.point(f"{now.url}/wechat/main")
    left = await before.sandbox.unfollow(person)
    assert {attempt.status for attempt in left.attempts} == {404}
    assert len(await now.bindings("42")) == 1


@pytest.mark.parametrize("confirm", ["none", "match"])
async def test_the_chat_replies_that_the_qr_code_is_no_longer_valid(make: Make, confirm: str) -> None:
    official = {"main": ACCOUNT, "second": SECOND}
    was = await make(official=official, clients={"shop": client("shop", accounts=BOTH, confirm=confirm)})
    now = await make(official=official, clients={"shop": client("shop", accounts=["second"], confirm=confirm)})
    person, page = await was.person(), await was.login()
    if confirm == "match":
        await was.scan(person, page)
        said = (await page.poll())["match"]
        was.sandbox.point(f"{now.url}/wechat/main")
        told = await was.say(person, said)
    else:
        was.sandbox.point(f"{now.url}/wechat/main")
        told = await was.scan(person, page)
    assert told == "This QR code is no longer valid. Get a new code on the Example shop page and scan again."
    assert (await page.poll())["status"] == ("scanned" if confirm == "match" else "pending")
