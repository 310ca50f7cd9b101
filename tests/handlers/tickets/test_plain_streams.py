"""A stream that is opened before the router sends what the router's sends, byte for byte.

Red when any condition of `_is_plain` or `Notes.find` is left out, and when the two ways differ in a header.
Covers: handlers.tickets.notes, handlers.tickets.answers.
"""

import asyncio
import logging
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from typing import Any

import pytest
from harness import ORIGIN, Page, World, problem
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from streams import block, event, stream
from two_ways import (
    PATH,
    PLAIN,
    PROOF,
    SECRET,
    Head,
    asking_world,
    comparable,
    compare_at_all_times,
    every_state,
    exchanged,
    forget,
    heads,
    written,
)

from handlers.http.rendered import RenderedStream
from handlers.tickets import plain_streams
from service import app_keys
from service.tickets.status import TicketStatus

EVENTS = "/events"


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The heads of the streams that were opened before the router."""
    opened: list[bytes] = []

    class Counted(RenderedStream):
        def __init__(self, head: bytes, *more: Any) -> None:
            opened.append(head)
            super().__init__(head, *more)

    monkeypatch.setattr(plain_streams, "RenderedStream", Counted)
    return opened


@pytest.fixture
async def asking(make: Any) -> World:
    return await asking_world(make)


@contextmanager
def opened(world: World, page: Page, *headers: tuple[str, str]) -> Iterator[tuple[socket.socket, BufferedReader]]:
    """Open a stream on a connection of its own."""
    head: Head = ("GET", PATH, "HTTP/1.1", (PROOF, *headers))
    with (
        socket.create_connection(("127.0.0.1", int(world.url.rpartition(":")[2])), timeout=10) as connection,
        connection.makefile("rb") as incoming,
    ):
        connection.sendall(written(page, "", head, suffix=EVENTS))
        yield connection, incoming


async def test_both_ways_open_alike_in_every_state_and_at_any_time(asking: World, fast: list[bytes]) -> None:
    pages = await every_state(asking)

    # A failure is not made smaller, which takes minutes.
    @settings(max_examples=30, phases=[Phase.explicit, Phase.generate])
    @given(name=st.sampled_from(["pending", "scanned", *pages]), head=heads)
    @example(name="pending", head=PLAIN)
    def alike(name: str, head: Head) -> None:
        exchanged(asking, written(pages[name], "", PLAIN))  # a poll, which leaves a note
        request = written(pages[name], "none", head, suffix=EVENTS)
        again = comparable(exchanged(asking, request))
        forget(asking)
        assert again == comparable(exchanged(asking, request))

    await compare_at_all_times(asking, pages.values(), alike, fast)


async def test_both_ways_send_alike_to_the_end_and_keep_the_connection(asking: World, fast: list[bytes]) -> None:
    """Red when `RenderedStream` ends a chunk or a response in another way."""

    def whole(page: Page) -> bytes:
        with opened(asking, page, ("Origin", ORIGIN), ("X-Request-Id", "a1b2c3d4")) as (connection, incoming):
            first = b"".join(iter(incoming.readline, b"\n"))
            asyncio.run_coroutine_threadsafe(page.raw("DELETE"), loop).result(10)
            rest = b"".join(iter(incoming.readline, b"0\r\n")) + incoming.readline()
            connection.sendall(written(page, "", PLAIN))
            assert incoming.readline() == b"HTTP/1.1 200 OK\r\n"
            return (first + rest).replace(page.id.encode(), b"-")

    loop = asyncio.get_running_loop()
    pages = [await asking.login(), await asking.login()]
    early = await asyncio.to_thread(whole, pages[0])
    forget(asking)
    late = await asyncio.to_thread(whole, pages[1])
    assert len(fast) == 1
    assert comparable(early) == comparable(late)
    assert (early.count(b"event: status"), early[-4:]) == (2, b"\r\n\r\n")


async def test_the_first_stream_of_a_new_ticket_is_opened_before_the_router(
    asking: World, fast: list[bytes]
) -> None:
    """Red when the answer that creates a ticket leaves no note."""
    page = await asking.login()
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
    assert len(fast) == 1


@pytest.mark.parametrize(
    "head",
    [
        ("HEAD", PATH, "HTTP/1.1", (PROOF,)),
        ("GET", f"{PATH}?", "HTTP/1.1", (PROOF,)),
        ("GET", f"http://x{PATH}", "HTTP/1.1", (PROOF,)),
        ("GET", PATH, "HTTP/1.0", (PROOF, ("Connection", "keep-alive"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, ("Connection", "close"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, ("Expect", "100-continue"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, ("Content-Length", "1"))),
        ("GET", PATH, "HTTP/1.1", (PROOF, PROOF)),
        ("GET", PATH, "HTTP/1.1", (("Authorization", f"Bearer {SECRET}A"),)),
        ("GET", PATH, "HTTP/1.1", (("Authorization", f"bearer {SECRET}"),)),
        ("GET", PATH, "HTTP/1.1", ()),
    ],
    ids=["head", "query", "url", "old", "close", "expect", "body", "twice", "wrong", "case", "none"],
)
async def test_every_other_request_goes_to_the_router(asking: World, fast: list[bytes], head: Head) -> None:
    page = await asking.login()
    await asyncio.to_thread(exchanged, asking, written(page, "", head, suffix=EVENTS))
    assert fast == []
    await asyncio.to_thread(exchanged, asking, written(page, "", PLAIN, suffix=EVENTS))
    assert len(fast) == 1


async def test_a_body_is_refused(asking: World) -> None:
    """Red when `_is_plain` does not look for a body."""
    page = await asking.login()
    request = written(page, "", ("GET", PATH, "HTTP/1.1", (PROOF, ("Content-Length", "1"))), suffix=EVENTS)
    assert (await asyncio.to_thread(exchanged, asking, request + b"x")).startswith(b"HTTP/1.1 400 ")


async def test_a_refused_place_is_a_problem_counted_once(asking: World, fast: list[bytes]) -> None:
    """Red when the refusal of `place` is not left to the router, or a refused stream keeps its place."""
    page = await asking.login()
    address = f"{asking.url}/v1/tickets/{page.id}/events"
    streams = [await asking.http.get(address, headers=page.bearer) for _ in range(8)]
    for _ in range(3):
        await problem(await page.raw(suffix=EVENTS), 429, "rate-limited")
    metrics = await (await asking.call("GET", "/metrics")).text()
    assert 'scanbind_limited_total{limit="streams_per_ticket"} 3.0' in metrics
    assert asking.app[app_keys.WAIT_LIMITER].taken["streams"] == 8
    for one in streams:
        one.close()


async def test_a_ticket_that_has_expired_goes_to_the_router(asking: World, fast: list[bytes]) -> None:
    """Red when `Notes.find` returns a ticket that is not known without a query."""
    page = await asking.login()
    asking.clock.advance(300)
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "expired"
        assert await block(response) == ""
    assert fast == []


async def test_a_change_is_in_the_first_event_of_the_next_stream(asking: World, fast: list[bytes]) -> None:
    page, person = await asking.login(), await asking.person()
    await asking.scan(person, page)
    for _ in range(2):  # the poll in between leaves a note
        async with stream(page) as response:
            first = await event(response)
        assert (first["data"]["status"], first["data"]["match"]) == ("scanned", (await page.poll())["match"])
    assert len(fast) == 1


async def test_a_stream_is_counted_and_logged_at_its_end(
    asking: World, caplog: pytest.LogCaptureFixture, fast: list[bytes]
) -> None:
    """Red when `_counted` leaves out `account`."""
    page = await asking.login()
    caplog.set_level(logging.DEBUG, "scanbind.access")
    async with stream(page) as response:
        await event(response)
        assert (await page.raw("DELETE")).status == 204
        await event(response)
        assert await block(response) == ""
    assert len(fast) == 1
    labels = 'method="GET",route="/v1/tickets/{ticket}/events",status="200"'
    counted = await (await asking.call("GET", "/metrics")).text()
    assert f"scanbind_http_request_seconds_count{{{labels}}} 1.0" in counted
    assert sum(one.getMessage() == "GET /v1/tickets/{ticket}/events 200" for one in caplog.records) == 1


@pytest.mark.parametrize("way", ["before the router", "through the router"])
async def test_a_stream_that_fails_is_cut_off_and_counted(
    asking: World, fast: list[bytes], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when another response follows what was sent, and when `_counted` does not count an error."""

    async def broken(*_: Any) -> Any:
        raise RuntimeError

    def fail() -> None:
        monkeypatch.setattr(TicketStatus, "read", broken)
        asking.app[app_keys.FEED].wake_all()

    def rest() -> bytes:
        with opened(asking, page) as (_, incoming), suppress(ConnectionResetError):
            assert b"pending" in b"".join(iter(incoming.readline, b"\n"))
            loop.call_soon_threadsafe(fail)
            return incoming.read()
        return b""

    loop, page = asyncio.get_running_loop(), await asking.login()
    if way == "through the router":
        forget(asking)
    assert await asyncio.to_thread(rest) in (b"\r\n", b"")
    assert len(fast) == (way == "before the router")
    labels = 'method="GET",route="/v1/tickets/{ticket}/events",status="500"'
    assert f"{labels}}} 1.0" in await (await asking.call("GET", "/metrics")).text()


