"""Fetches followers' data from WeChat (`user/info`) in the background, never before a push is answered."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from models.errors import StoreUnavailable, WeChatUnavailable
from models.events import OpenId, Push
from models.language import Lang
from service.identities.followers import Follower, Followers
from service.wechat.api import WeChatApi

log = logging.getLogger(__name__)
_FRESH: Final = timedelta(days=1)
_QUEUE: Final = 1000
_WORKERS: Final = 4
_PATIENCE: Final = 2.0
"""Seconds that an exchange waits for data that was never fetched."""


@dataclass(slots=True, kw_only=True)
class FollowerRefresh:
    """Keeps followers' unionid, language and subscription up to date. Run `run` beside the server."""

    apis: Mapping[str, WeChatApi]
    followers: Followers
    clock: Callable[[], datetime]
    _queue: asyncio.Queue[Follower] = field(default_factory=lambda: asyncio.Queue(_QUEUE), init=False)

    async def store_sender(self, account: str, push: Push, *, followed: bool) -> Lang | None:
        """Store the sender of *push* as a follower; return their language if known.

        *followed* tells whether this push subscribed them.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        at = datetime.fromtimestamp(push.created, UTC)
        follower = await self.followers.seen(account, push.openid, at=at, followed=followed)
        self.refresh(follower)
        return follower.lang

    def refresh(self, follower: Follower) -> None:
        """Queue a fetch, unless the last one is less than a day ago or the queue is full."""
        if follower.asked_at and self.clock() - follower.asked_at < _FRESH:
            return
        try:
            self._queue.put_nowait(follower)
        except asyncio.QueueFull:
            log.warning("follower refresh: the queue is full, skipped a follower until their next scan")

    async def known(self, follower: Follower) -> Follower:
        """Return the follower; if never fetched, fetch now, for at most two seconds."""
        if follower.asked_at:
            return follower
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._ask(follower)
        except (TimeoutError, WeChatUnavailable, StoreUnavailable):
            return follower  # the site gets no unionid then

    async def look_up(self, account: str, openid: OpenId, *, ask: bool) -> Follower:
        """Return the follower, or one without data if unknown; with *ask*, fetch as `known` does.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        follower = await self.followers.get(account, openid) or Follower(account, openid, subscribed=True)
        return await self.known(follower) if ask else follower

    async def run(self) -> None:
        """Fetch queued followers until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            follower = await self._queue.get()
            try:
                await self._ask(follower)
            except (WeChatUnavailable, StoreUnavailable) as e:
                log.warning("follower refresh: skipped a follower until their next scan: %s", e)
            except Exception:
                log.exception("follower refresh: unexpected error, skipped a follower")

    async def _ask(self, follower: Follower) -> Follower:
        info = await self.apis[follower.account].user_info(follower.openid)
        lang = (Lang.ZH if info.language.startswith("zh") else Lang.EN) if info.language else None
        now = self.clock()
        await self.followers.learned(
            follower.account,
            follower.openid,
            subscribed=info.subscribed,
            unionid=info.unionid,
            lang=lang,
            now=now,
        )
        return replace(follower, subscribed=info.subscribed, unionid=info.unionid, lang=lang, asked_at=now)
