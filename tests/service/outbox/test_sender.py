"""The sender delivers what is due: woken by a commit, several at once, and again after a failure or a stop."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pytest
import sqlalchemy as sa
from outgoing import NOW, OTHER, SHOP, rows, subscribed, write

from models.outbox import State
from models.webhook import WebhookEvent
from service.concurrency.tasks import cancel_and_wait
from service.crypto.field_encryption import FieldCipher
from service.outbox import sender as module
from service.outbox.outbox import About, Outbox
from service.outbox.queue import Message, Settlement
from service.outbox.sender import Attempt, Sender
from service.storage.database import Database
from service.storage.group_commit import Work

CREATED: Final = WebhookEvent.BINDING_CREATED
PATIENCE: Final = 30.0


@dataclass
class Receiver:
    """A target that notes what it was told, and answers when `open` is set."""

    clock: Callable[[], datetime]
    most: int = 8
    fails: int = 0
    """How many tries fail first."""
    seen: list[Message] = field(default_factory=list)
    at_once: int = 0
    peak: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    breaks: bool = False

    def __post_init__(self) -> None:
        self.open.set()

    def room(self, connection: sa.Connection, *, now: datetime) -> int:
        return self.most

    async def deliver(self, message: Message) -> Attempt:
        self.seen.append(message)
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        if self.breaks:
            raise RuntimeError("a defect")
        if self.fails:
            self.fails -= 1
            return Attempt(Settlement(state=State.PENDING, at=self.clock(), due_at=self.clock(), status=500))
        return Attempt(Settlement(state=State.DELIVERED, at=self.clock(), status=200))


@dataclass
class Post:
    """A sender with two targets, and what it needs."""

    database: Database
    box: Outbox
    now: datetime = NOW
    shop: Receiver = field(init=False)
    other: Receiver = field(init=False)

    def __post_init__(self) -> None:
        self.shop, self.other = Receiver(self.clock), Receiver(self.clock)
        self.database.on_commit = self.box.committed

    def clock(self) -> datetime:
        return self.now

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Sender]:
        targets = {SHOP: self.shop, OTHER: self.other}
        sender = Sender(database=self.database, outbox=self.box, targets=targets, clock=self.clock)
        task = asyncio.create_task(sender.run())
        try:
            yield sender
        finally:
            await cancel_and_wait(task)
            await sender.finish()

    async def until(self, state: State, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while Counter(row["state"] for row in await rows(self.database))[state] < count:
                await asyncio.sleep(0.01)

    async def until_seen(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.shop.seen) < count:
                await asyncio.sleep(0.005)


@pytest.fixture
def post(database: Database) -> Post:
    return Post(database, subscribed(FieldCipher.of([]), shop=SHOP, other=OTHER))


async def test_a_commit_wakes_the_sender(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when the sender waits for its next look."""
    monkeypatch.setattr(module, "POLL", 3600.0)
    async with post.sending():
        for number in range(3):
            await write(post.database, post.box, CREATED, about=About(follower_id=number))
            await post.until(State.DELIVERED, number + 1)
    assert [message.tries for message in post.shop.seen] == [0, 0, 0]


async def test_without_a_commit_in_this_process_it_looks_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL", 0.05)
    await write(post.database, post.box, CREATED)
    elsewhere = subscribed(FieldCipher.of([]), shop=SHOP)
    async with post.sending():
        await post.until(State.DELIVERED, 1)
        await write(post.database, elsewhere, CREATED)
        await post.until(State.DELIVERED, 2)


async def test_an_event_that_failed_is_tried_again_under_the_same_id(post: Post) -> None:
    post.shop.fails = 2
    await write(post.database, post.box, CREATED)
    async with post.sending():
        await post.until(State.DELIVERED, 1)
    assert [message.tries for message in post.shop.seen] == [0, 1, 2]
    assert len({message.id for message in post.shop.seen}) == 1


async def test_a_target_takes_no_more_at_once_than_it_has_room_for(post: Post) -> None:
    post.shop.most = 2
    for number in range(6):
        await write(post.database, post.box, CREATED, about=About(follower_id=number))
    post.shop.open.clear()
    async with post.sending():
        await post.until_seen(2)
        await asyncio.sleep(module._GATHER * 5)
        assert post.shop.at_once == 2
        post.shop.open.set()
        await post.until(State.DELIVERED, 6)
    assert post.shop.peak == 2


