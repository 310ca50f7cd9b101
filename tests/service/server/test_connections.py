"""The limit of connections per address, and trusted proxies without one."""

import asyncio
import gc
import socket
import sqlite3
from contextlib import ExitStack, closing
from ipaddress import ip_network
from typing import Any

import pytest
from harness import World

from models.errors import RateLimited
from service import app_keys
from service.server import slow_clients
from service.server.slow_clients import Peers

REQUEST = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
MALLORY, ANNA = "127.0.0.2", "127.0.0.3"


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all of this machine's addresses but the first count like other addresses."""
    monkeypatch.setattr(slow_clients, "LOOPBACK", (ip_network("127.0.0.1/32"),))


async def connected(world: World, address: str) -> socket.socket:
    """Connect to the service from *address*."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((address, 0))
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", int(world.url.rsplit(":", 1)[1])))
    return sock


async def ended(sock: socket.socket) -> bool:
    """Tell whether the service ends a connection on which it was asked nothing, and says nothing on it."""
    async with asyncio.timeout(slow_clients.ASKS_WITHIN * 0.8):
        try:
            return await asyncio.get_running_loop().sock_recv(sock, 1) == b""
        except ConnectionResetError:
            return True


async def served(sock: socket.socket) -> bool:
    """Ask something; tell whether it is answered."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(60):
        try:
            await loop.sock_sendall(sock, REQUEST)
            return (await loop.sock_recv(sock, 4096)).startswith(b"HTTP/1.1 200 ")
        except ConnectionError:
            return False


@pytest.mark.usefixtures("strangers")
async def test_an_address_holds_so_many_connections_and_those_stay(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when `TimeoutServer.connection_made` asks no `Peers`; at the end when `connection_lost` tells none."""
    world: World = await make(limits={"connections_per_address": 3})
    world.clock.hold()
    with ExitStack() as stack:
        held = [stack.enter_context(await connected(world, MALLORY)) for _ in range(3)]
        for _ in range(4):
            assert await ended(stack.enter_context(await connected(world, MALLORY)))
        assert await served(stack.enter_context(await connected(world, ANNA)))
        assert [await served(sock) for sock in held] == [True] * 3
        metrics = await (await world.call("GET", "/metrics")).text()
        assert 'scanbind_limited_total{limit="connections_per_address"} 4.0' in metrics
        held[0].close()
        async with asyncio.timeout(60):
            while not await served(stack.enter_context(await connected(world, MALLORY))):
                await asyncio.sleep(0.01)
    await world.app[app_keys.AUDIT].flush()
    with closing(sqlite3.connect(world.settings.data_dir / "scanbind.sqlite3")) as sql:
        lines = list(sql.execute("select detail from audit where event = 'limit_hit'"))
    assert lines == [(f"connections_per_address {MALLORY}",)], "once a minute"
    gc.collect()
    assert [one.getMessage() for one in caplog.records if one.name == "asyncio" and one.levelname == "ERROR"] == []


async def test_connections_of_this_machine_are_not_counted(make: Any) -> None:
    """Red when `Peers` leaves LOOPBACK out: a proxy on this machine stands for all its visitors."""
    world = await make(limits={"connections_per_address": 1})
    with ExitStack() as stack:
        socks = [stack.enter_context(await connected(world, MALLORY)) for _ in range(4)]
        assert [await served(sock) for sock in socks] == [True] * 4


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    "how",
    [
        {"limits": {"connections_per_address": 1}, "server": {"trusted_proxies": ["127.0.0.2/31"]}},
        {"limits": {"connections_per_address": 0}},
    ],
    ids=["trusted", "none"],
)
async def test_trusted_proxies_and_0_know_no_limit(make: Any, how: dict[str, Any]) -> None:
    """Red when `Peers` leaves *trusted* out, or takes 0 for a limit."""
    world = await make(**how)
    with ExitStack() as stack:
        socks = [stack.enter_context(await connected(world, MALLORY)) for _ in range(4)]
        assert [await served(sock) for sock in socks] == [True] * 4


def entered(peers: Peers, address: str) -> object | None:
    connection = object()
    try:
        peers.enter(connection, address)
    except RateLimited:
        return None
    return connection


def test_an_ipv6_subscriber_is_one_and_a_48_has_sixteen_times_as_much() -> None:
    """Red when `Peers.enter` counts the very address, or the /64 alone."""
    peers = Peers(2, trusted=())
    assert [bool(entered(peers, f"2001:db8:1:2::{last}")) for last in range(3)] == [True, True, False]
    assert [bool(entered(peers, f"2001:db8:1:{net:x}::1")) for net in range(16, 50)].count(True) == 30
    assert entered(peers, "2001:db8:2::1")
    assert [bool(entered(peers, f"::ffff:203.0.113.{last}")) for last in (1, 1, 1, 2)] == [True, True, False, True]


def test_nothing_is_kept_of_connections_that_have_ended_or_were_refused() -> None:
    """Red when `Peers.leave` forgets no name, or `enter` counts before it has checked all of them."""
    peers = Peers(2, trusted=())
    for address in ("203.0.113.7", "2001:db8:1:2::1", "", "unix", "127.0.0.1", "::1"):
        for connection in [entered(peers, address) for _ in range(40)]:
            peers.leave(connection)
    assert (peers._held, peers._counter._taken) == ({}, {})
