"""What WeChat tells of followers (`user/info`), fetched beside the five-second answer and never on its path."""

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
"""Seconds an exchange waits for what is not known yet."""


@dataclass(slots=True, kw_only=True)
class FollowerRefresh:
    """Keeps followers' unionid, language and subscription up to date. Run `run` beside the server."""

    apis: Mapping[str, WeChatApi]
    followers: Followers
    clock: Callable[[], datetime]
    _queue: asyncio.Queue[Follower] = field(default_factory=lambda: asyncio.Queue(_QUEUE), init=False)

    async def meet(self, account: str, push: Push, *, followed: bool) -> Lang | None:
        """Note that who sent *push* follows the account, *followed* if just then; return their language if known.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        at = datetime.fromtimestamp(push.created, UTC)
        follower = await self.followers.seen(account, push.openid, at=at, followed=followed)
        self.refresh(follower)
        return follower.lang

    def refresh(self, follower: Follower) -> None:
        """Ask WeChat about somebody soon, unless that was done within a day or too many are waiting."""
        if follower.asked_at and self.clock() - follower.asked_at < _FRESH:
            return
        try:
            self._queue.put_nowait(follower)
        except asyncio.QueueFull:
            log.warning("too many followers to ask about; one waits for their next scan")

    async def known(self, follower: Follower) -> Follower:
        """Return the follower as WeChat knows them, asking for at most two seconds if it was never asked."""
        if follower.asked_at:
            return follower
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._ask(follower)
        except (TimeoutError, WeChatUnavailable, StoreUnavailable):
            return follower  # a site must do without the unionid then

    async def look_up(self, account: str, openid: OpenId, *, ask: bool) -> Follower:
        """Return what is known of a person, be it nothing; *ask* WeChat, as `known` does, if it was never asked.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        follower = await self.followers.get(account, openid) or Follower(account, openid, subscribed=True)
        return await self.known(follower) if ask else follower

    async def run(self) -> None:
        """Ask about whoever is due, until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            follower = await self._queue.get()
            try:
                await self._ask(follower)
            except (WeChatUnavailable, StoreUnavailable) as e:
                log.warning("a follower stays unknown: %s", e.detail)
            except Exception:
                log.exception("what WeChat tells of a follower cannot be kept")  # theirs alone; the others go on

    async def _ask(self, follower: Follower) -> Follower:
        told = await self.apis[follower.account].user_info(follower.openid)
        lang = (Lang.ZH if told.language.startswith("zh") else Lang.EN) if told.language else None
        now = self.clock()
        await self.followers.learned(
            follower.account,
            follower.openid,
            subscribed=told.subscribed,
            unionid=told.unionid,
            lang=lang,
            now=now,
        )
        return replace(follower, subscribed=told.subscribed, unionid=told.unionid, lang=lang, asked_at=now)
