"""The event stream of a ticket: every state once, heartbeats, and an end after the final state."""

import asyncio
from asyncio import selector_events
from typing import Any

import pytest
from harness import World, client, problem
from streams import block, event, stream
from yarl import URL

from handlers.tickets.stream import _FIRST, _HEARTBEAT, _LATER, _time_to_act
from service import app_keys
from service.tickets.status import TicketStatus

HEARTBEAT = 0.05


@pytest.fixture
async def asking(make: Any) -> World:
    started: World = await make(clients={"shop": client("shop", confirm="choose"), "club": client("club")})
    return started


async def test_a_stream_tells_each_state_once_and_ends_after_the_last(asking: World) -> None:
    page, person = await asking.login(), await asking.person()
    async with stream(page) as response:
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        assert response.headers["Cache-Control"] == "no-store, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["X-Request-Id"]
        seen = [await event(response)]
        await asking.scan(person, page)
        seen.append(await event(response))
        await asking.scan(person, page)
        await asking.say(person, "hello")
        await asking.say(person, seen[-1]["data"]["match"])
        seen.append(await event(response))
        assert await block(response) == ""
    assert [one.keys() for one in seen] == [{"event", "id", "data"}] * 3
    assert [one["event"] for one in seen] == ["status"] * 3
    assert [one["data"]["status"] for one in seen] == ["pending", "scanned", "confirmed"]
    assert len({one["id"] for one in seen}) == 3
    assert seen[-1]["data"]["code"]


async def test_an_event_is_what_a_poll_says_and_its_id_the_tag(asking: World) -> None:
    page = await asking.login()
    async with stream(page) as response:
        told = await event(response)
        polled = await page.raw()
        now = await polled.json()
        assert (await page.raw("DELETE")).status == 204
    assert told["id"] == polled.headers["ETag"]
    assert {**told["data"], "expires_in": 0} == {**now, "expires_in": 0}


async def test_a_stream_begins_with_the_present_state_and_of_an_ended_ticket_is_only_that(world: World) -> None:
    page = await world.login()
    assert (await page.raw("DELETE")).status == 204
    await page.until("cancelled")
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "cancelled"
        assert await block(response) == ""


