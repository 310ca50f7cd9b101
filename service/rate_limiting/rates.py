"""Rate limits per minute, counted in Redis for all processes together.

While Redis is unavailable, requests for QR codes are refused. Scans, answers, passwords and pushes are then not
limited: each is verified elsewhere.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

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
"""Timeout in seconds, far below the time in which a push must be answered."""
_MOST_SUSPECTS: Final = 10_000
"""Maximum number of blocked addresses in memory, each with the client for which it sent wrong passwords.

The oldest is dropped first, and is added again by its next failure.
"""
# ARGV: the seconds, what is added to each count, then what is allowed for each key. Counts until one is over its
# limit, but takes back from all; returns its number, or 0, and the last count. One script, so that Redis has it
# after the first request.
_COUNT: Final = """
if ARGV[2] == '0' then return {0, 0} end
local count
for number, key in ipairs(KEYS) do
  count = redis.call('INCRBY', key, ARGV[2])
  if redis.call('TTL', key) < 0 then redis.call('EXPIRE', key, ARGV[1]) end
  if tonumber(ARGV[2]) > 0 and count > tonumber(ARGV[number + 2]) then return {number, count} end
end
return {0, count}
"""


class Limit(StrEnum):
    """The limits, by the names of their settings."""

    TICKETS_PER_ADDRESS = "tickets_per_address"
    TICKETS_PER_CLIENT = "tickets_per_client"
    TICKETS_PER_USER = "tickets_per_user"
    SCANS_PER_OPENID = "scans_per_openid"
    SCANS_PER_TICKET = "scans_per_ticket"
    FAILURES_PER_ADDRESS = "failures_per_address"
    BAD_SIGNATURES_PER_ADDRESS = "bad_signatures_per_address"
    VISITS_PER_ADDRESS = "visits_per_address"


_CODES: Final = "too many QR codes were requested; wait a minute"
_DETAILS: Final[Mapping[Limit, str]] = {
    Limit.TICKETS_PER_ADDRESS: _CODES,
    Limit.TICKETS_PER_CLIENT: _CODES,
    Limit.TICKETS_PER_USER: _CODES,
    Limit.FAILURES_PER_ADDRESS: "too many wrong passwords for this client from this address; wait a minute",
    Limit.VISITS_PER_ADDRESS: "too many pages were opened from this address; wait a minute",
    Limit.BAD_SIGNATURES_PER_ADDRESS: "too many wrong signatures from this address; wait a minute",
}


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that was exceeded; *first* marks the first excess of its period."""

    limit: str
    first: bool


class _Count(NamedTuple):
    """The name under which *limit* counts, and how many times the limit it has."""

    limit: Limit
    name: str
    times: int = 1


