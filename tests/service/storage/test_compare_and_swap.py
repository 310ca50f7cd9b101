"""Compare-and-swap over a real Valkey: values expire, for every clock on either side.

Red when `change` does not go on from the value that Redis returns, or reads the value though one is expected.
"""

from datetime import UTC, datetime, timedelta, tzinfo

import pytest
from moments import soon
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


async def test_no_change_makes_a_value_expire_earlier(redis: Redis) -> None:
    """Red when the script does not ask for the time that is left: an older question is marked as answered."""
    store = CasStore(redis)
    await store.change("key", lambda _: "one", until=soon())
    await store.change("key", lambda _: "two", until=soon() - timedelta(seconds=200))
    assert 290_000 < await redis.pttl("key") <= 300_000


@pytest.mark.parametrize("expected", ["", "older"])
async def test_a_value_other_than_expected_is_changed_all_the_same(redis: Redis, expected: str) -> None:
    await redis.set("key", "newer")
    seen: list[str] = []

    def move(value: str) -> str:
        seen.append(value)
        return f"{value} and more"

    changed = await CasStore(redis).change("key", move, until=soon(), expected=expected)
    assert seen == [expected, "newer"]
    assert changed == await redis.get("key") == "newer and more"


async def test_an_expected_value_is_not_read(redis: Redis) -> None:
    store = CasStore(redis)
    await store.change("key", lambda _: "one", until=soon())
    await redis.config_resetstat()
    await store.change("key", lambda _: "two", until=soon(), expected="one")
    assert (await redis.info("commandstats"))["cmdstat_get"]["calls"] == 1  # that of the script
    assert await redis.get("key") == "two"
