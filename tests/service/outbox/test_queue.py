"""Events are claimed by lease, in order for one person, and settled once. On every database.

Covers: service.outbox.outbox.
"""

import asyncio
import json
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from outgoing import BOSS, NOW, OTHER, SHOP, claimed, due, rows, settled, subscribed, told, write

from models.outbox import State
from models.tables.outbox import outbox
from models.webhook import WebhookEvent
from service.crypto.field_encryption import FieldCipher
from service.outbox import queue
from service.outbox.outbox import About, Outbox, Subscription, answer_to
from service.storage.database import Database
from service.storage.inserting import appending

KEY = "an encryption key of the tests, long enough"
CREATED, REMOVED, LOGIN = (
    WebhookEvent.BINDING_CREATED,
    WebhookEvent.BINDING_REMOVED,
    WebhookEvent.LOGIN_COMPLETED,
)


@pytest.fixture(params=[(), (KEY,)], ids=["clear", "sealed"])
def cipher(request: pytest.FixtureRequest) -> FieldCipher:
    return FieldCipher.of(request.param)


@pytest.fixture
def box(cipher: FieldCipher) -> Outbox:
    return subscribed(cipher, shop=SHOP, other=OTHER)


def about(number: int, *, person: int | None = None) -> About:
    return About(user_id="42", follower_id=number, person=person)


# --- writing


async def test_an_event_has_a_row_for_each_target_that_hears_it(database: Database, cipher: FieldCipher) -> None:
    heard = {
        "shop": [Subscription(SHOP, frozenset({CREATED})), Subscription(OTHER, frozenset({CREATED, LOGIN}))],
        None: [Subscription(BOSS, frozenset({WebhookEvent.WEBHOOK_DISABLED}))],
    }
    await write(database, Outbox(cipher, heard), CREATED, LOGIN)
    found = await rows(database)
    assert [(row["target"], row["event"]) for row in found] == [(SHOP, CREATED), (OTHER, CREATED), (OTHER, LOGIN)]
    assert found[0]["message"] == found[1]["message"] != found[2]["message"]


async def test_a_payload_may_be_longer_than_64_kib(database: Database, box: Outbox, cipher: FieldCipher) -> None:
    users = [str(number) + 120 * "\N{LINKED PAPERCLIPS}" for number in range(150)]

    def work(connection: sa.Connection) -> None:
        with appending(connection) as added:
            box.add(added, WebhookEvent.PERSON_CONFLICT, client="shop", data={"user_ids": users}, at=NOW)

    await database.attempt(work)
    (message,) = await claimed(database, cipher)
    assert json.loads(message.payload)["data"]["user_ids"] == users


async def test_a_client_without_targets_writes_nothing(database: Database, box: Outbox) -> None:
    await write(database, box, CREATED, client="third")
    assert await rows(database) == []
    assert not box.hears("third")


async def test_a_payload_is_the_body_of_a_webhook(database: Database, box: Outbox, cipher: FieldCipher) -> None:
    await write(database, box, CREATED, about=about(1))
    (message,) = await claimed(database, cipher)
    assert json.loads(message.payload) == {
        "type": "binding.created",
        "timestamp": "2026-03-01T12:00:00.000Z",
        "data": {"client": "shop", "user_id": "42"},
    }
    assert message.id.startswith("msg_")


async def test_payloads_and_answers_are_encrypted_like_openids(database: Database) -> None:
    cipher = FieldCipher.of([KEY])
    await write(database, subscribed(cipher, shop=SHOP), CREATED, about=about(1))
    (message,) = await claimed(database, cipher)
    await settled(database, cipher, message, answer=b"thank you, 42")
    (row,) = await rows(database)
    assert b"binding.created" not in row["payload"]
    assert b"thank you" not in row["answer"]


async def test_an_event_of_a_transaction_that_failed_is_not_sent(database: Database, box: Outbox) -> None:
    def work(connection: sa.Connection) -> None:
        with appending(connection) as added:
            box.add(added, CREATED, client="shop", data={}, at=NOW)
        raise ValueError("the change failed")

    with pytest.raises(ValueError, match="the change failed"):
        await database.attempt(work)
    assert await rows(database) == []


# --- claiming


async def test_two_processes_never_claim_the_same_event(
    database: Database, box: Outbox, cipher: FieldCipher
) -> None:
    for number in range(8):
        await write(database, box, CREATED, about=about(number))
    numbers = await due(database)
    claims = [partial(queue.claim, numbers=numbers, lease=it, now=NOW, cipher=cipher) for it in "abcd"]
    found = await asyncio.gather(*(database.attempt(claim) for claim in claims))
    assert sorted(message.number for each in found for message in each) == sorted(numbers)


