"""Followers' data is fetched from WeChat in the background, at most once a day, and for at most two seconds.

Red when `_ask` believes a `subscribe: 0` that contradicts a signed push of a moment ago, or does not ask again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from models.errors import StoreUnavailable, WeChatUnavailable
from models.events import OpenId
from models.language import Lang
from service.identities import follower_refresh
from service.identities.follower_refresh import FollowerRefresh
from service.identities.followers import Arrival, Authorized, Follower, Noted, Sender
from service.wechat.api import UserInfo

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANNA = OpenId("o9AgO5Kd5ggOC-bXrbNODIiE3bGY")
NEW = Follower("main", ANNA, subscribed=True)


@dataclass
class Api:
    """WeChat's `user/info`, with one answer or failure for every call."""

    answer: UserInfo | Exception = field(default_factory=lambda: UserInfo(True, "u-1", "zh_CN"))
    asked: list[OpenId] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def user_info(self, openid: OpenId) -> UserInfo:
        self.asked.append(openid)
        if self.hold:
            await self.hold.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Rows:
    """The table of followers; *failure* is raised when something is stored."""

    known: Follower | None = None
    seen_: list[Arrival] = field(default_factory=list)
    learned_: list[dict[str, Any]] = field(default_factory=list)
    gone_: list[datetime] = field(default_factory=list)
    failure: Exception | None = None
    stored: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, account: str, openid: OpenId) -> Follower | None:
        return self.known

    async def seen(self, sender: Arrival) -> Follower:
        self.seen_.append(sender)
        return self.known or Follower(sender.account, sender.openid, subscribed=True)

    async def learned(self, account: str, openid: OpenId, **values: Any) -> None:
        failure, self.failure = self.failure, None
        if failure:
            raise failure
        self.learned_.append(values)
        self.stored.set()

    async def note(self, noted: Sequence[Noted]) -> None:
        for one in noted:
            await self.learned(one.account, one.openid, unionid=None, lang=one.lang, asked_at=one.asked_at)

    async def gone(self, account: str, openid: OpenId, *, since: datetime) -> None:
        self.gone_.append(since)
        self.stored.set()


async def queued(refresh: FollowerRefresh) -> int:
    """Return how many fetches are queued, once all are that were asked for."""
    due = asyncio.Event()
    asyncio.get_running_loop().call_later(follower_refresh._AFTER_REPLY, due.set)
    await due.wait()
    return refresh._queue.qsize()


def refreshing(api: Api, rows: Rows, clock: Callable[[], datetime] = lambda: NOW) -> FollowerRefresh:
    return FollowerRefresh(apis=cast("Any", {"main": api}), followers=cast("Any", rows), clock=clock)


@pytest.mark.parametrize(
    ("language", "lang"), [("zh_CN", Lang.ZH), ("zh_TW", Lang.ZH), ("en", Lang.EN), ("fr", Lang.EN), (None, None)]
)
async def test_an_unknown_follower_is_fetched_and_stored(language: str | None, lang: Lang | None) -> None:
    rows = Rows()
    got = await refreshing(Api(UserInfo(True, "u-1", language)), rows).known(NEW)
    assert got == replace(NEW, unionid="u-1", lang=lang, asked_at=NOW)
    assert rows.learned_ == [{"unionid": "u-1", "lang": lang, "asked_at": NOW}]


async def test_a_known_follower_is_not_fetched_again() -> None:
    api, known = Api(), replace(NEW, asked_at=NOW - timedelta(days=300))
    assert await refreshing(api, Rows()).known(known) == known
    assert api.asked == []


@pytest.mark.parametrize("failure", [WeChatUnavailable("x", errcode=48001), StoreUnavailable("x")])
async def test_a_failure_leaves_the_follower_as_they_are(failure: Exception) -> None:
    """Red when `known` lets errors out: an exchange would fail for want of a unionid."""
    assert await refreshing(Api(failure), Rows()).known(NEW) == NEW


async def test_a_wechat_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_refresh, "_PATIENCE", 0.01)
    assert await refreshing(Api(hold=asyncio.Event()), Rows()).known(NEW) == NEW


async def test_a_person_who_is_not_stored_is_looked_up() -> None:
    api, rows = Api(), Rows()
    assert (await refreshing(api, rows).look_up("main", ANNA)).unionid == "u-1"


@pytest.mark.parametrize(
    ("asked_at", "unionid", "fetched"),
    [
        (None, None, True),
        (NOW - timedelta(days=1), "u-1", True),
        (NOW - timedelta(hours=23), "u-1", False),
        (NOW - timedelta(hours=23), None, True),
    ],
)
async def test_a_push_has_its_sender_fetched_once_a_day_or_until_the_unionid_is_known(
    asked_at: datetime | None, unionid: str | None, fetched: bool
) -> None:
    """Red when `refresh` does not compare `asked_at`, or compares it alone."""
    api, rows = Api(), Rows(replace(NEW, lang=Lang.ZH, asked_at=asked_at, unionid=unionid))
    refresh = refreshing(api, rows)
    sender = Sender("main", ANNA, NOW, followed=True)
    assert await refresh.store(sender) is Lang.ZH
    assert await queued(refresh) == int(fetched)
    assert rows.seen_ == [sender]


