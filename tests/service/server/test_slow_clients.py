"""Silent and slow connections are closed."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness import World

from handlers.tickets import stream
from service import app_keys
from service.server import slow_clients

PATIENCE = 1.0
SOON = 20.0


async def connected(world: World, *, window: int | None = None) -> socket.socket:
    """Connect to the service; with *window* bytes to receive into, as few as the system allows."""
    sock = socket.socket()
    if window is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", int(world.url.rsplit(":", 1)[1])))
    return sock


async def read(sock: socket.socket, count: int = 4096) -> bytes:
    """Return what comes next, b'' for the end of the connection, however it ended."""
    async with asyncio.timeout(SOON):
        try:
            return await asyncio.get_running_loop().sock_recv(sock, count)
        except ConnectionResetError:
            return b""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON):
        while not await condition():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: 1\r\n"],
    ids=["nothing", "line", "head"],
)
async def test_who_sends_no_whole_request_is_let_go(
    make: Any, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Red when `TimeoutServer.connection_made` sets no timer."""
    monkeypatch.setattr(slow_clients, "ASKS_WITHIN", PATIENCE)
    world = await make()
    with await connected(world) as sock:
        began = time.monotonic()
        await asyncio.get_running_loop().sock_sendall(sock, sent)
        assert await read(sock) == b""
        assert time.monotonic() - began >= PATIENCE / 2


async def test_a_head_that_trickles_in_wins_no_time(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `TimeoutServer.connection_made` sets no timer."""
    monkeypatch.setattr(slow_clients, "ASKS_WITHIN", PATIENCE)
    world = await make()
    with await connected(world) as sock:
        await asyncio.get_running_loop().sock_sendall(sock, b"GET /livez HTTP/1.1\r\nX-Slow: ")

        async def refused() -> bool:
            try:
                await asyncio.get_running_loop().sock_sendall(sock, b"x")
            except ConnectionError:
                return True
            return False

        await until(refused)


async def test_who_has_asked_may_take_time_with_the_next(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `TimeoutServer._make_request` leaves the timer running."""
    monkeypatch.setattr(slow_clients, "ASKS_WITHIN", PATIENCE)
    world = await make()
    with await connected(world) as sock:
        for pause in (0, 2 * PATIENCE):
            await asyncio.sleep(pause)  # not for something to happen, but to be late
            await asyncio.get_running_loop().sock_sendall(sock, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await read(sock)).startswith(b"HTTP/1.1 200")


async def test_between_requests_a_connection_is_not_kept_for_ever(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when the server is made without `keepalive_timeout`."""
    monkeypatch.setattr(slow_clients, "KEPT_FOR", PATIENCE)
    world = await make()
    with await connected(world) as sock:
        await asyncio.get_running_loop().sock_sendall(sock, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await read(sock)).startswith(b"HTTP/1.1 200")
        assert await read(sock) == b""


async def test_a_stream_that_is_not_read_is_ended(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `TimeoutServer.connection_made` sets no TCP_USER_TIMEOUT, where the system has it."""
    monkeypatch.setattr(slow_clients, "TAKES_WITHIN", 1.0)
    monkeypatch.setattr(stream, "_HEARTBEAT", 0.0005)  # so that the little there is to say fills its window soon
    world = await make()
    page = await world.login()
    with await connected(world, window=1) as sock:
        asked = f"GET /v1/tickets/{page.id}/events HTTP/1.1\r\nHost: x\r\n"
        bearer = f"Authorization: {page.bearer['Authorization']}\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(sock, (asked + bearer).encode())
        feed = world.app[app_keys.FEED]
        assert (await read(sock, 12)).startswith(b"HTTP/1.1 200")

        async def gone() -> bool:
            return feed.waiting == 0 and not world.app[app_keys.WAIT_LIMITER]._streams._taken

        await until(gone)
