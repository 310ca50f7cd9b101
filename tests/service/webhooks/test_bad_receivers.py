"""Receivers that fail, hang, redirect or are gone: events are tried again, in order, and no person waits for them.

Red when a push or an exchange waits for a delivery, when a later event of a person overtakes an earlier one, and
when a failed event is lost.

Covers: service.webhooks.build.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from harness import World
from hooked import SECRET, Make, heard, hooked, logged_in, shown
from outgoing import rows
from webhook_receiver import Receiver, Reply, receiving

from models.outbox import State
from sandbox.people import Person
from service import app_keys
from service.outbox import sender as module
from service.webhooks import administration

S, M, H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
Rows = list[Mapping[str, Any]]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the queue often: the clock of a world is advanced without a commit."""
    monkeypatch.setattr(module, "POLL", 0.05)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(SECRET, any_time=True) as one:
        yield one


@pytest.fixture
async def world(make: Make, receiver: Receiver) -> World:
    """A world whose time a test moves."""
    world = await hooked(make, receiver)
    world.clock.hold()
    return world


async def until(world: World, reached: Callable[[Rows], bool]) -> Rows:
    """Wait until the events in the outbox are as *reached* wants them; return them."""
    async with asyncio.timeout(30):
        while not reached(found := await rows(world.app[app_keys.SENDER].database)):
            await asyncio.sleep(0.02)
    return found


async def tried(world: World, times: int = 1) -> Mapping[str, Any]:
    """Wait until the first event has failed so often."""
    return (await until(world, lambda found: bool(found) and found[0]["tries"] >= times))[0]


async def delivered(world: World, number: int) -> Rows:
    return await until(world, lambda found: [it["state"] for it in found].count(State.DELIVERED) == number)


async def looked(world: World) -> None:
    """Wait until the sender has looked at the queue after this call."""
    sender, looks = world.app[app_keys.SENDER], asyncio.Semaphore(0)

    def clock() -> datetime:
        looks.release()
        return world.clock()

    sender.clock = clock
    async with asyncio.timeout(30):
        for _ in range(3):  # the look under way may have begun before
            await looks.acquire()
    sender.clock = world.clock


async def test_what_failed_is_sent_again_after_five_seconds_under_the_same_id(
    world: World, receiver: Receiver
) -> None:
    receiver.replies = [Reply(500, body="broken"), Reply(503)]
    await world.bound("42")
    failed = await tried(world)
    assert (failed["state"], failed["status"], failed["fault"]) == (State.PENDING, 500, "HTTP 500")
    assert 4 * S <= failed["due_at"] - failed["tried_at"] <= 6 * S
    world.clock.advance(6)
    again = await tried(world, 2)
    assert 4 * M <= again["due_at"] - again["tried_at"] <= 6 * M
    world.clock.advance(360)
    await delivered(world, 1)
    assert len({(it.id, it.body) for it in await receiver.wait_for(3)}) == 1
    assert len({it.headers["webhook-timestamp"] for it in receiver.received}) == 3


async def test_an_hour_that_a_receiver_asks_for_holds_every_event(world: World, receiver: Receiver) -> None:
    receiver.replies = [Reply(503, {"Retry-After": "3600"})]
    await world.bound("42")
    failed = await tried(world)
    assert failed["due_at"] - failed["tried_at"] == 1 * H
    await world.bound("43")
    world.clock.advance(3599)
    await looked(world)
    assert shown(receiver.received) == [("binding.created", "42")]
    world.clock.advance(2)
    await delivered(world, 2)


@pytest.mark.parametrize("status", [429, 502, 504])
async def test_a_receiver_that_is_overloaded_gets_a_pause(world: World, receiver: Receiver, status: int) -> None:
    receiver.replies = [Reply(status)]
    await world.bound("42")
    await tried(world)
    await world.bound("43")
    await looked(world)
    assert len(receiver.received) == 1
    world.clock.advance(7)
    await delivered(world, 2)


async def test_another_failure_holds_no_other_person(world: World, receiver: Receiver) -> None:
    receiver.replies = [Reply(500)]
    await world.bound("42")
    await tried(world)
    await world.bound("43")
    assert shown(await receiver.wait_for(2))[1] == ("binding.created", "43")
    found = await delivered(world, 1)
    assert [it["state"] for it in found] == [State.PENDING, State.DELIVERED]


