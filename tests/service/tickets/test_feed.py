"""Waiting requests are woken by changes, also after the Redis connection was lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from moments import soon
from redis.asyncio import Redis, RedisCluster

from models.ticket import Signal, Status, Ticket, TicketId, advance
from service.concurrency.tasks import cancel_and_wait
from service.tickets import feed as feed_module
from service.tickets.feed import Feed
from service.tickets.store import TicketStore, encode

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ONE = Ticket(TicketId("one"))
LONG = 20.0
"""Seconds; no test may really wait that long."""


@pytest.fixture
def store(redis: Redis) -> TicketStore:
    return TicketStore(redis)


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[Feed]:
    task = asyncio.create_task(feed.run())
    try:
        async with asyncio.timeout(10):
            await feed.connected.wait()
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def feed(redis: Redis) -> AsyncIterator[Feed]:
    async with running(Feed(redis)) as started:
        yield started


async def until(told: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until *told* holds."""
    async with asyncio.timeout(10):
        while True:
            answer = told()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


async def waiting(feed: Feed, ticket: Ticket, *, seconds: float = LONG) -> asyncio.Task[None]:
    """Begin to wait; return once the feed knows."""
    before = feed.waiting
    task = asyncio.create_task(feed.wait(ticket, seconds=seconds))
    await until(lambda: feed.waiting > before)
    return task


async def woken(*tasks: asyncio.Task[None]) -> bool:
    async with asyncio.timeout(LONG / 2):
        await asyncio.gather(*tasks)
    return True


async def scanned(store: TicketStore, ticket: Ticket) -> Ticket:
    return await store.update(ticket, lambda it: advance(it, Signal.SCAN, now=NOW), expires_at=soon())


async def cut_off(redis: Redis) -> None:
    assert await redis.client_kill_filter(_type="pubsub") == 1


async def test_a_change_wakes_waiting_requests_and_is_readable_at_once(feed: Feed, store: TicketStore) -> None:
    made = await store.update(ONE, lambda ticket: ticket, expires_at=soon())
    feed.cache(made)  # or its own publication may come after and wake, too
    task = await waiting(feed, made)
    changed = await scanned(store, made)
    assert await woken(task)
    assert feed.cached(ONE.id) == changed
    assert feed.waiting == 0


async def test_a_change_of_another_ticket_wakes_no_request(feed: Feed, store: TicketStore) -> None:
    task = await waiting(feed, ONE)
    other = await waiting(feed, replace(ONE, id=TicketId("other")))
    await scanned(store, replace(ONE, id=TicketId("other")))
    assert await woken(other)
    assert not task.done()
    task.cancel()


async def test_a_change_between_reading_and_waiting_is_not_missed(feed: Feed, store: TicketStore) -> None:
    read = await store.update(ONE, lambda ticket: ticket, expires_at=soon())
    feed.cache(read)
    await scanned(store, read)
    await until(lambda: feed.cached(ONE.id) != read)
    assert await woken(asyncio.create_task(feed.wait(read, seconds=LONG)))


async def test_a_wait_ends_at_its_timeout(feed: Feed) -> None:
    assert await woken(await waiting(feed, ONE, seconds=0.05))
    assert feed.waiting == 0


async def test_many_wait_on_one_connection(feed: Feed, store: TicketStore, redis: Redis) -> None:
    tasks = [await waiting(feed, ONE) for _ in range(50)]
    listening = [one for one in await redis.client_list() if "P" in one["flags"]]
    assert len(listening) == 1
    await scanned(store, ONE)
    assert await woken(*tasks)


def test_a_change_that_is_known_or_followed_by_no_caller_is_ignored() -> None:
    """Red when `_receive` caches an unchanged ticket again, which drops its note."""
    feed, made = Feed(Mock()), replace(ONE, version=2)
    feed.cache(made)
    feed.annotate(made, "note")
    for text in (encode(made), encode(replace(ONE, version=1)), encode(replace(made, id=TicketId("other")))):
        feed._receive(text)
    assert feed.note(ONE.id) == "note"
    assert list(feed._cache) == [ONE.id]