@pytest.mark.parametrize(("target", "status"), [("", 200), ("events", 404), ("/event", 404)])
async def test_only_the_address_of_events_opens_a_stream(
    asking: World, fast: list[bytes], target: str, status: int
) -> None:
    """Red when `_is_plain` does not look at the end of the path."""
    page = await asking.login()
    answer = await asyncio.to_thread(exchanged, asking, written(page, "", PLAIN, suffix=target))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"event-stream" not in answer
    assert fast == []


async def test_each_stream_has_a_request_id_of_its_own_or_its_callers(asking: World, fast: list[bytes]) -> None:
    page = await asking.login()
    async with stream(page) as one, stream(page) as other:
        assert re.fullmatch("[0-9a-f]{16}", one.headers["X-Request-Id"])
        assert one.headers["X-Request-Id"] != other.headers["X-Request-Id"]
    assert len(fast) == 2


async def test_an_ended_ticket_keeps_no_note(asking: World, fast: list[bytes]) -> None:
    """Red when `leave` leaves one beside a final ticket: a stream of that has no end."""
    page = await asking.login()
    assert (await page.raw("DELETE")).status == 204
    await page.poll()
    began = time.monotonic()
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "cancelled"
        assert await block(response) == ""
    assert (fast, time.monotonic() - began < 5) == ([], True)
