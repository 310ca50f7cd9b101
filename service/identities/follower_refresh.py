"""Fetches followers' data from WeChat (`user/info`) in the background, never before a push is answered."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from models.errors import StoreUnavailable, WeChatUnavailable
from models.events import OpenId
from models.language import Lang
from service.identities.followers import Arrival, Follower, Followers, Noted
from service.wechat.api import WeChatApi

T = TypeVar("T")

log = logging.getLogger(__name__)
_FRESH: Final = timedelta(days=1)
_QUEUE: Final = 1000
_WORKERS: Final = 4
_PATIENCE: Final = 2.0
"""Seconds that an exchange waits for data that was never fetched."""
_LAG: Final = timedelta(minutes=1)
"""How long after a push `user/info` may still report that its sender does not follow (wechat-protocol.md 4)."""
_AFTER_REPLY: Final = 0.02
"""Seconds until a fetch is queued: the reply and the waiting browser come first, and need this processor."""
_AGAIN: Final = 20.0
"""Seconds until it is then asked again."""
_GATHER: Final = 0.2
"""Seconds to collect what was fetched, so that a busy service writes it in batches.

A statement for one person takes 0.33 ms of processor time, one for forty people 0.8 ms.
"""
_BATCH: Final = 100
"""People in one statement, whose rows it locks."""


@dataclass(frozen=True, slots=True)
class _Fetch:
    """A follower whose data is to be fetched, and when they last did something in the chat, by our clock."""

    follower: Follower
    seen_at: datetime


@dataclass(slots=True, kw_only=True)
class FollowerRefresh:
    """Keeps followers' unionid, language and subscription up to date. Run `run` beside the server."""

    apis: Mapping[str, WeChatApi]
    """Of the accounts that have one."""
    followers: Followers
    clock: Callable[[], datetime]
    _queue: asyncio.Queue[_Fetch] = field(default_factory=lambda: asyncio.Queue(_QUEUE), init=False)
    _later: asyncio.Queue[tuple[float, _Fetch]] = field(default_factory=lambda: asyncio.Queue(_QUEUE), init=False)
    """Fetches to repeat, each with its time on the loop's clock, earliest first."""
    _noted: deque[Noted] = field(default_factory=deque, init=False)
    """What was fetched in the background and is not stored yet, oldest first."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def store(self, arrival: Arrival) -> Lang | None:
        """Store a person; return their language if known.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        follower = await self.followers.seen(arrival)
        self.refresh(follower)
        return follower.lang

    def refresh(self, follower: Follower) -> None:
        """Queue a fetch, if they follow the account, it has an API and the queue is not full.

        Only once a day if the unionid is known: it may become known later (contract.md 8.5).
        """
        recent = follower.asked_at is not None and self.clock() - follower.asked_at < _FRESH and follower.unionid
        if not recent and self._can_ask(follower):
            fetch = _Fetch(follower, self.clock())
            asyncio.get_running_loop().call_later(_AFTER_REPLY, _put, self._queue, fetch)

    def _can_ask(self, follower: Follower) -> bool:
        # Of a person who does not follow, WeChat tells nothing (wechat-protocol.md 4).
        return follower.subscribed and follower.account in self.apis

    async def known(self, follower: Follower) -> Follower:
        """Return the follower; if never fetched, fetch now, for at most two seconds."""
        if follower.asked_at or not self._can_ask(follower):
            return follower
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._ask(_Fetch(follower, self.clock()), at_once=True)
        except (TimeoutError, WeChatUnavailable, StoreUnavailable):
            return follower  # the site gets no unionid then

    async def look_up(self, account: str, openid: OpenId) -> Follower:
        """Return a follower who may not be stored; if never fetched, fetch as `known` does.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        follower = await self.followers.get(account, openid) or Follower(account, openid, subscribed=True)
        return await self.known(follower)

    async def run(self) -> None:
        """Fetch queued followers until cancelled; what was fetched until then is stored."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS):
                workers.create_task(self._work())
            workers.create_task(self._requeue_due())
            workers.create_task(self._write())

    async def _work(self) -> None:
        while True:
            fetch = await self._queue.get()
            try:
                await self._ask(fetch, at_once=False)
            except (WeChatUnavailable, StoreUnavailable) as e:
                log.warning("follower refresh: skipped a follower until their next scan: %s", e)
            except Exception:
                log.exception("follower refresh: unexpected error, skipped a follower")

    async def _requeue_due(self) -> None:
        while True:
            due, fetch = await self._later.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            _put(self._queue, fetch)

    async def _write(self) -> None:
        """Store what was fetched, in batches."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(_GATHER)
                self._wake.clear()
                await self._flush()
        finally:
            await self._flush()

    async def _flush(self) -> None:
        while batch := list(islice(self._noted, _BATCH)):
            if not await self._is_stored(batch) and len(batch) > 1:
                await self._store_singly(batch)
            for _ in batch:
                self._noted.popleft()

    async def _store_singly(self, batch: Sequence[Noted]) -> None:
        """Store people of whom one may be locked; stop at the second failure, which is the database's."""
        failures = 0
        for one in batch:
            failures += not await self._is_stored([one])
            if failures > 1:
                return

    async def _is_stored(self, batch: Sequence[Noted]) -> bool:
        """Store people's data; log a failure and return False."""
        try:
            await self.followers.note(batch)
        except StoreUnavailable as e:
            log.warning("follower refresh: cannot store the data of %d followers: %s", len(batch), e)
        except Exception:
            log.exception("follower refresh: unexpected error, cannot store the data of %d followers", len(batch))
        else:
            return True
        return False

    async def _ask(self, fetch: _Fetch, *, at_once: bool) -> Follower:
        """Fetch a follower's data; ask again later while it contradicts their push of a moment ago.

        It is stored before this returns only *at_once*, or with a unionid to be joined; else `_write` stores it.
        """
        follower, asked_at = fetch.follower, self.clock()
        account, openid = follower.account, follower.openid
        info = await self.apis[account].user_info(openid)
        lagging = not info.subscribed and asked_at - fetch.seen_at < _LAG
        news: dict[str, Any] = {
            "unionid": info.unionid if info.unionid != follower.unionid else None,
            "lang": (Lang.ZH if info.language.startswith("zh") else Lang.EN) if info.language else None,
            "asked_at": None if lagging else self.clock(),
        }
        if at_once or news["unionid"]:
            await self.followers.learned(account, openid, **news)
        elif news["lang"] or news["asked_at"]:
            self._noted.append(Noted(account, openid, news["lang"], news["asked_at"]))
            self._wake.set()
        if lagging:
            _put(self._later, (asyncio.get_running_loop().time() + _AGAIN, fetch))
        elif not info.subscribed:
            await self.followers.gone(account, openid, since=asked_at - _LAG)
            news["subscribed"] = False
        return replace(follower, **{name: value for name, value in news.items() if value is not None})


def _put(queue: asyncio.Queue[T], item: T) -> None:
    try:
        queue.put_nowait(item)
    except asyncio.QueueFull:
        log.warning("follower refresh: the queue is full, skipped a follower until their next scan")