def test_a_change_may_name_its_ticket_last() -> None:
    """Red when `_receive` relies on the order of the fields, which another version may change."""
    feed, made = Feed(Mock()), replace(ONE, version=2)
    feed.cache(made)
    fields = json.loads(encode(replace(made, status=Status.SCANNED, version=3)))
    feed._receive(json.dumps(dict(reversed(fields.items()))))
    assert feed._cache[ONE.id].ticket.status is Status.SCANNED


async def test_who_goes_leaves_nothing_behind(feed: Feed) -> None:
    tasks = [await waiting(feed, ONE) for _ in range(5)]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert feed.waiting == 0
    assert feed._waiting == {}


async def test_a_ticket_without_waiting_requests_is_not_kept_in_memory(feed: Feed, store: TicketStore) -> None:
    task = await waiting(feed, ONE)
    await scanned(store, replace(ONE, id=TicketId("other")))
    await scanned(store, ONE)
    assert await woken(task)
    assert feed.cached(TicketId("other")) is None


async def test_an_older_state_never_replaces_a_newer(feed: Feed) -> None:
    newer = replace(ONE, version=2, status=Status.SCANNED)
    feed.cache(newer)
    feed.cache(replace(ONE, version=1))
    assert feed.cached(ONE.id) == newer


async def test_a_lost_connection_wakes_all_requests_and_empties_the_memory(
    feed: Feed, store: TicketStore, redis: Redis
) -> None:
    made = await store.update(ONE, lambda ticket: ticket, expires_at=soon())
    feed.cache(made)
    tasks = [await waiting(feed, made), await waiting(feed, replace(ONE, id=TicketId("other")))]
    await cut_off(redis)
    assert await woken(*tasks)
    assert feed.cached(ONE.id) is None


async def test_changes_reach_who_waits_after_a_reconnection(feed: Feed, store: TicketStore, redis: Redis) -> None:
    task = await waiting(feed, ONE)
    await cut_off(redis)
    assert await woken(task)
    task = await waiting(feed, ONE)
    changed = await scanned(store, ONE)
    assert await woken(task)
    assert feed.cached(ONE.id) == changed


async def test_each_connection_is_told(feed: Feed, redis: Redis) -> None:
    assert feed.missed.is_set()
    feed.missed.clear()
    await cut_off(redis)
    await until(feed.missed.is_set)


async def test_memory_is_not_believed_for_long(feed: Feed) -> None:
    feed.cache(ONE)
    feed._cache[ONE.id].read_at -= 9.5
    assert feed.cached(ONE.id) == ONE
    feed._cache[ONE.id].read_at -= 1
    assert feed.cached(ONE.id) is None


@pytest.fixture
async def probed(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Feed]:
    """A feed whose cached ticket was read long ago, and whose probes are published often."""
    monkeypatch.setattr(feed_module, "_PROBE", 0.02)
    feed.cache(ONE)
    feed._cache[ONE.id].read_at -= 30
    task = asyncio.create_task(feed.probe())
    yield feed
    await cancel_and_wait(task)


async def test_memory_is_believed_while_probes_arrive(probed: Feed) -> None:
    """Red when `cached` looks at the time of the reading alone, and when `probe` publishes once."""
    await until(lambda: probed.cached(ONE.id) == ONE)
    probed._confirmed -= 30
    await until(lambda: probed.cached(ONE.id) == ONE)


async def test_memory_is_not_believed_when_publications_no_longer_arrive(probed: Feed) -> None:
    """Red when a probe counts as soon as it is published."""
    await until(lambda: probed.cached(ONE.id) == ONE)
    probed._probes = "a channel without a subscription"
    await asyncio.sleep(0.1)  # for those that are on the way
    probed._confirmed -= 30
    await asyncio.sleep(0.2)
    assert probed.cached(ONE.id) is None