async def test_a_later_event_of_a_person_waits_for_the_earlier_one(world: World, receiver: Receiver) -> None:
    receiver.replies = [Reply(500)]
    person = await world.bound("42")
    await tried(world)
    await logged_in(world, person)
    await world.site("DELETE", "/v1/bindings/42")
    await world.bound("43")
    await delivered(world, 1)
    await looked(world)
    assert shown(receiver.received) == [("binding.created", "42"), ("binding.created", "43")]
    world.clock.advance(7)
    await delivered(world, 4)
    assert shown(receiver.received)[2:] == [
        ("binding.created", "42"),
        ("login.completed", "42"),
        ("binding.removed", "42"),
    ]


async def test_the_events_after_one_that_is_dead_are_sent(world: World, receiver: Receiver) -> None:
    receiver.replies = [Reply(500)] * 10
    person = await world.bound("42")
    await logged_in(world, person)
    for times in range(1, 10):
        await tried(world, times)
        world.clock.advance(30 * 3600)
    await until(world, lambda found: found[0]["state"] is State.DEAD)
    world.clock.advance(400)  # the endpoint is disabled, and tried every five minutes
    found = await delivered(world, 1)
    assert [(it["state"], it["tries"]) for it in found] == [(State.DEAD, 10), (State.DELIVERED, 1)]


async def test_an_endpoint_that_is_gone_gets_what_waited_once_it_is_enabled(
    world: World, receiver: Receiver
) -> None:
    receiver.replies = [Reply(410)]
    person = await world.bound("42")
    await until(world, lambda found: bool(found) and found[0]["status"] == 410)
    await logged_in(world, person)
    world.clock.advance(24 * 3600)
    await looked(world)
    assert len(receiver.received) == 1
    now = world.clock()
    assert await administration.enable(world.settings, client="shop", url=receiver.url, now=now) == 2
    await delivered(world, 2)
    assert shown(receiver.received)[1:] == [("binding.created", "42"), ("login.completed", "42")]
    assert receiver.received[0].id == receiver.received[1].id


async def test_a_redirect_is_a_failure_and_is_not_followed(world: World, receiver: Receiver) -> None:
    receiver.replies = [Reply(308, {"Location": "/elsewhere"})]
    await world.bound("42")
    assert (await tried(world))["fault"] == "redirect"
    assert [it.path for it in receiver.received] == ["/hooks?token=of-the-url"]


async def test_a_body_without_end_is_given_up(world: World, receiver: Receiver) -> None:
    receiver.replies = [Reply(200, endless=True)]
    await world.bound("42")
    await receiver.wait_for_end()
    (found,) = await delivered(world, 1)
    assert len(found["answer"]) <= 1100


@pytest.mark.parametrize("reply", [Reply(wait=600), Reply(200, drip=True)], ids=["silent", "drip"])
async def test_a_receiver_that_never_ends_its_answer_is_tried_again(
    world: World, receiver: Receiver, reply: Reply
) -> None:
    for target in world.app[app_keys.SENDER].targets.values():
        target.http.time_limit = 0.3
    receiver.replies = [reply]
    await world.bound("42")
    assert (await tried(world))["fault"] == "no answer within 20 s"
    world.clock.advance(7)
    await delivered(world, 1)


async def test_a_scan_a_login_and_a_disconnect_end_while_the_receiver_hangs(
    world: World, receiver: Receiver
) -> None:
    receiver.reply = Reply(wait=600)
    person = await world.bound("42")
    await receiver.wait_for(1)
    await logged_in(world, person)
    assert (await world.site("DELETE", "/v1/bindings/42")).status == 204
    for user in range(12):
        await world.bound(f"user-{user}")
    found = await rows(world.app[app_keys.SENDER].database)
    assert [it["state"] for it in found] == [State.PENDING] * 15


async def test_at_most_eight_deliveries_are_under_way_at_one_endpoint(world: World, receiver: Receiver) -> None:
    receiver.reply = Reply(wait=600)
    for user in range(12):
        await world.bound(f"user-{user}")
    await receiver.wait_for(8)
    await looked(world)
    assert len(receiver.received) == 8


async def _bound(one: World, user_id: str) -> Person:
    """Return a person who is bound; the page's service may hear of a scan at the other one after its reply."""
    person, page = await one.person(), await one.bind(user_id)
    await one.scan(person, page)
    await page.until("confirmed")
    return person


async def test_two_services_deliver_each_event_once(world: World, receiver: Receiver, other: World) -> None:
    people = [await _bound(one, f"user-{number}") for number, one in enumerate([world, other] * 5)]
    await asyncio.gather(*(logged_in(other, person) for person in people))
    await delivered(world, 20)
    assert len(await heard(world, receiver, 20)) == len({it.id for it in receiver.received})
