"""A database that accepts statements and answers none."""

from collections.abc import Callable
from typing import Any

import pytest
from freezing import frozen, postgresql_pids
from harness import World
from streams import block, event, stream

from service.storage import database
from service.storage.database import Database


async def test_a_stream_gives_signs_of_life_while_the_database_hangs(
    postgresql: str, postgres: Database, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `status._reread` only awaits the read: a lapse is asked of SQL."""
    monkeypatch.setattr("handlers.tickets.stream._HEARTBEAT", 0.1)
    monkeypatch.setitem(database._ANSWERING["asyncpg"], "command_timeout", 60)
    world: World = await make(database_url=postgresql)
    page = await world.login()
    pids = await postgresql_pids(postgres)
    async with stream(page) as response:
        assert (await event(response))["data"]["status"] == "pending"
        with frozen(pids):
            world.clock.advance(301)
            assert [await block(response) for _ in range(20)] == [":\n"] * 20
        assert (await event(response))["data"]["status"] == "expired"
        assert await block(response) == ""
