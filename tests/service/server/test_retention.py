"""Rows past their retention are deleted every hour, also after a failure."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import client
from sealed import KEYS, Back

from models.errors import StoreUnavailable
from service.server import retention

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def test_everything_is_purged_at_its_own_age_and_again_after_a_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "_EVERY", 0.0)
    seen: list[tuple[str, datetime]] = []
    done = asyncio.Event()

    async def endings(before: datetime) -> int:
        seen.append(("endings", before))
        if len(seen) == 1:
            raise StoreUnavailable("the database does not answer")
        return 0

    async def sessions(before: datetime) -> int:
        seen.append(("sessions", before))
        done.set()
        return 0

    task = asyncio.create_task(retention.run(((endings, DAY), (sessions, 2 * DAY)), clock=lambda: NOW))
    async with asyncio.timeout(60):
        await done.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    day = NOW - DAY
    assert seen[:3] == [("endings", day), ("endings", day), ("sessions", day - DAY)]
    assert "retrying in an hour" in caplog.text


async def test_passcodes_go_with_their_tickets(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `_cleaning` leaves them out, or keeps them as long as endings."""
    monkeypatch.setattr(retention, "_EVERY", 0.05)
    world = await make(clients={"shop": client("shop", methods=["passcode"])})
    page = await world.login()
    file = world.settings.data_dir / "scanbind.sqlite3"
    count = "SELECT count(*) FROM passcodes"
    with closing(sqlite3.connect(file)) as database:
        assert database.execute(count).fetchone() == (1,)
        world.clock.advance(page.made["expires_in"] + 1)
        async with asyncio.timeout(30):
            while database.execute(count).fetchone() != (0,):
                await asyncio.sleep(0.02)


async def test_used_sealed_calls_go_after_an_hour(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `_cleaning` leaves them out."""
    monkeypatch.setattr(retention, "_EVERY", 0.05)
    shop = Back(await make(clients={"shop": client("shop", sealing_key=KEYS["shop"])}))
    await shop.ask("GET", "/v1/bindings/42")
    count = "SELECT count(*) FROM sealed_calls"
    with closing(sqlite3.connect(shop.world.settings.data_dir / "scanbind.sqlite3")) as database:
        assert database.execute(count).fetchone() == (1,)
        shop.world.clock.advance(3601)
        async with asyncio.timeout(30):
            while database.execute(count).fetchone() != (0,):
                await asyncio.sleep(0.02)