async def test_a_follower_of_an_account_without_api_is_stored_and_never_fetched() -> None:
    """Red when `refresh` queues such a follower, or when `known` asks the API that the account does not have."""
    api, rows = Api(), Rows()
    refresh = refreshing(api, rows)
    sender = Sender("own", ANNA, NOW, followed=True)
    assert await refresh.store(sender) is None
    assert rows.seen_ == [sender]
    assert await queued(refresh) == 0
    assert await refresh.look_up("own", ANNA) == Follower("own", ANNA, subscribed=True)
    assert api.asked == []


async def test_who_does_not_follow_is_never_fetched() -> None:
    """Red when `_can_ask` does not look at `subscribed`: of them, `user/info` tells nothing else."""
    api, stranger = Api(), Follower("main", ANNA, subscribed=False)
    refresh = refreshing(api, Rows(stranger))
    assert await refresh.look_up("main", ANNA) == stranger
    assert await refresh.store(Authorized("main", ANNA, None)) is None
    assert await queued(refresh) == 0
    assert api.asked == []


async def test_a_full_queue_drops_the_follower_and_logs_no_openid(caplog: pytest.LogCaptureFixture) -> None:
    refresh = refreshing(Api(), Rows())
    refresh._queue = asyncio.Queue(1)
    with caplog.at_level(logging.WARNING):
        refresh.refresh(NEW)
        refresh.refresh(NEW)
        assert await queued(refresh) == 1
    assert len(caplog.messages) == 1
    assert ANNA not in caplog.text


@pytest.mark.parametrize("failure", [StoreUnavailable("x"), ZeroDivisionError("x")])
async def test_a_worker_goes_on_after_a_failure(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red when `_work` lets errors out: no follower would be fetched any more."""
    monkeypatch.setattr(follower_refresh, "_WORKERS", 1)
    rows = Rows(failure=failure)
    refresh = refreshing(Api(), rows)
    running = asyncio.create_task(refresh.run())
    for _ in range(2):
        refresh.refresh(NEW)
    async with asyncio.timeout(10):
        await rows.stored.wait()
    running.cancel()
    assert len(rows.learned_) == 1


LAGGING = UserInfo(False, None, None)
"""What `user/info` returns of a person whose `subscribe` it has not heard of yet."""


async def test_a_recent_sender_is_a_follower_though_user_info_does_not_list_them() -> None:
    rows = Rows()
    refresh = refreshing(Api(LAGGING), rows)
    assert await refresh.known(NEW) == NEW
    assert rows.learned_ == [{"unionid": None, "lang": None, "asked_at": None}]
    assert rows.gone_ == []
    assert refresh._later.qsize() == 1


async def test_user_info_is_asked_again_until_it_lists_the_follower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_refresh, "_AGAIN", 0.001)
    api, rows = Api(LAGGING), Rows()
    refresh = refreshing(api, rows)
    refresh.refresh(NEW)
    running = asyncio.create_task(refresh.run())
    async with asyncio.timeout(10):
        while len(api.asked) < 3:
            await asyncio.sleep(0)
        api.answer = UserInfo(True, "u-1", "zh_CN")
        while not rows.learned_:
            await asyncio.sleep(0)
    running.cancel()
    assert rows.learned_ == [{"unionid": "u-1", "lang": Lang.ZH, "asked_at": NOW}]
    assert rows.gone_ == []
    assert refresh._later.empty()


async def test_a_minute_after_the_last_push_user_info_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_refresh, "_AGAIN", 0.001)
    moments = iter([NOW + timedelta(seconds=20 * step) for step in range(100)])
    api, rows = Api(LAGGING), Rows()
    refresh = refreshing(api, rows, lambda: next(moments))
    refresh.refresh(NEW)
    running = asyncio.create_task(refresh.run())
    async with asyncio.timeout(10):
        while not rows.gone_:
            await asyncio.sleep(0)
    running.cancel()
    assert len(api.asked) == 3
    assert rows.gone_ == [NOW]
    assert refresh._later.empty()


async def test_the_queue_of_repeated_fetches_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    refresh = refreshing(Api(LAGGING), Rows())
    refresh._later = asyncio.Queue(1)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            await refresh.known(NEW)
    assert refresh._later.qsize() == 1
    assert len(caplog.messages) == 1
    assert ANNA not in caplog.text