async def test_silence_is_filled_with_comments(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", HEARTBEAT)
    page = await world.login()
    async with stream(page) as response:
        await event(response)
        assert [await block(response) for _ in range(3)] == [":\n"] * 3
        assert (await page.raw("DELETE")).status == 204
        assert (await event(response))["data"]["status"] == "cancelled"


async def test_a_comment_wakes_no_stream(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `again` of `Feed.wait` is not called."""
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", HEARTBEAT)
    page = await world.login()
    async with stream(page) as response:
        await event(response)
        monkeypatch.setattr(TicketStatus, "read", None)
        assert [await block(response) for _ in range(3)] == [":\n"] * 3


async def test_a_browser_without_chunks_gets_comments_as_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_Comment` writes a chunk over HTTP/1.0."""
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", HEARTBEAT)
    page, at = await world.login(), URL(world.url)
    reader, writer = await asyncio.open_connection(at.host, at.port)
    bearer = page.bearer["Authorization"]
    writer.write(f"GET /v1/tickets/{page.id}/events HTTP/1.0\r\nAuthorization: {bearer}\r\n\r\n".encode())
    async with asyncio.timeout(20):
        head, first = [await reader.readuntil(b"\r\n\r\n"), await reader.readuntil(b"\n\n")]
        assert (b"chunked" in head, first[:7]) == (False, b"event: ")
        assert [await reader.readuntil(b"\n\n") for _ in range(3)] == [b":\n\n"] * 3
    writer.close()


async def test_a_lapse_is_told_in_time_after_a_comment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `_Again` does not look at the expiry."""
    pauses = iter([0.05])
    monkeypatch.setattr("handlers.tickets.stream._time_to_act", lambda *_, **__: next(pauses, 3600.0))
    world.clock.hold()
    page = await world.login()
    world.clock.advance(298)
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        assert await block(response) == ":\n"
        world.clock.advance(2)
        assert (await event(response))["data"]["status"] == "expired"


@pytest.mark.parametrize("streams", [1, 200, 5000])
async def test_the_silence_is_never_longer_than_promised(streams: int) -> None:
    for soonest in (_FIRST, _LATER):
        pauses = [_time_to_act(streams, soonest=soonest) for _ in range(1000)]
        assert soonest * _HEARTBEAT <= min(pauses)
        assert max(pauses) < 14.5


@pytest.mark.parametrize(("streams", "ticks"), [(200, range(7, 10)), (5000, range(50, 63))], ids=["few", "many"])
async def test_few_streams_share_the_ticks_at_which_they_act(streams: int, ticks: range) -> None:
    """Red when a tick has one length for all numbers of streams, or a length for each number."""
    loop = asyncio.get_running_loop()
    numbers = [streams + more % 40 for more in range(1000)]
    acts = {round(loop.time() + _time_to_act(number, soonest=_FIRST), 1) for number in numbers}
    assert len(acts) in ticks


async def test_the_head_comes_with_the_first_event_and_the_end_with_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_Stream` sends its head at once, or `_send` ends no response: each is one more system call."""
    page, sent, transport = await world.login(), list[bytes](), selector_events._SelectorSocketTransport
    write = transport.write

    def writes(self: Any, data: bytes) -> None:
        if self.get_extra_info("sockname")[1:2] == (URL(world.url).port,):  # unix sockets have a path
            sent.append(data)
        write(self, data)

    monkeypatch.setattr(transport, "write", writes)
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        await page.raw("DELETE")
        assert (await event(response))["data"]["status"] == "cancelled"
        assert await block(response) == ""
    first, last = [one for one in sent if b"event: status" in one]
    assert (first[:15], last[-7:]) == (b"HTTP/1.1 200 OK", b"\r\n0\r\n\r\n")


async def test_a_lapse_is_told_and_ends_the_stream(world: World) -> None:
    world.clock.hold()
    page = await world.login()
    world.clock.advance(298)
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        world.clock.advance(2)
        assert (await event(response))["data"]["status"] == "expired"
        assert await block(response) == ""


async def test_the_streams_of_a_ticket_are_capped_and_a_place_is_free_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", HEARTBEAT)
    page, other = await world.login(), await world.login()
    address = f"{world.url}/v1/tickets/{page.id}/events"
    streams = [await world.http.get(address, headers=page.bearer) for _ in range(8)]
    assert [one.status for one in streams] == [200] * 8
    ninth = await page.raw(suffix="/events")
    await problem(ninth, 429, "rate-limited")
    assert int(ninth.headers["Retry-After"]) >= 1
    async with stream(other) as response:
        assert (await event(response))["data"]["status"] == "pending"
    streams.pop().close()
    async with asyncio.timeout(10):
        while True:
            async with stream(page) as response:
                if response.status == 200:
                    break
            await asyncio.sleep(HEARTBEAT)
    for one in streams:
        one.close()


async def test_a_browser_that_left_frees_its_place_before_anything_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", 3600.0)
    page = await world.login()
    address = f"{world.url}/v1/tickets/{page.id}/events"
    streams = [await world.http.get(address, headers=page.bearer) for _ in range(8)]
    streams.pop().close()
    async with asyncio.timeout(20):
        while True:
            async with stream(page) as response:
                if response.status == 200:
                    break
            await asyncio.sleep(0.02)
    for one in streams:
        one.close()


async def test_streams_end_when_the_service_stops(world: World) -> None:
    page = await world.login()
    async with stream(page) as response:
        await event(response)
        world.app[app_keys.DRAINING].set()
        world.app[app_keys.FEED].close()
        rest = [await block(response), await block(response)]
        assert rest[-1] == ""
        assert not any("event" in one for one in rest)
