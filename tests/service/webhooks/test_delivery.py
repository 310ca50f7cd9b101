"""An endpoint takes eight events at once, fewer when it fails or asks for a pause; its end is told and audited."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hooked import SECRET
from outgoing import BOSS, NOW, claimed, rows, settled, told, write
from webhook_receiver import Receiver, Reply, receiving

from models.outbox import EndpointFault, State
from models.tables.audit import audit
from models.webhook import WebhookEvent
from service.crypto.field_encryption import FieldCipher
from service.observability.metrics import Metrics
from service.outbox.outbox import About, Outbox, Subscription
from service.outbox.queue import Message, Settlement
from service.storage.database import Database
from service.webhooks.delivery import AT_ONCE, EndpointDelivery
from service.webhooks.endpoint_states import hold_state, read_state, write_state
from service.webhooks.endpoints import Endpoint
from service.webhooks.post import open_webhook_post
from service.webhooks.schedule import EndpointState
from service.webhooks.signatures import HmacSigner

S, M, H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
CIPHER = FieldCipher.of([])


@dataclass
class Post:
    """A delivery to a real receiver, and the database beside it."""

    database: Database
    receiver: Receiver
    delivery: EndpointDelivery
    now: datetime = NOW
    number: int = field(default=0)

    @property
    def target(self) -> str:
        return self.delivery.endpoint.target

    async def room(self) -> int:
        return await self.database.read(lambda connection: self.delivery.room(connection, now=self.now))

    async def deliver(self, reply: Reply = Reply(), *, tries: int = 0) -> Settlement:  # noqa: B008 - frozen
        """Deliver an event that is answered so; store what the try adds to its settlement."""
        self.number += 1
        self.receiver.replies = [reply]
        message = Message(
            self.number, f"msg_{self.number}", self.target, "binding.created", NOW, tries, b"{}", None
        )
        attempt = await self.delivery.deliver(message)
        await self.database.attempt(attempt.also)
        return attempt.settlement

    async def state(self) -> EndpointState | None:
        return await self.database.read(lambda connection: read_state(connection, self.target))

    async def put(self, **values: Any) -> None:
        def work(connection: sa.Connection) -> None:
            hold_state(connection, self.target)
            write_state(connection, self.target, EndpointState(**values))

        await self.database.attempt(work)

    async def audited(self) -> list[tuple[str, str | None, str | None]]:
        query = sa.select(audit.c.event, audit.c.client, audit.c.detail).order_by(audit.c.id)
        found = await self.database.read(lambda connection: connection.execute(query).all())
        return [(event, client, detail) for event, client, detail in found]

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what the operator is told."""
        return [it for it in await told(self.database, CIPHER) if it[0] == "webhook.disabled"]


@asynccontextmanager
async def posting(database: Database, *, client: str | None = "shop") -> AsyncIterator[Post]:
    box = Outbox(CIPHER, {None: [Subscription(BOSS, frozenset({WebhookEvent.WEBHOOK_DISABLED}))]})
    async with receiving(SECRET, any_time=True) as receiver, open_webhook_post() as http:
        endpoint = Endpoint(client, receiver.url, frozenset(WebhookEvent), (HmacSigner(SECRET),), True)
        delivery = EndpointDelivery(
            endpoint=endpoint, http=http, outbox=box, metrics=Metrics(), clock=lambda: post.now
        )
        post = Post(database, receiver, delivery)
        yield post


@pytest.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    async with posting(database) as opened:
        yield opened


# --- room


async def test_eight_at_once_at_an_endpoint_that_nothing_is_known_against(post: Post) -> None:
    assert await post.room() == AT_ONCE == 8
    await post.put(failures=3, failing_since=NOW)
    assert await post.room() == 8


async def test_none_at_an_endpoint_that_is_gone(post: Post) -> None:
    await post.put(disabled=EndpointFault.GONE, disabled_at=NOW)
    post.now += 1000 * H
    assert await post.room() == 0


async def test_none_during_a_pause(post: Post) -> None:
    await post.put(paused_until=NOW + 5 * M)
    assert await post.room() == 0
    post.now += 5 * M
    assert await post.room() == 8


async def test_one_at_an_endpoint_that_fails(post: Post) -> None:
    await post.put(disabled=EndpointFault.FAILING, disabled_at=NOW, paused_until=NOW + 5 * M)
    assert await post.room() == 0
    post.now += 5 * M
    assert await post.room() == 1


