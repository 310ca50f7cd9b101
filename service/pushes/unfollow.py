"""Use case: a follower unsubscribes or revokes. Erases them in SQL and, if reachable, in Redis."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from models.binding import ChangeSource
from models.errors import StoreUnavailable
from models.events import OpenId, Revoked
from service.audit.log import AuditLog
from service.config.accounts import Account
from service.identities.departures import Departures
from service.privacy.erasure import FollowerErasure
from service.privacy.redis_erasure import RedisErasure

log = logging.getLogger(__name__)
_PATIENCE: Final = 1.0
"""Timeout for Redis in seconds: WeChat waits for the reply."""


@dataclass(slots=True, kw_only=True)
class UnfollowHandler:
    """Stores that a follower unsubscribed and, unless `unfollow: keep` is set, erases them in all stores."""

    accounts: Mapping[str, Account]
    erasure: FollowerErasure
    departures: Departures
    redis_erasure: RedisErasure
    audit: AuditLog
    clock: Callable[[], datetime]

    async def revoked(self, account: str, push: Revoked) -> None:
        """Handle a revocation as an unsubscribe of the person that it names (docs/adr/0023).

        Does nothing if it names none or is for another appid, nor with `unfollow: keep` if they still follow.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        configured = self.accounts[account]
        if not push.named or push.appid != configured.appid:
            element = "AppID is not the account's" if push.named else "OpenID is missing or malformed"
            log.warning("revocation: ignored one for account %s: its %s", account, element)
        elif push.closed:
            await self.left(account, push.openid, push.created, source=ChangeSource.CANCELLATION)
        elif configured.unfollow == "erase":
            await self.left(account, push.openid, push.created, source=ChangeSource.REVOCATION)

    async def left(
        self, account: str, openid: OpenId, created: int, *, source: ChangeSource = ChangeSource.UNFOLLOW
    ) -> None:
        """Handle an unsubscribe of WeChat's CreateTime *created*; does nothing if they subscribed again since.

        The time is stored first. A concurrent handler of an earlier push reads it last, and then calls this again.
        So one of the two finds what the other has written.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        await self.departures.left(account, openid, created)
        await self.audit.flush()  # or a queued audit entry with their openid would be written afterwards
        erase = self.accounts[account].unfollow == "erase"
        at = datetime.fromtimestamp(created, UTC)
        erased = await self.erasure.unfollowed(
            account, openid, at=at, erase=erase, source=source, now=self.clock()
        )
        if not erased:
            return
        try:
            await self.redis_erasure.forget(erased, seconds=_PATIENCE)
        except StoreUnavailable as e:
            log.warning("unsubscribe: cannot erase the data in Redis, where it expires within minutes: %s", e)
