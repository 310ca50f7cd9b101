"""A sealed call is used once, on every database, and only while it is fresh.

Red when the row is looked for and not inserted, when another client's calls count, and when a call is purged while
it could still be repeated.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from models.errors import InvalidRequest
from models.tables.sealed_calls import sealed_calls
from service.sealed_calls.used_calls import FRESH_FOR, KEPT, UsedCalls
from service.storage.database import Database

NOW = datetime(2026, 3, 1, 12, 0, 0, 900_000, tzinfo=UTC)
IAT = int(NOW.timestamp())
JTI = "a" * 16


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calls(database: Database, clock: Clock) -> UsedCalls:
    return UsedCalls(database=database, clock=clock)


async def test_a_call_is_used_once_for_each_client(calls: UsedCalls) -> None:
    await calls.use("shop", JTI, issued_at=IAT)
    for issued_at in (IAT, IAT - 1):
        with pytest.raises(InvalidRequest, match="jti: was used before"):
            await calls.use("shop", JTI, issued_at=issued_at)
    await calls.use("club", JTI, issued_at=IAT)
    for other in ("b" * 16, "A" * 16, f"{JTI}a", f"{JTI}-", "~" * 16):
        await calls.use("shop", other, issued_at=IAT)


async def test_of_many_at_once_one_is_used(calls: UsedCalls) -> None:
    found = await asyncio.gather(
        *(calls.use("shop", JTI, issued_at=IAT) for _ in range(50)), return_exceptions=True
    )
    assert [one for one in found if one is None] == [None]
    assert sum(isinstance(one, InvalidRequest) for one in found) == 49


@pytest.mark.parametrize("off", [-FRESH_FOR, -1, 0, 1, FRESH_FOR])
async def test_a_call_is_fresh_for_300_whole_seconds_either_way(calls: UsedCalls, off: int) -> None:
    await calls.use("shop", JTI, issued_at=IAT + off)


@pytest.mark.parametrize("off", [-FRESH_FOR - 1, FRESH_FOR + 1, -(10**9), 10**30])
async def test_a_call_of_another_time_is_refused_with_the_services_time_and_not_used_up(
    calls: UsedCalls, off: int
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await calls.use("shop", JTI, issued_at=IAT + off)
    assert refused.value.detail == (
        f"iat: must be within 300 seconds of the service's clock, which shows {IAT} (2026-03-01T12:00:00Z)"
    )
    await calls.use("shop", JTI, issued_at=IAT)


async def test_a_call_is_kept_until_it_cannot_be_repeated(
    calls: UsedCalls, clock: Clock, database: Database
) -> None:
    latest = IAT + FRESH_FOR
    await calls.use("shop", JTI, issued_at=latest)
    clock.now = datetime.fromtimestamp(latest + FRESH_FOR, UTC) + timedelta(seconds=0.9)
    assert await calls.purge(clock.now - KEPT) == 0
    with pytest.raises(InvalidRequest, match="jti: "):
        await calls.use("shop", JTI, issued_at=latest)
    clock.now += timedelta(seconds=1)
    with pytest.raises(InvalidRequest, match="iat: "):
        await calls.use("shop", JTI, issued_at=latest)
    assert await calls.purge(NOW + timedelta(seconds=1)) == 1
    async with database.reading() as connection:
        assert (await connection.execute(sa.select(sealed_calls))).all() == []


async def test_the_table_names_neither_client_nor_call(calls: UsedCalls, dump: Any) -> None:
    await calls.use("shop", "canary-of-a-call", issued_at=IAT)
    found = await dump()
    assert "canary" not in found
    assert "shop" not in found
