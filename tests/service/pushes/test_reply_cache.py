"""Replies are kept for redeliveries, for as long as pushes are accepted, under keys without openids."""

from pathlib import Path

import pytest
from redis.asyncio import Redis, RedisCluster
from valkeys import a_valkey

from models.events import OpenId, Unsubscribed, pseudonym
from service.config.settings import validate
from service.identities.departures import Departures, remembered
from service.pushes.reply_cache import CachedReply, Reply, ReplyCache
from service.storage.redis import connect
from service.wechat.relayed_reply import Relayed

ANNA = OpenId("o9AgO5Kd5ggOC-bXrbNODIiE3bGY")


def reply_cache(redis: Redis | RedisCluster, max_skew: int) -> ReplyCache:
    main = {"appid": "wx0123456789abcdef", "secret": "s", "token": "t", "aes_key": "a" * 43, "max_skew": max_skew}
    accounts = validate({"accounts": {"main": main}}).accounts
    return ReplyCache(redis, Departures(redis, accounts=accounts))


def push(created: int = 1_700_000_000) -> Unsubscribed:
    return Unsubscribed(ANNA, "gh_me", created, key=f"key{created}")


@pytest.mark.parametrize(("max_skew", "seconds"), [(30, 120), (300, 660), (3600, 7260), (0, 3600)])
async def test_what_was_answered_is_known_for_longer_than_its_stamp_is_let_in(
    redis: Redis, max_skew: int, seconds: int
) -> None:
    kept = reply_cache(redis, max_skew)
    await kept.remember("main", push(), CachedReply("hello"))
    await kept.departures.left("main", push().openid, push().created)
    assert remembered(max_skew) == seconds
    keys = await redis.keys("*")
    assert len(keys) == 2
    for key in keys:
        assert seconds - 5 < await redis.ttl(key) <= seconds
    assert await kept.recall("main", push()) == CachedReply("hello")


@pytest.mark.parametrize(
    "reply",
    ["hello", None, Relayed({"MsgType": "image", "Image": {"MediaId": "m"}})],
    ids=["text", "none", "relayed"],
)
async def test_every_kind_of_reply_comes_back(redis: Redis, reply: Reply) -> None:
    kept = reply_cache(redis, 300)
    await kept.remember("main", push(), CachedReply(reply))
    assert await kept.recall("main", push()) == CachedReply(reply)


@pytest.mark.parametrize(("stored", "reply"), [('"hello"', "hello"), ("null", None)])
def test_what_an_earlier_version_stored_can_be_read(stored: str, reply: Reply) -> None:
    """Red when the form of a text or of no reply changes: an upgrade would break redeliveries."""
    assert CachedReply.read(stored) == CachedReply(reply)
    assert CachedReply(reply).written() == stored


async def test_no_key_holds_an_openid(redis: Redis) -> None:
    kept = reply_cache(redis, 300)
    await kept.remember("main", push(), CachedReply(None))
    await kept.departures.left("main", push().openid, push().created)
    keys = await redis.keys("*")
    assert {key.split("}")[0] for key in keys} == {f"scanbind:d:{{main:{pseudonym(ANNA)}"}
    assert not any(ANNA in key for key in keys)


async def test_what_came_before_they_left_is_answered_with_nothing(redis: Redis) -> None:
    kept = reply_cache(redis, 300)
    await kept.departures.left("main", push().openid, push().created)
    assert await kept.recall("main", push(1_699_999_999)) == CachedReply(None)
    assert await kept.recall("main", push(1_700_000_001)) is None


async def test_who_has_left_is_known_though_the_reply_cannot_be_stored(tmp_path: Path) -> None:
    """Red when one error stands for both commands, and when a script needs more than its reading half may do."""
    async with a_valkey(tmp_path / "valkey") as url, connect(url) as redis:
        kept = reply_cache(redis, 300)
        await kept.departures.left("main", push().openid, push().created)
        await redis.config_set("min-replicas-to-write", "1")
        assert await kept.remember("main", push(1_699_999_999), CachedReply("hello")) == 1_700_000_000
        assert await kept.remember("main", push(1_700_000_001), CachedReply("hello")) is None


def test_a_pseudonym_is_22_characters_of_base64url() -> None:
    # sha256("abc") as FIPS 180-4 gives it: ba7816bf 8f01cfea 414140de 5dae2223 ...
    assert pseudonym(OpenId("abc")) == "ungWv48Bz-pBQUDeXa4iI7"
