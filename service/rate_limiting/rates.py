"""How often is too often: counted per minute in Redis, for all processes together.

Whoever asks for a code is refused when nothing can be counted. A scan and a wrong password are not: what they are
worth is decided elsewhere.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.binding import UserId
from models.errors import RateLimited, StoreUnavailable
from models.events import OpenId, pseudonym
from models.ip_address import shares
from models.ticket import TicketId
from service.config import settings
from service.storage.redis import redis_errors

log = logging.getLogger(__name__)
_WINDOW: Final = 60
_PATIENCE: Final = 0.7
"""Seconds: a Redis that hangs must not use up the time in which a push is to be answered."""
_MOST_SUSPECTS: Final = 10_000
"""Addresses remembered at once, with the client whose passwords they guess.

The oldest goes first, and comes back with its next guess.
"""
_COUNT: Final = """
if ARGV[2] == '0' then return 0 end
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count
"""


class Limit(StrEnum):
    """What is counted, as the settings name it."""

    TICKETS_PER_ADDRESS = "tickets_per_address"
    TICKETS_PER_CLIENT = "tickets_per_client"
    TICKETS_PER_USER = "tickets_per_user"
    SCANS_PER_OPENID = "scans_per_openid"
    SCANS_PER_TICKET = "scans_per_ticket"
    FAILURES_PER_ADDRESS = "failures_per_address"
    BAD_SIGNATURES_PER_ADDRESS = "bad_signatures_per_address"


_CODES: Final = "too many codes were asked for; wait a little"
_SAID: Final[Mapping[Limit, str]] = {
    Limit.TICKETS_PER_ADDRESS: _CODES,
    Limit.TICKETS_PER_CLIENT: _CODES,
    Limit.TICKETS_PER_USER: _CODES,
    Limit.FAILURES_PER_ADDRESS: "too many wrong passwords of this client came from this address; wait a little",
    Limit.BAD_SIGNATURES_PER_ADDRESS: "too many wrong signatures came from this address; wait a little",
}


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that was exceeded; *first* by the first one too many of this minute."""

    limit: Limit
    first: bool


class RateLimits:
    """Counts by limit and by whom it is for; 0 stands for no limit."""

    def __init__(self, redis: "Redis | RedisCluster", allowed: settings.Limits) -> None:
        self._count = redis.register_script(_COUNT)
        self._allowed: Mapping[Limit, int] = {limit: getattr(allowed, limit) for limit in Limit}
        self._minute, self._suspects = 0, dict[tuple[Limit, str | None, str], None]()

    async def page_starts(self, *, client: str, address: str) -> None:
        """Count one more code that a page at *address* asks for: a login, or a bind in the portal.

        Raises:
            RateLimited: too many in this minute; says when the next begins.
            StoreUnavailable: Redis does not answer, so nothing can be counted.
        """
        for whose, times in shares(address):
            await self._take(Limit.TICKETS_PER_ADDRESS, whose, times=times, client=client)
        await self._take(Limit.TICKETS_PER_CLIENT, client, client=client)

    async def fresh_bind(self, client: str, user_id: UserId) -> None:
        """Count one more bind ticket that is made for a user, whoever asks for it.

        Raises: as `page_starts`.
        """
        await self._take(Limit.TICKETS_PER_USER, f"{client}:{user_id}", client=client, user_id=user_id)

    async def scan(self, openid: OpenId, ticket: TicketId | None) -> Excess | None:
        """Count what a person does, with a code of ours or in answer to one; return what they exceed, if anything.

        Nothing while Redis does not answer.
        """
        by_whom = {Limit.SCANS_PER_OPENID: pseudonym(openid), Limit.SCANS_PER_TICKET: ticket}
        for limit, whose in by_whom.items():
            over = await self._over(limit, whose) if whose else 0
            if over > 0:
                return Excess(limit, first=over == 1)
        return None

    async def record_failure(self, client: str | None, address: str) -> None:
        """Count one wrong password of *client* from *address*; after too many, `listen` refuses the next.

        None stands for a client id that is not configured: nothing is counted, in the same time.
        """
        await self._blame(Limit.FAILURES_PER_ADDRESS, address, client, count=client is not None)

    def check_blocked(self, client: str | None, address: str) -> None:
        """Return if a password of *client* from *address* may be looked at, as far as this process knows.

        Raises:
            RateLimited: too many were wrong; not even the right one is taken until the minute is over.
        """
        self._refuse(Limit.FAILURES_PER_ADDRESS, address, client)

    async def record_forgery(self, address: str) -> None:
        """Count one push from *address* that WeChat did not sign; after too many, `hear` refuses the next."""
        await self._blame(Limit.BAD_SIGNATURES_PER_ADDRESS, address)

    def check_forgers(self, address: str) -> None:
        """Return if a push from *address* may be read, as far as this process knows.

        Raises:
            RateLimited: too many were not WeChat's.
        """
        self._refuse(Limit.BAD_SIGNATURES_PER_ADDRESS, address)

    async def _blame(self, limit: Limit, address: str, client: str | None = None, *, count: bool = True) -> None:
        for whose, times in shares(address):
            pair = f"{client}:{whose}" if client else whose
            if await self._over(limit, pair, times=times, count=count) >= 0:
                self._suspect(limit, client, whose)

    def _refuse(self, limit: Limit, address: str, client: str | None = None) -> None:
        minute, left = _now()
        if self._minute == minute and any(
            (limit, client, whose) in self._suspects for whose, _ in shares(address)
        ):
            raise RateLimited(_SAID[limit], limit=limit, retry_after=left, client=client)

    def _suspect(self, limit: Limit, client: str | None, whose: str) -> None:
        minute, _ = _now()
        if self._minute != minute:
            self._minute, self._suspects = minute, {}
        if len(self._suspects) >= _MOST_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
        self._suspects[limit, client, whose] = None

    async def _take(
        self, limit: Limit, whose: str, *, times: int = 1, client: str, user_id: UserId | None = None
    ) -> None:
        allowed = self._allowed[limit] * times
        if allowed and await self._counted(limit, whose) > allowed:
            raise RateLimited(_SAID[limit], limit=limit, retry_after=_now()[1], client=client, user_id=user_id)

    async def _over(self, limit: Limit, whose: str, *, times: int = 1, count: bool = True) -> int:
        """Count one more; return by how much that exceeds what is allowed, below 0 while some are left.

        Without *count* Redis is asked in the same way, and keeps nothing.
        """
        allowed = self._allowed[limit] * times
        if not allowed:
            return -1
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._counted(limit, whose, count=count) - allowed
        except (StoreUnavailable, TimeoutError):
            log.warning("cannot count %s", limit)
            return -1

    async def _counted(self, limit: Limit, whose: str, *, count: bool = True) -> int:
        minute, _ = _now()
        with redis_errors():
            key = f"scanbind:l:{limit}:{whose}:{minute}"
            return int(await self._count(keys=[key], args=[2 * _WINDOW, int(count)]))


def _now() -> tuple[int, int]:
    """Return the minute, and the seconds until the next."""
    minute, passed = divmod(int(time.time()), _WINDOW)
    return minute, _WINDOW - passed
