"""Use case: somebody leaves an account. SQL is done with them then; Redis too, or it lapses in minutes."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from models.errors import StoreUnavailable
from models.events import OpenId
from service.audit.log import AuditLog
from service.config.settings import Account
from service.identities.departures import Departures
from service.privacy.erasure import FollowerErasure
from service.privacy.redis_erasure import RedisErasure

log = logging.getLogger(__name__)
_PATIENCE: Final = 1.0
"""Seconds: WeChat waits for the answer."""


@dataclass(slots=True, kw_only=True)
class UnfollowHandler:
    """Notes that people left and, unless the operator keeps them, forgets them in every store."""

    accounts: Mapping[str, Account]
    erasure: FollowerErasure
    departures: Departures
    redis_erasure: RedisErasure
    audit: AuditLog
    clock: Callable[[], datetime]

    async def left(self, account: str, openid: OpenId, created: int) -> None:
        """Let go of a person who left, by WeChat's CreateTime; nothing if they have come back since.

        The mark comes first: whoever handles an earlier push of theirs looks for it last, and then calls this
        again. So one of the two sees what the other has done.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self.departures.left(account, openid, created)
        await self.audit.flush()  # or what waits to be written would name them afterwards
        erase = self.accounts[account].unfollow == "erase"
        at = datetime.fromtimestamp(created, UTC)
        erased = await self.erasure.unfollowed(account, openid, at=at, erase=erase, now=self.clock())
        if not erased:
            return
        try:
            await self.redis_erasure.forget(erased, seconds=_PATIENCE)
        except StoreUnavailable as e:
            log.warning("what Redis holds of somebody who left lapses by itself: %s", e.detail)
