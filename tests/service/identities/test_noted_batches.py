"""What `user/info` returned about many people is stored together, and loses none of them.

Red when `Followers.note` stores an older answer over a later one, or when `FollowerRefresh` loses what it fetched:
because one row fails, or because the service stops.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import sqlalchemy as sa

from models.events import OpenId
from models.language import Lang
from service.concurrency.tasks import cancel_and_wait
from service.crypto.field_encryption import FieldCipher
from service.identities import follower_refresh
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Follower, Followers, Noted, Sender
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database
from service.wechat.api import UserInfo

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(milliseconds=5)
ANNA, BEN, CLEO = OpenId("oAnna"), OpenId("oBen"), OpenId("oCleo")
OF_ANNA, OF_BEN, OF_CLEO = (Noted("main", openid, Lang.ZH, NOW) for openid in (ANNA, BEN, CLEO))


async def follow(followers: Followers, *openids: OpenId) -> None:
    for openid in openids:
        await followers.seen(Sender("main", openid, NOW))


async def stored(followers: Followers, openid: OpenId, *, account: str = "main") -> Follower:
    found = await followers.get(account, openid)
    assert found
    return found


async def told(followers: Followers, *openids: OpenId) -> list[tuple[Lang | None, datetime | None]]:
    """Return what is stored of people's data."""
    found = [await stored(followers, openid) for openid in openids]
    return [(one.lang, one.asked_at) for one in found]


