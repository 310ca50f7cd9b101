"""Values as JSON in a real Valkey.

Red when a value comes back as another, when one is made by a change, or when a change without effect is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

import pytest
from moments import soon
from redis.asyncio import Redis

from service.storage.records import RecordStore


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    at: datetime | None = None
    owners: Mapping[Colour, str] = field(default_factory=dict)


WHOLE = Thing("中", datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC), {Colour.RED: "x"})


async def test_a_value_comes_back_as_it_was(redis: Redis) -> None:
    things = RecordStore(redis, "things:", Thing)
    for thing in (WHOLE, Thing("")):
        await things.add(thing.name, thing, until=soon())
        assert await things.load(thing.name) == thing
    assert await things.load("another") is None
    assert 250_000 < await redis.pttl("things:") <= 300_000


async def test_a_change_needs_a_value(redis: Redis) -> None:
    things = RecordStore(redis, "things:", Thing)
    assert await things.change("a", lambda thing: replace(thing, name="b"), until=soon()) is None
    assert await things.load("a") is None
    await things.add("a", WHOLE, until=soon())
    assert await things.change("a", lambda thing: replace(thing, name="b"), until=soon()) == replace(
        WHOLE, name="b"
    )
    assert await things.change("a", lambda thing: thing, until=soon()) == replace(WHOLE, name="b")


async def test_what_cannot_be_read_is_lost_and_not_quoted(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    """Red when the error of another version's value is raised: it quotes the value, such as an openid."""
    things = RecordStore(redis, "things:", Thing)
    for text in ('{"name": "a", "owners": {"canary": "x"}}', '{"name": "canary', '["canary"]'):
        await redis.set("things:a", text)
        assert await things.load("a") is None
        assert await things.change("a", lambda thing: replace(thing, name="b"), until=soon()) is None
        assert await redis.get("things:a") == text
    assert "things:" in caplog.text
    assert "canary" not in caplog.text