async def test_a_probe_proves_nothing_in_a_cluster() -> None:
    """Red when `cached` treats a cluster as one server."""
    feed = Feed(Mock(spec=RedisCluster))
    feed.connected.set()
    feed.cache(ONE)
    feed._confirmed = feed._cache[ONE.id].read_at
    assert feed.cached(ONE.id) == ONE
    feed._cache[ONE.id].read_at -= 10.5
    assert feed.cached(ONE.id) is None


async def test_a_note_lasts_as_long_as_the_state_it_was_made_for(feed: Feed) -> None:
    """Red when `cache` keeps the note of another reading, and when `annotate` takes one for another state."""
    feed.cache(ONE)
    feed.annotate(ONE, "a note")
    assert feed.note(ONE.id) == "a note"
    newer = replace(ONE, version=2, status=Status.SCANNED)
    feed.cache(newer)
    assert feed.note(ONE.id) is None
    feed.annotate(ONE, "a note")
    assert feed.note(ONE.id) is None
    assert feed.note(TicketId("other")) is None


async def test_memory_is_not_believed_without_a_connection(redis: Redis) -> None:
    feed = Feed(redis)
    feed.cache(ONE)
    assert feed.cached(ONE.id) is None


async def test_what_was_learned_before_the_connection_stood_is_forgotten(redis: Redis) -> None:
    """Something may have changed between that reading and the subscription."""
    feed = Feed(redis)
    feed.cache(ONE)
    async with running(feed):
        assert feed.cached(ONE.id) is None


async def test_memory_is_bounded_and_the_oldest_goes_first(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "_MAX_CACHED", 10)
    many = [replace(ONE, id=TicketId(str(number))) for number in range(25)]
    for ticket in many:
        feed.cache(ticket)
    assert len(feed._cache) == 10
    assert feed.cached(many[14].id) is None
    assert feed.cached(many[15].id) == many[15]
    feed.cache(many[15])  # asked for again: the youngest now
    feed.cache(ONE)
    assert feed.cached(many[15].id) == many[15]
    assert feed.cached(many[16].id) is None


async def test_closing_ends_all_waits_for_good(feed: Feed) -> None:
    tasks = [await waiting(feed, ONE), await waiting(feed, replace(ONE, id=TicketId("other")))]
    feed.close()
    assert await woken(*tasks)
    assert await woken(asyncio.create_task(feed.wait(ONE, seconds=LONG)))


async def test_a_redis_that_is_away_is_tried_again(tmp_path_factory: pytest.TempPathFactory, redis: Redis) -> None:
    """The feed survives a Redis that is not there yet; nothing it holds is believed meanwhile."""
    address = redis.connection_pool.connection_kwargs["path"]
    link = tmp_path_factory.mktemp("s") / "s"
    async with Redis.from_url(f"unix://{link}", decode_responses=True) as later:
        feed = Feed(later)
        task = asyncio.create_task(feed.run())
        waiter = await waiting(feed, ONE)
        assert not feed.connected.is_set()
        link.symlink_to(address)
        assert await woken(waiter)
        assert feed.connected.is_set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_memory_lets_go_of_what_is_old(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `cache` looks at the number of tickets alone."""
    feed.cache(ONE)
    monkeypatch.setattr(feed_module, "_KEPT", 0.0)
    await asyncio.sleep(0.001)
    feed.cache(replace(ONE, id=TicketId("other")))
    assert list(feed._cache) == ["other"]


async def test_a_wait_goes_on_for_as_long_as_it_is_told() -> None:
    """Red when the timer ends the wait without asking, or asks no more after the first time."""
    feed, pauses = Feed(Mock(spec=Redis)), iter([0.01, 0.02, 0.0])
    async with asyncio.timeout(LONG):
        await feed.wait(ONE, seconds=0.01, again=lambda: next(pauses))
    assert list(pauses) == []
    assert feed.waiting == 0