class RateLimits:
    """Counts per limit and per address, client, user, openid or ticket; 0 is no limit."""

    def __init__(self, redis: "Redis | RedisCluster", allowed: settings.Limits) -> None:
        self._count = redis.register_script(_COUNT)
        # The keys of one script must be in one slot of a cluster, and those of an address and a client are not.
        self._together = not isinstance(redis, RedisCluster)
        self._allowed: Mapping[Limit, int] = {limit: getattr(allowed, limit) for limit in Limit}
        self._minute, self._suspects = 0, dict[tuple[Limit, str | None, str], None]()

    async def page_starts(self, *, client: str, address: str) -> None:
        """Count a QR code requested by a page at *address*: for a login, or for a bind in the portal.

        Raises:
            RateLimited: too many in this minute; `retry_after` is the time until the next.
            StoreUnavailable: Redis does not answer, so the request cannot be counted.
        """
        by_address = (_Count(Limit.TICKETS_PER_ADDRESS, name, times) for name, times in shares(address))
        await self._take(*by_address, _Count(Limit.TICKETS_PER_CLIENT, client), client=client)

    async def visit(self, address: str) -> None:
        """Count the visit of a page on the way to WeChat and back.

        Raises: as `page_starts`.
        """
        await self._take(*(_Count(Limit.VISITS_PER_ADDRESS, name, times) for name, times in shares(address)))

    async def fresh_bind(self, client: str, user_id: UserId) -> None:
        """Count a new bind ticket for a user, requested by the site or by the portal.

        Raises: as `page_starts`.
        """
        await self._take(_Count(Limit.TICKETS_PER_USER, f"{client}:{user_id}"), client=client, user_id=user_id)

    async def scan(self, openid: OpenId, ticket: TicketId | None) -> Excess | None:
        """Count a scan or an answer; return the limit that it exceeds, if any.

        Return None while Redis does not answer.
        """
        limited = self._scan_counts(openid, ticket)
        if self._together or len(limited) == 1:
            return await self._excess(*limited) if limited else None
        # One person must not use up the scans of a QR code that they only see.
        excesses = await asyncio.gather(*map(self._excess, limited))
        if excesses[0] and limited[1:]:
            await self._briefly(*limited[1:], add=-1)
        return next(filter(None, excesses), None)

    async def take_back_scan(self, openid: OpenId, ticket: TicketId | None, excess: Excess | None) -> None:
        """Take back what `scan` counted a moment ago, when it returned *excess*."""
        if excess and excess.limit == Limit.SCANS_PER_OPENID:
            ticket = None  # for which nothing was counted
        limited = self._scan_counts(openid, ticket)
        for group in filter(None, [limited] if self._together else ([one] for one in limited)):
            await self._briefly(*group, add=-1)

    def _scan_counts(self, openid: OpenId, ticket: TicketId | None) -> list[_Count]:
        by_openid = _Count(Limit.SCANS_PER_OPENID, pseudonym(openid))
        counted = [by_openid, _Count(Limit.SCANS_PER_TICKET, ticket)] if ticket is not None else [by_openid]
        return [one for one in counted if self._allowed[one.limit]]

    async def record_failure(self, client: str | None, address: str) -> None:
        """Count a wrong password for *client* from *address*; after too many, `check_blocked` refuses the next.

        With None, for a client id that is not configured, nothing is counted, in the same time.
        """
        await self._record(Limit.FAILURES_PER_ADDRESS, address, client, count=client is not None)

    def check_blocked(self, client: str | None, address: str) -> None:
        """Check that this process does not block passwords for *client* from *address*.

        Raises:
            RateLimited: too many were wrong; until the next minute the right one is refused as well.
        """
        self._check(Limit.FAILURES_PER_ADDRESS, address, client)

    async def record_forgery(self, address: str) -> None:
        """Count a wrongly signed push from *address*; after too many, `check_forgers` refuses the next."""
        await self._record(Limit.BAD_SIGNATURES_PER_ADDRESS, address)

    def check_forgers(self, address: str) -> None:
        """Check that this process does not block pushes from *address*.

        Raises:
            RateLimited: too many had a wrong signature.
        """
        self._check(Limit.BAD_SIGNATURES_PER_ADDRESS, address)

    async def _record(self, limit: Limit, address: str, client: str | None = None, *, count: bool = True) -> None:
        for name, times in shares(address):
            pair = f"{client}:{name}" if client else name
            if await self._over(limit, pair, times=times, count=int(count)) >= 0:
                self._suspect(limit, client, name)

    def _check(self, limit: Limit, address: str, client: str | None = None) -> None:
        minute, left = _now()
        if self._minute == minute and any((limit, client, name) in self._suspects for name, _ in shares(address)):
            raise RateLimited(_DETAILS[limit], limit=limit, retry_after=left, client=client)

    def _suspect(self, limit: Limit, client: str | None, name: str) -> None:
        minute, _ = _now()
        if self._minute != minute:
            self._minute, self._suspects = minute, {}
        if len(self._suspects) >= _MOST_SUSPECTS:
            del self._suspects[next(iter(self._suspects))]
        self._suspects[limit, client, name] = None

    async def _take(self, *counted: _Count, client: str | None = None, user_id: UserId | None = None) -> None:
        """Count under each name, in order, until one is over its limit.

        What one address is refused must not use up the limit of the client. One script does it in one round trip.
        """
        limited = [one for one in counted if self._allowed[one.limit]]
        for group in filter(None, [limited] if self._together else ([one] for one in limited)):
            over, _ = await self._counted(*group)
            if over:
                limit = group[over - 1].limit
                raise RateLimited(
                    _DETAILS[limit], limit=limit, retry_after=_now()[1], client=client, user_id=user_id
                )

    async def _over(self, limit: Limit, name: str, *, times: int = 1, count: int = 1) -> int:
        """Add *count*; return the count minus what is allowed, or -1 if there is no limit or Redis fails.

        With 0 the same script runs in Redis, but stores nothing.
        """
        allowed = self._allowed[limit] * times
        counted = await self._briefly(_Count(limit, name, times), add=count) if allowed else None
        return counted[1] - allowed if counted else -1

    async def _excess(self, *counted: _Count) -> Excess | None:
        """Count under each name until one is over its limit; return that, or None while Redis does not answer."""
        over, last = await self._briefly(*counted) or (0, 0)
        limit = counted[over - 1].limit
        return Excess(limit, first=last == self._allowed[limit] + 1) if over else None

    async def _briefly(self, *counted: _Count, add: int = 1) -> tuple[int, int] | None:
        """Return what `_counted` returns, or None if Redis does not answer in time."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._counted(*counted, add=add)
        except (StoreUnavailable, TimeoutError):
            log.warning("rate limit %s: Redis does not answer, one request is not counted", counted[0].limit)
            return None

    async def _counted(self, *counted: _Count, add: int = 1) -> tuple[int, int]:
        """Run the script; return the number of the count that is over its limit, or 0, and the last count."""
        keys = [_key(one.limit, one.name) for one in counted]
        allowed = [self._allowed[one.limit] * one.times for one in counted]
        with redis_errors():
            over, last = await self._count(keys=keys, args=[2 * _WINDOW, add, *allowed])
        return int(over), int(last)


def _key(limit: Limit, name: str) -> str:
    """Return the key under which *name* is counted in this minute."""
    return f"scanbind:l:{limit}:{name}:{_now()[0]}"


def _now() -> tuple[int, int]:
    """Return the minute, and the seconds until the next one."""
    minute, passed = divmod(int(time.time()), _WINDOW)
    return minute, _WINDOW - passed
