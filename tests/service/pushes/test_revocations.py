"""A person who closes their WeChat, or takes back what they authorised, is forgotten as one who unsubscribes is.

Red when `_READERS` of the parser lacks the two events, or `UnfollowHandler.revoked` does not compare the AppID.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from harness import ACCOUNT, World

from sandbox.faults import Fault
from sandbox.people import Person
from sandbox.push_delivery import Delivery
from service.audit.reader import AuditFilter, read
from service.crypto.field_encryption import FieldCipher
from service.identities.repository import Identities
from service.storage.database import connect

REVOKED, CLOSED = "user_authorization_revoke", "user_authorization_cancellation"
Make = Callable[..., Any]


async def push(world: World, event: str, *, sender: Person, **fields: str) -> Delivery:
    """Send a revocation with exactly these fields."""
    named = {"MsgType": "event", "Event": event, **fields}
    return await world.sandbox.post.push(named, to=world.sandbox.accounts[0], about=world.sandbox.contact(sender))


def openid(world: World, person: Person) -> str:
    return world.sandbox.contact(person).openid


async def causes(world: World) -> list[str | None]:
    """Return what caused each erasure of a binding."""
    async with connect("embedded", data_dir=world.settings.data_dir) as database:
        wanted = AuditFilter(event="erased")
        return [entry.detail for entry in await read(database, Identities(FieldCipher.of([])), wanted, limit=9)]


@pytest.mark.parametrize(("event", "cause"), [(REVOKED, "revocation"), (CLOSED, "cancellation")])
async def test_the_data_and_bindings_of_the_person_end(world: World, event: str, cause: str) -> None:
    person = await world.bound("42")
    told = await world.sandbox.revoke(person, event)
    assert (told.state, told.reply) == ("answered", None)
    assert await world.bindings("42") == []
    assert await causes(world) == [cause]


async def test_the_person_in_openid_is_erased_and_not_the_sender(world: World) -> None:
    person, sender = await world.bound("42"), await world.bound("43")
    fields = {"OpenID": openid(world, person), "AppID": ACCOUNT.appid, "RevokeInfo": "301"}
    await push(world, REVOKED, sender=sender, **fields)
    assert (await world.bindings("42"), len(await world.bindings("43"))) == ([], 1)


async def test_two_revocations_by_one_sender_in_one_second_both_count(world: World) -> None:
    """Red when `_revoked` takes the person from the sender: the second would count as a redelivery."""
    people, sender = [await world.bound("42"), await world.bound("43")], await world.person()
    world.clock.hold()
    for person in people:
        await push(world, CLOSED, sender=sender, OpenID=openid(world, person), AppID=ACCOUNT.appid)
    assert (await world.bindings("42"), await world.bindings("43")) == ([], [])


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"OpenID": "PERSON", "AppID": "wxfedcba9876543210"}, "AppID"),
        ({"OpenID": "PERSON", "AppID": ""}, "AppID"),
        ({"OpenID": "PERSON"}, "AppID"),
        ({"OpenID": "PERSON", "AppID": ACCOUNT.appid.upper()}, "AppID"),
        ({"AppID": ACCOUNT.appid}, "OpenID"),
        ({"OpenID": "", "AppID": ACCOUNT.appid}, "OpenID"),
        ({"OpenID": "o" * 65, "AppID": ACCOUNT.appid}, "OpenID"),
        ({"OpenID": "no openid", "AppID": ACCOUNT.appid}, "OpenID"),
    ],
)
async def test_a_revocation_for_no_person_of_this_account_changes_nothing(
    world: World, fields: dict[str, str], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    person = await world.bound("42")
    given = {name: value.replace("PERSON", openid(world, person)) for name, value in fields.items()}
    with caplog.at_level(logging.WARNING):
        told = await push(world, CLOSED, sender=person, **given)
    assert (told.state, told.reply) == ("answered", None)
    assert [one["subscribed"] for one in await world.bindings("42")] == [True]
    [line] = [message for message in caplog.messages if message.startswith("revocation: ")]
    assert "account main" in line
    assert why in line
    assert openid(world, person) not in caplog.text


@pytest.mark.parametrize(
    "event", ["user_info_modified", "user_authorization_unheard_of", "subscribe_msg_sent_event"]
)
async def test_other_events_about_a_person_are_acknowledged_and_change_nothing(world: World, event: str) -> None:
    person = await world.bound("42")
    told = await push(world, event, sender=person, OpenID=openid(world, person), AppID=ACCOUNT.appid)
    assert (told.state, told.reply) == ("answered", None)
    assert len(await world.bindings("42")) == 1


@pytest.mark.parametrize("event", [REVOKED, CLOSED])
async def test_a_redelivery_erases_nothing_of_a_person_who_came_back(world: World, event: str) -> None:
    person = await world.bound("42")
    await world.sandbox.revoke(person, event, fault=Fault.TWICE)
    assert await causes(world) == ["revocation" if event == REVOKED else "cancellation"]
    late = await world.sandbox.revoke(person, event, fault=Fault.OUT_OF_ORDER, wait=False)
    world.clock.advance(3)
    if not world.sandbox.contact(person).following:
        await world.sandbox.follow(person)
    else:
        await world.sandbox.unfollow(person)
        world.clock.advance(3)
        await world.sandbox.follow(person)
    await world.scan(person, await world.bind("42"))
    async with asyncio.timeout(20):
        while not late.attempts:
            await asyncio.sleep(0.01)
    assert len(await world.bindings("42")) == 1


async def test_with_keep_a_closed_wechat_is_no_follower_and_a_revocation_changes_nothing(make: Make) -> None:
    world: World = await make(accounts={"main": {"unfollow": "keep"}})
    person = await world.bound("42")
    for event, subscribed in ((REVOKED, True), (CLOSED, False)):
        world.clock.advance(3)
        await world.sandbox.revoke(person, event)
        assert [one["subscribed"] for one in await world.bindings("42")] == [subscribed]
    assert await causes(world) == []


async def test_a_revocation_that_cannot_be_committed_is_redelivered(world: World) -> None:
    person = await world.bound("42")
    with closing(sqlite3.connect(world.settings.data_dir / "scanbind.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = await world.sandbox.revoke(person, CLOSED, wait=False)
        async with asyncio.timeout(20):
            while not told.attempts:
                await asyncio.sleep(0.01)
        other.execute("ROLLBACK")
    await told.finished()
    assert told.attempts[0].status == 503
    assert told.state == "answered"
    assert await world.bindings("42") == []
