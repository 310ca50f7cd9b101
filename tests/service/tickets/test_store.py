"""Tickets in Redis: each change is a compare-and-swap and is published."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from moments import soon
from redis.asyncio import Redis

from models.errors import StoreUnavailable
from models.events import OpenId
from models.requester import Requester
from models.ticket import READABLE_AFTER, Outcome, Reason, Signal, Status, Ticket, TicketId, advance
from service.tickets.feed import Feed
from service.tickets.store import CHANNEL, TicketStore, decode, encode, named

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Ticket(TicketId("t"), requester=Requester(browser="Chrome · Mac", state="xyz"))
FULL = Ticket(
    id=TicketId("t"),
    status=Status.CONFIRMED,
    openid=OpenId("oAnna"),
    checked_at=NOW.replace(microsecond=123_000),
    outcome=Outcome.LOGIN,
    reason=Reason.DECLINED,
    answered_at=NOW,
    code_used=True,
    requester=Requester("Firefox · Linux", "203.0.113.7", "安娜", "öpaque"),
    version=3,
)


@pytest.fixture
def store(redis: Redis) -> TicketStore:
    return TicketStore(redis)


def scan(openid: str) -> Callable[[Ticket], Ticket]:
    return lambda ticket: advance(ticket, Signal.SCAN, now=NOW, openid=OpenId(openid))


def unchanged(ticket: Ticket) -> Ticket:
    return ticket


@pytest.mark.parametrize("ticket", [replace(NEW, version=1), FULL, replace(FULL, code_used=False)])
def test_a_ticket_is_read_as_it_was_written(ticket: Ticket) -> None:
    assert decode(encode(ticket)) == ticket
    assert named(encode(ticket)) == (ticket.id, ticket.version)


def test_little_is_written_of_a_new_ticket() -> None:
    assert json.loads(encode(Ticket(TicketId("t"), version=1))) == {"id": "t", "version": 1, "status": "pending"}


async def test_what_sql_decided_is_told_before_redis_has_it(redis: Redis) -> None:
    """Red when `decided` is ignored: then this waits until Redis writes again, and more."""
    heard = asyncio.Queue[Ticket]()
    store = TicketStore(redis, notify=heard.put_nowait)
    made = await store.update(NEW, unchanged, expires_at=soon())
    assert await heard.get() == made
    await redis.client_pause(2_000, all=False)  # writes wait
    try:
        updating = asyncio.create_task(
            store.update(NEW, scan("oAnna"), expires_at=soon(), expected=made, decided=True)
        )
        told = await heard.get()
        assert not updating.done()
        assert told == scan("oAnna")(replace(made, version=told.version))
        assert told.version > made.version
        assert await store.load(NEW.id) == made
    finally:
        await redis.client_unpause()
    assert (await updating).version > told.version


@pytest.mark.parametrize(
    "newer",
    [replace(FULL, openid=None, erased=True), FULL],
    ids=["whose person was erased", "whose code was used"],
)
async def test_what_is_told_early_does_not_outlast_what_redis_has(redis: Redis, newer: Ticket) -> None:
    """Red when a ticket told early, from one that Redis has replaced since, counts as newer than Redis's."""
    feed = Feed(redis)
    feed.connected.set()
    here, elsewhere = TicketStore(redis, notify=feed.cache), TicketStore(redis)
    known = await here.update(NEW, scan("oAnna"), expires_at=soon())
    held = await elsewhere.update(NEW, lambda it: replace(newer, version=it.version), expires_at=soon())

    def confirm(ticket: Ticket) -> Ticket:
        return ticket if ticket.status.final else replace(FULL, code_used=False, version=ticket.version)

    assert await here.update(NEW, confirm, expires_at=soon(), expected=known, decided=True) == held
    assert feed.cached(NEW.id) == held


async def test_what_redis_does_not_have_is_none(store: TicketStore) -> None:
    assert await store.load(NEW.id) is None


async def test_the_first_update_begins_with_the_ticket_given(store: TicketStore) -> None:
    made = await store.update(NEW, unchanged, expires_at=soon())
    assert made == replace(NEW, version=made.version)
    assert await store.load(NEW.id) == made


async def test_later_updates_begin_with_what_is_there(store: TicketStore) -> None:
    await store.update(NEW, unchanged, expires_at=soon())
    scanned = await store.update(Ticket(NEW.id), scan("oAnna"), expires_at=soon())
    assert (scanned.status, scanned.openid, scanned.requester) == (Status.SCANNED, "oAnna", NEW.requester)


async def test_nothing_is_written_when_nothing_changes(store: TicketStore, redis: Redis) -> None:
    made = await store.update(NEW, scan("oAnna"), expires_at=soon())
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        await pubsub.get_message(timeout=1)
        assert await store.update(NEW, scan("oBert"), expires_at=soon()) == made
        changed = await store.update(NEW, lambda ticket: replace(ticket, status=Status.EXPIRED), expires_at=soon())
        message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
    assert message is not None
    assert decode(message["data"]) == changed  # the first thing said is of the change, not of the second phone