async def test_a_lease_ends_by_itself(database: Database, box: Outbox, cipher: FieldCipher) -> None:
    await write(database, box, CREATED)
    (message,) = await claimed(database, cipher, "crashed")
    assert await due(database, now=NOW + queue.LEASE - timedelta(seconds=1)) == []
    (again,) = await claimed(database, cipher, "next", now=NOW + queue.LEASE)
    assert again == message


async def test_a_try_whose_lease_has_ended_settles_nothing(
    database: Database, box: Outbox, cipher: FieldCipher
) -> None:
    await write(database, box, CREATED)
    (message,) = await claimed(database, cipher, "slow")
    await claimed(database, cipher, "next", now=NOW + queue.LEASE)
    assert not await settled(database, cipher, message, "slow", state=State.DEAD)
    assert await settled(database, cipher, message, "next")
    assert [row["state"] for row in await rows(database)] == [State.DELIVERED]


async def test_a_released_event_may_be_claimed_at_once(
    database: Database, box: Outbox, cipher: FieldCipher
) -> None:
    await write(database, box, CREATED)
    await claimed(database, cipher, "stopped")
    numbers = [row["id"] for row in await rows(database)]
    await database.attempt(partial(queue.release, numbers=numbers, lease="stopped"))
    assert len(await claimed(database, cipher, "next")) == 1


async def test_a_later_try_waits_until_it_is_due(database: Database, box: Outbox, cipher: FieldCipher) -> None:
    await write(database, box, CREATED)
    (message,) = await claimed(database, cipher)
    later = NOW + timedelta(minutes=5)
    await settled(database, cipher, message, state=State.PENDING, due_at=later, status=500, fault="HTTP 500")
    assert await due(database, now=later - timedelta(seconds=1)) == []
    (again,) = await claimed(database, cipher, now=later)
    assert (again.tries, again.id) == (1, message.id)


async def test_a_try_that_failed_meanwhile_is_not_repeated_before_it_is_due(
    database: Database, box: Outbox, cipher: FieldCipher
) -> None:
    await write(database, box, CREATED)
    seen_by_another = await due(database)
    (message,) = await claimed(database, cipher)
    await settled(database, cipher, message, state=State.PENDING, due_at=NOW + timedelta(minutes=5))
    claim = partial(queue.claim, numbers=seen_by_another, lease="another", now=NOW, cipher=cipher)
    assert await database.attempt(claim) == []


# --- order


@pytest.mark.parametrize(
    ("first", "second"),
    [(about(1), about(1)), (about(1, person=7), about(2, person=7))],
    ids=["of one identity", "of one person"],
)
async def test_later_events_wait_for_an_earlier_one(
    database: Database, box: Outbox, cipher: FieldCipher, first: About, second: About
) -> None:
    await write(database, box, CREATED, about=first)
    await write(database, box, REMOVED, about=second)
    (earlier,) = await claimed(database, cipher)
    assert (earlier.event, await due(database)) == (CREATED, [])
    again = NOW + timedelta(hours=1)
    await settled(database, cipher, earlier, state=State.PENDING, due_at=again)
    assert await due(database) == []
    (earlier,) = await claimed(database, cipher, now=again)
    await settled(database, cipher, earlier, state=State.DEAD)
    (later,) = await claimed(database, cipher)
    assert later.event == REMOVED


async def test_events_of_others_do_not_wait(database: Database, box: Outbox, cipher: FieldCipher) -> None:
    await write(database, box, CREATED, about=about(1, person=7))
    await write(database, box, CREATED, about=about(2))
    await write(database, box, CREATED, client="other", about=about(1, person=7))
    await write(database, box, LOGIN)
    await write(database, box, LOGIN)
    assert len(await claimed(database, cipher)) == 4
    assert len(await claimed(database, cipher, target=OTHER)) == 1


async def test_the_oldest_come_first(database: Database, box: Outbox) -> None:
    for number in range(4):
        await write(database, box, CREATED, about=about(number))
    found = await due(database, limit=2)
    assert found == [row["id"] for row in (await rows(database))[:2]]
    find = partial(queue.due_targets, targets=(SHOP, OTHER))
    assert await database.read(partial(find, now=NOW)) == [SHOP]
    assert await database.read(partial(find, now=NOW - timedelta(seconds=1))) == []