async def test_many_people_are_noted_in_one_statement(followers: Followers, database: Database) -> None:
    executed: list[tuple[str, int]] = []
    engine = database._group.engine if database._group else database._engine.sync_engine

    def count(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        executed.append((statement.split(maxsplit=1)[0], len(parameters)))

    await follow(followers, ANNA, BEN)
    sa.event.listen(engine, "before_cursor_execute", count)
    await followers.note([OF_BEN, replace(OF_ANNA, lang=None), OF_CLEO])
    assert [it for it in executed if it[0] != "BEGIN"] == [("UPDATE", 3)]
    assert await told(followers, ANNA, BEN) == [(None, NOW), (Lang.ZH, NOW)]
    assert await followers.get("main", CLEO) is None


async def test_people_of_accounts_with_and_without_an_appid_are_noted_together(database: Database) -> None:
    followers = Followers(database, Identities(FieldCipher.of([]), appids={"main": "wx0123456789abcdef"}))
    await follow(followers, ANNA)
    await followers.seen(Sender("second", ANNA, NOW))
    await followers.note([OF_ANNA, replace(OF_ANNA, account="second")])
    assert await told(followers, ANNA) == [(Lang.ZH, NOW)]
    assert (await stored(followers, ANNA, account="second")).asked_at == NOW


async def test_an_answer_of_before_changes_nothing(followers: Followers) -> None:
    """Red when `note` does not compare `asked_at`."""
    await follow(followers, ANNA)
    await followers.note([replace(OF_ANNA, lang=Lang.EN, asked_at=LATER)])
    await followers.note([OF_ANNA])
    assert await told(followers, ANNA) == [(Lang.EN, LATER)]
    await followers.note([replace(OF_ANNA, asked_at=LATER)])
    assert await told(followers, ANNA) == [(Lang.ZH, LATER)]


async def test_the_last_of_two_answers_in_one_batch_stands(followers: Followers) -> None:
    await follow(followers, ANNA)
    await followers.note([OF_ANNA, OF_BEN, replace(OF_ANNA, lang=Lang.EN, asked_at=LATER)])
    assert await told(followers, ANNA) == [(Lang.EN, LATER)]


@pytest.mark.parametrize(("before", "after"), [(None, "uOne"), ("uTwo", "uTwo")])
async def test_an_answer_of_before_with_a_unionid_only_completes_what_is_stored(
    followers: Followers, before: str | None, after: str
) -> None:
    """Red when `_join_learned` does not compare `asked_at`."""
    await follow(followers, ANNA)
    await followers.learned("main", ANNA, unionid=before, lang=Lang.EN, asked_at=LATER)
    await followers.learned("main", ANNA, unionid="uOne", lang=Lang.ZH, asked_at=NOW)
    assert await told(followers, ANNA) == [(Lang.EN, LATER)]
    assert (await stored(followers, ANNA)).unionid == after


@dataclass
class Api:
    """WeChat's `user/info`: for each openid, its answer."""

    answers: Mapping[OpenId, UserInfo]
    asked: list[OpenId] = field(default_factory=list)
    all: asyncio.Event = field(default_factory=asyncio.Event)
    """Each of them was asked for."""

    async def user_info(self, openid: OpenId) -> UserInfo:
        self.asked.append(openid)
        if len(self.asked) == len(self.answers):
            self.all.set()
        return self.answers[openid]


@asynccontextmanager
async def fetching(followers: Followers, *openids: OpenId) -> AsyncIterator[FollowerRefresh]:
    """Follow, queue and fetch these people; leave when WeChat was asked about all, and stop the fetching."""
    await follow(followers, *openids)
    api = Api(dict.fromkeys(openids, UserInfo(True, None, "zh_CN")))
    refresh = FollowerRefresh(apis=cast("Any", {"main": api}), followers=followers, clock=lambda: NOW)
    for openid in openids:
        refresh.refresh(await stored(followers, openid))
    running = asyncio.create_task(refresh.run())
    try:
        async with asyncio.timeout(10):
            await api.all.wait()
            yield refresh
    finally:
        await cancel_and_wait(running)


async def test_what_was_fetched_is_stored_within_a_moment(
    followers: Followers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_refresh, "_GATHER", 0.01)
    async with fetching(followers, ANNA, BEN):
        while await told(followers, ANNA, BEN) != [(Lang.ZH, NOW)] * 2:
            await asyncio.sleep(0.01)


async def test_what_was_fetched_is_stored_when_the_service_stops(
    followers: Followers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `_write` does not `_flush` once it is cancelled."""
    monkeypatch.setattr(follower_refresh, "_GATHER", 60)
    async with fetching(followers, ANNA, BEN):
        assert await told(followers, ANNA) == [(None, None)]
    assert await told(followers, ANNA, BEN) == [(Lang.ZH, NOW)] * 2


async def test_who_was_erased_after_the_fetch_is_not_added_again(
    followers: Followers, erasure: FollowerErasure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_refresh, "_GATHER", 60)
    async with fetching(followers, ANNA, BEN):
        await erasure.unfollowed("main", ANNA, at=LATER, erase=True, now=LATER)
    assert await followers.get("main", ANNA) is None
    assert await told(followers, BEN) == [(Lang.ZH, NOW)]


async def refusing(database: Database, when: str = "") -> Followers:
    """Return followers in the clear, whose language cannot be stored *when* that condition of SQL is true."""
    async with database.writing() as connection:
        trigger = f"CREATE TRIGGER bad BEFORE UPDATE OF lang ON followers {when}"
        await connection.execute(sa.text(f"{trigger} BEGIN SELECT RAISE(ABORT, 'bad'); END"))
    return Followers(database, Identities(FieldCipher.of([])))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_row_that_cannot_be_stored_loses_none_of_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when `_flush` does not store the people of a failed batch one by one."""
    monkeypatch.setattr(follower_refresh, "_GATHER", 60)
    followers = await refusing(database, f"WHEN OLD.openid = '{BEN}'")
    with caplog.at_level(logging.WARNING):
        async with fetching(followers, ANNA, BEN, CLEO) as refresh:
            pass
    assert await told(followers, ANNA, BEN, CLEO) == [(Lang.ZH, NOW), (None, None), (Lang.ZH, NOW)]
    assert not refresh._noted
    assert ANNA not in caplog.text
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_database_that_stores_nothing_is_tried_three_times(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when `_store_singly` goes on after a second failure: each may take seconds."""
    monkeypatch.setattr(follower_refresh, "_GATHER", 60)
    followers = await refusing(database)
    with caplog.at_level(logging.WARNING):
        async with fetching(followers, ANNA, BEN, CLEO, OpenId("oDora")) as refresh:
            pass
    assert len(caplog.messages) == 3
    assert not refresh._noted


async def test_known_sees_what_it_fetched_at_once(followers: Followers) -> None:
    """Red when `known` leaves it to `_write`."""
    await follow(followers, ANNA)
    api = Api({ANNA: UserInfo(True, None, "zh_CN")})
    refresh = FollowerRefresh(apis=cast("Any", {"main": api}), followers=followers, clock=lambda: NOW)
    await refresh.known(await stored(followers, ANNA))
    assert await told(followers, ANNA) == [(Lang.ZH, NOW)]
