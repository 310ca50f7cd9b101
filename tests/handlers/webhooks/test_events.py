"""Each event of contract.md 9 reaches the site's endpoint, signed and as /openapi.json describes it.

Red when a change writes no event, when an event goes to another client or endpoint, and when its body has a field
that is not described.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from harness import ACCOUNT, SECOND, client
from hooked import OTHER, SECRET, heard, hooked, logged_in, registered, shown, types, webhook
from openapi_document import Json
from portal_client import visit
from redirecting import BACK, WEBSITE_LOGIN, redirecting
from webhook_receiver import Receiver, Reply, receiving
from wechat_browser import browsing

from service.privacy import subject_requests

Make = Any


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(SECRET, any_time=True) as one:
        yield one


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with receiving(OTHER, any_time=True) as one:
        yield one


def about(payload: Json, *names: str) -> tuple[Any, ...]:
    return (payload["type"], payload["data"]["user_id"], *(payload["data"].get(name) for name in names))


async def test_a_scan_a_login_and_a_disconnect_by_the_site_are_told(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver)
    person = await world.bound("用户 42")
    (created,) = await heard(world, receiver, 1)
    identity = {
        "method": "scan",
        "kind": "official_account",
        "account": "main",
        "appid": ACCOUNT.appid,
        "openid": world.sandbox.contact(person).openid,
        "unionid": None,
        "userid": None,
        "subscribed": True,
    }
    assert created["data"] == {"client": "shop", "user_id": "用户 42", "identity": identity}
    page = await logged_in(world, person)
    (_, completed) = await heard(world, receiver, 2)
    assert about(completed, "ticket", "identity") == ("login.completed", "用户 42", page.id, identity)
    assert (await world.site("DELETE", "/v1/bindings/用户 42")).status == 204
    assert about((await heard(world, receiver, 3))[2], "reason") == ("binding.removed", "用户 42", "site")


async def test_a_request_is_a_standard_webhook(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver)
    await world.bound("42")
    (one,) = await receiver.wait_for(1)
    assert one.id.startswith("msg_")
    assert one.headers["Content-Type"] == "application/json"
    assert one.headers["User-Agent"].startswith("scanbind/")
    assert one.path == "/hooks?token=of-the-url"
    assert abs(int(one.headers["webhook-timestamp"]) - world.clock.seconds()) < 60


async def test_a_registration_is_told_with_the_binding_that_it_makes(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver)
    await registered(world, await world.person(), "42")
    assert [about(it) for it in await heard(world, receiver, 2)] == [
        ("binding.created", "42"),
        ("registration.completed", "42"),
    ]


async def test_a_bind_by_redirect_is_told_at_its_exchange(make: Make, receiver: Receiver) -> None:
    world, person = await redirecting(make, WEBSITE_LOGIN, webhooks=[webhook(receiver)])
    page = await world.bind("anna", method="website", return_url=BACK, state="s")
    async with browsing(world, None) as browser:
        told = (await WEBSITE_LOGIN.sign_in(browser, page, person)).answer
    assert (await world.exchange(told["code"])).status == 200
    (created,) = await heard(world, receiver, 1)
    assert about(created) == ("binding.created", "anna")
    identity = created["data"]["identity"]
    assert (identity["method"], identity["kind"], identity["account"]) == ("website", "website", "site")


async def test_a_takeover_is_one_event_with_the_user_before(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver, shop={"takeover": "move"})
    person = await world.bound("42")
    await world.scan(person, await world.bind("43"))
    moved = (await heard(world, receiver, 2))[1]
    assert about(moved, "previous") == ("binding.moved", "43", "42")


async def test_a_wechat_that_another_replaces_is_told_first(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver, shop={"rebind": "replace"})
    await world.bound("42")
    await receiver.wait_for(1)
    await world.bound("42")
    told = (await heard(world, receiver, 3))[1:]
    assert sorted(about(it, "reason") for it in told) == [
        ("binding.created", "42", None),
        ("binding.removed", "42", "replaced"),
    ]


async def test_a_disconnect_in_the_portal_is_the_users(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver)
    await world.bound("42")
    assert (await (await visit(world)).call("DELETE", "/bindings/main")).status == 204
    assert about((await heard(world, receiver, 2))[1], "reason") == ("binding.removed", "42", "user")


async def test_an_unfollow_ends_the_binding(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver)
    await world.sandbox.unfollow(await world.bound("42"))
    told = (await heard(world, receiver, 3))[1:]
    assert [about(it, "reason") for it in told] == [
        ("wechat.unfollowed", "42", None),
        ("binding.removed", "42", "unfollowed"),
    ]
    assert [it["data"]["identity"]["subscribed"] for it in told] == [False, False]


async def test_an_account_that_keeps_bindings_tells_of_unfollow_and_follow(make: Make, receiver: Receiver) -> None:
    world = await hooked(make, receiver, accounts={"main": {"unfollow": "keep"}})
    person = await world.bound("42")
    world.clock.advance(5)
    await world.sandbox.unfollow(person)
    world.clock.advance(5)
    await world.sandbox.follow(person, by_search=True)
    told = (await heard(world, receiver, 3))[1:]
    assert [(*about(it), it["data"]["identity"]["subscribed"]) for it in told] == [
        ("wechat.unfollowed", "42", False),
        ("wechat.followed", "42", True),
    ]


@pytest.mark.parametrize("whom", ["user", "person"])
async def test_an_erasure_is_told_and_its_payloads_go_once_they_are_delivered(
    make: Make, receiver: Receiver, whom: str
) -> None:
    world = await hooked(make, receiver)
    person = await world.bound("42")
    await receiver.wait_for(1)
    whose = {"user_id": "42", "openid": None}
    if whom == "person":
        whose = {"user_id": None, "openid": world.sandbox.contact(person).openid}
    subject = subject_requests.subject(world.settings, userid=None, account=None, client=None, **whose)
    receipt = await subject_requests.erase(world.settings, subject)
    assert receipt.complete
    assert about((await heard(world, receiver, 2))[1], "reason") == ("binding.removed", "42", "erased")


async def test_two_users_who_turn_out_to_be_one_person_are_told(make: Make, receiver: Receiver) -> None:
    official = {"main": ACCOUNT, "second": SECOND}
    kept = {name: {"unfollow": "keep", "open_platform": "acme"} for name in official}
    only = webhook(receiver, events=["person.conflict"])
    shop = {"accounts": [*official], "webhooks": [only]}
    world = await hooked(make, official=official, accounts=kept, shop=shop)
    person = await world.person()
    for user, name in (("42", "main"), ("43", "second")):
        await world.scan(person, await world.bind(user, account=name), account=official[name].appid)
    for account in official.values():
        world.sandbox.bind_open_platform("acme", account=account.appid)
        world.clock.advance(5)
        await world.sandbox.unfollow(person, account=account.appid)
        world.clock.advance(5)
        await world.sandbox.follow(person, by_search=True, account=account.appid)
    (conflict,) = await heard(world, receiver, 1)
    assert conflict["data"]["user_ids"] == ["42", "43"]
    assert [it["account"] for it in conflict["data"]["identities"]] == ["main", "second"]


async def test_each_client_hears_of_its_own_users_alone(make: Make, receiver: Receiver, other: Receiver) -> None:
    clients = {
        "shop": client("shop", webhooks=[webhook(receiver)]),
        "club": client("club", webhooks=[webhook(other)]),
    }
    world = await make(clients=clients)
    person = await world.bound("42")
    await world.scan(person, await world.bind("c-1", client="club"))
    await logged_in(world, person)
    await world.sandbox.unfollow(person)
    ours, theirs = await heard(world, receiver, 4), await heard(world, other, 3)
    assert types(ours) == ["binding.created", "login.completed", "wechat.unfollowed", "binding.removed"]
    assert types(theirs) == ["binding.created", "wechat.unfollowed", "binding.removed"]
    assert {(it["data"]["client"], it["data"]["user_id"]) for it in ours} == {("shop", "42")}
    assert {(it["data"]["client"], it["data"]["user_id"]) for it in theirs} == {("club", "c-1")}


async def test_each_endpoint_hears_of_the_events_that_it_names(
    make: Make, receiver: Receiver, other: Receiver
) -> None:
    webhooks = [
        webhook(receiver, events=["binding.created", "binding.removed"]),
        webhook(other, events=["login.completed", "binding.created"]),
    ]
    world = await hooked(make, shop={"webhooks": webhooks})
    await logged_in(world, await world.bound("42"))
    assert (await world.site("DELETE", "/v1/bindings/42")).status == 204
    assert types(await heard(world, receiver, 2)) == ["binding.created", "binding.removed"]
    assert types(await heard(world, other, 2)) == ["binding.created", "login.completed"]
    assert receiver.received[0].id == other.received[0].id


async def test_the_operator_hears_of_an_endpoint_that_is_gone(
    make: Make, receiver: Receiver, other: Receiver
) -> None:
    receiver.reply = Reply(410)
    world = await hooked(make, receiver, operator={"webhook": webhook(other)})
    await world.bound("42")
    (told,) = await heard(world, other, 1)
    assert told["type"] == "webhook.disabled"
    since = told["data"].pop("since")
    assert since.endswith("Z")
    assert told["data"] == {"client": "shop", "url": receiver.url.partition("?")[0], "reason": "gone"}


async def test_a_client_without_webhooks_writes_no_event(make: Make, receiver: Receiver) -> None:
    world = await make(clients={"shop": client("shop"), "club": client("club", webhooks=[webhook(receiver)])})
    await logged_in(world, await world.bound("42"))
    await world.bound("c-1", client="club")
    assert shown(await receiver.wait_for(1)) == [("binding.created", "c-1")]
