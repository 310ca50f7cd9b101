"""Compare-and-swap over a real Valkey: values expire, for every clock on either side."""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from redis.asyncio import Redis

from service.storage import compare_and_swap
from service.storage.compare_and_swap import CasStore


class Behind(datetime):
    """A clock ten minutes behind Redis's."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain datetime will do
        return datetime.now(tz) - timedelta(minutes=10)


async def test_a_clock_behind_that_of_redis_costs_nothing(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_and_swap, "datetime", Behind)
    await CasStore(redis).change("key", lambda _: "value", until=Behind.now(UTC) + timedelta(seconds=60))
    assert await redis.get("key") == "value"
    assert 55_000 < await redis.pttl("key") <= 60_000