async def test_many_events_of_one_person_do_not_slow_down_the_search(database: Database) -> None:
    delivered, waiting = 6_000, 12_000
    row = {"target": SHOP, "client": "shop", "event": LOGIN, "follower_id": 1, "person_id": 1, "payload": b"{}"}
    row |= {"at": NOW, "due_at": NOW, "erased": False, "tries": 0}
    states = [State.DELIVERED] * delivered + [State.PENDING] * waiting
    found = [row | {"message": f"msg_{number}", "state": state} for number, state in enumerate(states)]
    await database.attempt(lambda connection: connection.execute(sa.insert(outbox), found))
    async with asyncio.timeout(5):  # of a search that compares them with each other: minutes
        (first,) = await due(database)
    (message,) = await database.read(lambda it: it.scalars(sa.select(outbox.c.message).filter_by(id=first)).all())
    assert message == f"msg_{delivered}"


# --- erasure


async def test_erasure_takes_the_payload_of_what_was_delivered(
    database: Database, box: Outbox, cipher: FieldCipher
) -> None:
    await write(database, box, CREATED, about=about(1))
    (message,) = await claimed(database, cipher)
    await settled(database, cipher, message, answer=b"yes")
    await write(database, box, CREATED, about=about(2))
    assert await database.attempt(partial(queue.erase_payloads, whose=outbox.c.follower_id == 1)) == 1
    erased, other = await rows(database)
    assert [erased[name] for name in ("payload", "answer", "user_id", "follower_id")] == [None] * 4
    assert (erased["state"], other["payload"] is not None) == (State.DELIVERED, True)


async def test_what_is_pending_at_an_erasure_is_still_delivered_and_then_erased(
    database: Database, box: Outbox, cipher: FieldCipher
) -> None:
    await write(database, box, CREATED, about=about(1))
    await database.attempt(partial(queue.erase_payloads, whose=outbox.c.follower_id == 1))
    await write(database, box, REMOVED, about=About(user_id="42", follower_id=1, erased=True))
    for event in (CREATED, REMOVED):
        (message,) = await claimed(database, cipher)
        assert message.event == event
        await settled(database, cipher, message, answer=b"yes")
    assert await told(database, cipher) == [(CREATED, {}), (REMOVED, {})]
    assert {row["answer"] for row in await rows(database)} == {None}


async def test_payloads_that_no_key_decrypts_are_left_and_keep_no_others_waiting(database: Database) -> None:
    lost, cipher = subscribed(FieldCipher.of([KEY]), shop=SHOP), FieldCipher.of([])
    for number in range(3):
        await write(database, lost, CREATED, about=about(number))
    await write(database, subscribed(cipher, shop=SHOP), LOGIN, about=about(4), at=NOW + timedelta(seconds=1))
    now = NOW + timedelta(seconds=2)
    unreadable = await due(database, now=now, limit=3)
    assert (
        await database.attempt(partial(queue.claim, numbers=unreadable, lease="one", now=now, cipher=cipher)) == []
    )
    found = await due(database, now=now + queue.LEASE, limit=3)
    claim = partial(queue.claim, numbers=found, lease="one", now=now + queue.LEASE, cipher=cipher)
    assert [message.event for message in await database.attempt(claim)] == [LOGIN]
    assert [row["state"] for row in await rows(database)] == [State.PENDING] * 4
    found = await claimed(database, FieldCipher.of([KEY]), now=now + timedelta(hours=1))
    assert [message.event for message in found] == [CREATED, CREATED, CREATED, LOGIN]


# --- keys


async def test_a_settled_event_has_one_key_though_it_was_written_with_an_older_one(database: Database) -> None:
    old, both = FieldCipher.of([]), FieldCipher.of([KEY, "clear"])
    await write(database, subscribed(old, shop=SHOP), CREATED, about=about(1))
    (message,) = await claimed(database, both)
    await settled(database, both, message, answer=b"thank you")
    (row,) = await rows(database)
    assert row["sealed_by"] == both.newest
    assert both.unseal(row["answer"], about=answer_to(message.id), by=row["sealed_by"]) == b"thank you"
    assert await told(database, both) == [(CREATED, {"client": "shop", "user_id": "42"})]


async def test_events_are_encrypted_again_with_the_newest_key(database: Database) -> None:
    old, both = FieldCipher.of([]), FieldCipher.of([KEY, "clear"])
    await write(database, subscribed(old, shop=SHOP), CREATED, about=about(1))
    async with database.reading() as connection:
        (row,) = (await connection.execute(sa.select(*queue.SEALED))).mappings().all()
    reseal = partial(queue.reseal, row=row, cipher=both)
    assert [await database.attempt(reseal) for _ in range(2)] == [1, 0]
    assert await told(database, both) == [(CREATED, {"client": "shop", "user_id": "42"})]
    assert b"binding.created" not in (await rows(database))[0]["payload"]