# --- settlements


async def test_a_delivery_is_settled_with_the_beginning_of_the_answer(post: Post) -> None:
    assert await post.deliver(Reply(200, body="thanks")) == Settlement(
        state=State.DELIVERED, at=NOW, status=200, answer=b"thanks"
    )
    assert await post.state() is None


async def test_a_failure_is_tried_again_and_the_tenth_is_dead(post: Post) -> None:
    settlement = await post.deliver(Reply(500, body="no"))
    assert (settlement.state, settlement.status, settlement.answer) == (State.PENDING, 500, b"no")
    assert settlement.due_at
    assert 4 * S <= settlement.due_at - NOW <= 6 * S
    dead = await post.deliver(Reply(500), tries=9)
    assert (dead.state, dead.due_at) == (State.DEAD, None)


async def test_410_counts_as_no_try(post: Post) -> None:
    settlement = await post.deliver(Reply(410), tries=9)
    assert (settlement.state, settlement.counts, settlement.due_at) == (State.PENDING, False, NOW)


# --- what is known


async def test_a_success_clears_what_was_known(post: Post) -> None:
    for _ in range(3):
        await post.deliver(Reply(500))
    assert await post.state() == EndpointState(failures=3, failing_since=NOW)
    await post.room()
    await post.deliver()
    assert await post.state() is None


async def test_a_success_that_was_under_way_leaves_a_pause_and_an_end(post: Post) -> None:
    for known in (
        {"failures": 0, "paused_until": NOW + 1 * H},
        {"failures": 1, "disabled": EndpointFault.GONE, "disabled_at": NOW},
    ):
        await post.put(**known)
        await post.room()
        await post.deliver()
        assert await post.state() == EndpointState(**known)


async def test_410_tells_the_operator_once_and_is_audited(post: Post) -> None:
    for _ in range(3):
        await post.deliver(Reply(410))
    ((_, data),) = await post.told()
    assert data == {
        "client": "shop",
        "url": post.receiver.url.partition("?")[0],
        "reason": "gone",
        "since": "2026-03-01T12:00:00Z",
    }
    assert await post.audited() == [("webhook_disabled", "shop", "gone")]


async def test_an_endpoint_that_fails_for_long_is_told_once(post: Post) -> None:
    for _ in range(12):
        await post.deliver(Reply(500))
        post.now += 2 * M
    assert [(data["reason"], data["since"]) for _, data in await post.told()] == [
        ("failing", "2026-03-01T12:00:00Z")
    ]
    assert await post.audited() == [("webhook_disabled", "shop", "failing")]


async def test_a_probe_that_succeeds_makes_all_due_and_is_audited(post: Post) -> None:
    await post.put(failures=10, failing_since=NOW - 1 * H, disabled=EndpointFault.FAILING, disabled_at=NOW)
    box = Outbox(CIPHER, {"shop": [Subscription(post.target, frozenset(WebhookEvent))]})
    for number in range(2):
        await write(post.database, box, WebhookEvent.BINDING_CREATED, about=About(follower_id=number))
    for message in await claimed(post.database, CIPHER, target=post.target):
        await settled(post.database, CIPHER, message, state=State.PENDING, due_at=NOW + 10 * H)
    await post.room()
    await post.deliver()
    assert [row["due_at"] for row in await rows(post.database)] == [NOW, NOW]
    assert await post.state() is None
    assert await post.audited() == [("webhook_enabled", "shop", None)]


async def test_the_operators_own_endpoint_is_audited_and_not_told(database: Database) -> None:
    async with posting(database, client=None) as post:
        await post.deliver(Reply(410))
        assert await post.told() == []
        assert await post.audited() == [("webhook_disabled", None, "gone")]


async def test_deliveries_are_counted_by_their_outcome(post: Post) -> None:
    await post.deliver()
    await post.deliver(Reply(500))
    await post.deliver(Reply(500), tries=9)
    outcomes = ("delivered", "failed", "dead")
    counted = [post.delivery.metrics.webhooks.labels("shop", it)._value.get() for it in outcomes]
    assert counted == [1, 1, 1]


async def test_the_log_names_no_token_and_no_user(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="service.webhooks.delivery")
    await post.deliver(Reply(500))
    await post.deliver(Reply(410))
    assert "HTTP 500" in caplog.text
    assert "of-the-url" not in caplog.text