async def test_versions_grow_with_every_change_and_across_a_loss(store: TicketStore, redis: Redis) -> None:
    first = await store.update(NEW, unchanged, expires_at=soon())
    second = await store.update(NEW, scan("oAnna"), expires_at=soon())
    await redis.flushall()
    third = await store.update(NEW, unchanged, expires_at=soon())
    assert first.version < second.version < third.version


async def test_a_ticket_that_redis_has_lost_since_it_was_read_is_stored_whole(
    store: TicketStore, redis: Redis
) -> None:
    """Red when `update` begins with the blank ticket, although it was given the one that was read."""
    known = await store.update(NEW, unchanged, expires_at=soon())
    await redis.flushall()
    changed = await store.update(Ticket(NEW.id), scan("oAnna"), expires_at=soon(), expected=known)
    assert (changed.openid, changed.requester) == ("oAnna", NEW.requester)


async def test_versions_grow_even_when_a_clock_was_ahead(store: TicketStore) -> None:
    ahead = replace(NEW, version=2**60)
    assert (await store.update(ahead, unchanged, expires_at=soon())).version == 2**60 + 1


async def test_of_many_phones_at_once_one_is_the_first(store: TicketStore) -> None:
    phones = [f"o{number}" for number in range(6)]
    seen = await asyncio.gather(*(store.update(NEW, scan(phone), expires_at=soon()) for phone in phones))
    assert len({ticket.openid for ticket in seen}) == 1
    assert await store.load(NEW.id) == seen[0]


async def test_no_concurrent_change_is_lost(store: TicketStore) -> None:
    """Each of six writers appends its letter; each must have seen the others'."""

    def append(letter: str) -> Callable[[Ticket], Ticket]:
        return lambda ticket: replace(ticket, requester=Requester(state=(ticket.requester.state or "") + letter))

    bare = Ticket(TicketId("t"))
    await asyncio.gather(*(store.update(bare, append(letter), expires_at=soon()) for letter in "abcdef"))
    final = await store.load(bare.id)
    assert final is not None
    assert sorted(final.requester.state or "") == list("abcdef")


async def test_endless_quarrel_is_given_up(store: TicketStore, redis: Redis) -> None:
    """Another process writes before every swap: the attempts are bounded, and nothing of ours is written."""
    await store.update(NEW, unchanged, expires_at=soon())
    tries = 0

    meddling = TicketStore(redis)
    swap = meddling._cas._swap

    async def late(**how: object) -> object:
        nonlocal tries
        tries += 1
        await redis.set("scanbind:t:t", encode(replace(NEW, version=tries)))
        return await swap(**how)  # type: ignore[arg-type]  # passed on as given

    meddling._cas._swap = late  # type: ignore[assignment]  # stands where Redis' script stands
    with pytest.raises(StoreUnavailable):
        await meddling.update(NEW, scan("oAnna"), expires_at=soon())
    assert tries == 8
    held = await store.load(NEW.id)
    assert held is not None
    assert held.status is Status.PENDING


async def test_a_ticket_is_kept_as_long_as_it_can_be_read(store: TicketStore, redis: Redis) -> None:
    lifetime = timedelta(seconds=300)
    await store.update(NEW, unchanged, expires_at=soon(seconds=lifetime.total_seconds()))
    left = timedelta(milliseconds=await redis.pttl("scanbind:t:t"))
    assert lifetime + READABLE_AFTER < left < lifetime + READABLE_AFTER + timedelta(seconds=120)


async def test_every_change_is_published(store: TicketStore, redis: Redis) -> None:
    async with redis.pubsub() as pubsub:
        await pubsub.subscribe(CHANNEL)
        await pubsub.get_message(timeout=1)
        made = await store.update(NEW, unchanged, expires_at=soon())
        message = await pubsub.get_message(timeout=1)
    assert message is not None
    assert decode(message["data"]) == made


async def test_a_redis_that_does_not_answer_is_named_as_such() -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock", decode_responses=True) as nowhere:
        store = TicketStore(nowhere)
        with pytest.raises(StoreUnavailable):
            await store.load(NEW.id)
        with pytest.raises(StoreUnavailable):
            await store.update(NEW, unchanged, expires_at=soon())


async def test_a_ticket_written_by_another_version_is_changed_all_the_same(
    store: TicketStore, redis: Redis
) -> None:
    """Red when `CasStore.change` does not go on from the value that Redis returns."""
    text = json.dumps({"of another version": True, **json.loads(encode(replace(NEW, version=1)))})
    await redis.set(f"scanbind:t:{NEW.id}", text)
    known = await store.load(NEW.id)
    assert known is not None
    assert encode(known) != text
    changed = await store.update(NEW, scan("oAnna"), expires_at=soon(), expected=known)
    assert changed.openid == "oAnna"
    assert await store.load(NEW.id) == changed