async def test_a_target_that_hangs_does_not_hold_up_another(post: Post) -> None:
    post.shop.open.clear()
    await write(post.database, post.box, CREATED)
    await write(post.database, post.box, CREATED, client="other")
    async with post.sending():
        await post.until(State.DELIVERED, 1)
    assert len(post.other.seen) == 1


async def test_a_target_that_was_closed_is_not_asked(post: Post) -> None:
    post.shop.most = 0
    await write(post.database, post.box, CREATED)
    await write(post.database, post.box, CREATED, client="other")
    async with post.sending():
        await post.until(State.DELIVERED, 1)
    assert post.shop.seen == []


async def test_a_defect_in_a_target_costs_one_try(post: Post) -> None:
    post.shop.breaks = True
    await write(post.database, post.box, CREATED)
    async with post.sending():
        await post.until_seen(1)
        async with asyncio.timeout(PATIENCE):
            while not (row := (await rows(post.database))[0])["tries"]:
                await asyncio.sleep(0.01)
    assert (row["state"], row["fault"]) == (State.PENDING, "internal error")
    assert row["due_at"] > NOW + timedelta(minutes=1)


async def test_a_stop_gives_back_what_was_under_way(post: Post) -> None:
    """Red when the next process has to wait for the end of the lease."""
    post.shop.open.clear()
    await write(post.database, post.box, CREATED)
    async with post.sending():
        await post.until_seen(1)
    (row,) = await rows(post.database)
    assert (row["lease"], row["tries"]) == (None, 0)
    post.shop.open.set()
    async with post.sending():
        await post.until(State.DELIVERED, 1)
    assert post.shop.seen[0] == post.shop.seen[1]


async def test_a_stop_gives_back_what_was_just_claimed(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when the end of the sender between a claim and its tries leaves the events leased."""
    claimed, attempt = asyncio.Event(), post.database.attempt

    async def claim(work: Work[list[Message]]) -> list[Message]:
        await attempt(work)
        claimed.set()
        return await asyncio.get_running_loop().create_future()

    await write(post.database, post.box, CREATED)
    async with post.sending():
        with monkeypatch.context() as held:
            held.setattr(post.database, "attempt", claim)
            await asyncio.wait_for(claimed.wait(), PATIENCE)
    (row,) = await rows(post.database)
    assert (row["lease"], row["tries"]) == (None, 0)


async def test_a_try_that_ends_while_the_service_stops_is_settled(post: Post) -> None:
    post.shop.open.clear()
    await write(post.database, post.box, CREATED)
    async with post.sending():
        await post.until_seen(1)
        asyncio.get_running_loop().call_later(0.05, post.shop.open.set)
    assert [row["state"] for row in await rows(post.database)] == [State.DELIVERED]


async def test_an_event_of_an_endpoint_that_is_not_configured_waits(post: Post) -> None:
    elsewhere = subscribed(FieldCipher.of([]), shop="removed-endpoint")
    await write(post.database, elsewhere, CREATED)
    await write(post.database, post.box, CREATED)
    async with post.sending():
        await post.until(State.DELIVERED, 1)
    assert Counter(row["state"] for row in await rows(post.database)) == {State.PENDING: 1, State.DELIVERED: 1}


async def test_two_senders_deliver_each_event_once(post: Post) -> None:
    for number in range(30):
        await write(post.database, post.box, CREATED, about=About(follower_id=number))
    async with post.sending(), post.sending():
        await post.until(State.DELIVERED, 30)
    assert len({message.id for message in post.shop.seen}) == len(post.shop.seen) == 30


async def test_the_sender_waits_for_a_database_that_is_away(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL", 0.05)
    await write(post.database, post.box, CREATED)
    broken = asyncio.Event()

    async def read(work: object) -> list[int]:
        broken.set()
        raise module.StoreUnavailable("the database does not answer")

    with monkeypatch.context() as away:
        away.setattr(post.database, "read", read)
        async with post.sending():
            await asyncio.wait_for(broken.wait(), PATIENCE)
    async with post.sending():
        await post.until(State.DELIVERED, 1)
