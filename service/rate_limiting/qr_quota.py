"""Daily quota of QR codes, counted in Redis per account and Beijing day. A part is reserved for binds.

If Redis is lost, counting restarts at zero; then WeChat's own errcode shows that the quota is used up. After that
one request a minute is let through, of all processes together, because the account's owner can clear the quota.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Final

from redis.asyncio import Redis, RedisCluster
from wechatpy.constants import WeChatErrorCode

from models.errors import RateLimited, StoreUnavailable, WeChatUnavailable
from models.ticket import Purpose
from service.config.accounts import Account
from service.observability.metrics import Metrics
from service.storage.redis import redis_errors

_BEIJING: Final = timezone(timedelta(hours=8))
"""WeChat resets the quota at midnight Beijing time."""
_DAY: Final = timedelta(days=1)
_YOUNG: Final = 86_400 - 600
"""With more seconds left, WeChat's clock may still show the previous day: its refusal is not for today."""
_KEPT: Final = 2 * 86_400
_USED_UP: Final = WeChatErrorCode.OUT_OF_API_FREQ_LIMIT.value
_PROBES: Final = 60
"""Seconds between two requests while the quota is used up."""
# KEYS: the count of the day; the time of the next probe, which exists while WeChat refuses.
# More than two minutes to go: the clock was set back. Clocks of processes may differ by less.
# Refused requests are not counted, or logins would use up the part reserved for binds.
_TAKE: Final = """
local used, now = tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[3])
if used >= tonumber(ARGV[1]) then return {used, 0, 0} end
local probe = redis.call('GET', KEYS[2])
if probe then
  local wait = tonumber(probe) - now
  if 0 < wait and wait < 2 * ARGV[4] then return {used, 0, wait} end
  redis.call('SET', KEYS[2], now + ARGV[4], 'EX', ARGV[2])
end
redis.call('SET', KEYS[1], used + 1, 'EX', ARGV[2])
return {used + 1, 1, probe and 1 or 0}
"""
_RETURN: Final = """
if tonumber(redis.call('GET', KEYS[1]) or 0) > 0 then redis.call('DECR', KEYS[1]) end
"""


class QrQuota:
    """Counts the QR codes that each account requested today."""

    def __init__(
        self, redis: "Redis | RedisCluster", *, accounts: Mapping[str, Account], clock: Callable[[], datetime]
    ) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._return = redis.register_script(_RETURN)
        self._accounts = accounts
        self._clock = clock
        self._seen: dict[str, tuple[str, int]] = {}

    def show(self, metrics: Metrics) -> None:
        """Export the last known count of each account as a metric, and of no other."""
        metrics.codes.clear()
        for account in self._accounts:
            metrics.codes.labels(account).set_function(partial(self._seen_today, account))

    @asynccontextmanager
    async def code(self, account: str, purpose: Purpose) -> AsyncIterator[None]:
        """Count one QR code; the caller requests it within the context.

        When WeChat reports that the quota is used up, one request a minute is let through; the first that succeeds
        ends that. A request that fails otherwise is not counted, or an outage of WeChat would use up the quota. If
        WeChat did count it, its own refusal corrects that later.

        Raises:
            RateLimited: the quota for this purpose is used up; `retry_after` is the time until the next day, or
                until the next request is let through.
            StoreUnavailable: Redis does not answer, so the request cannot be counted.
        """
        day, left = self._today()
        limit, now = available(self._accounts[account], purpose), int(self._clock().timestamp())
        with redis_errors():
            used, taken, probe = await self._take(keys=_keys(account, day), args=[limit, _KEPT, now, _PROBES])
        ended = bool(probe)
        self._seen[account] = day, self._accounts[account].codes_per_day if ended else used
        if not taken:
            raise RateLimited(
                "the daily quota of QR codes of this account is used up",
                limit="codes_per_day",
                retry_after=min(probe, left) if ended else left,
                account=account,
            )
        try:
            yield
        except WeChatUnavailable as refusal:
            await self._give_back(account, day, used)
            if refusal.errcode == _USED_UP and left < _YOUNG:
                await self._end(account, day, now)
            raise
        if ended:
            await self._go_on(account, day, used)

    async def used(self, account: str) -> int:
        """Return the number of QR codes requested today.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        with redis_errors():
            return int(await self._redis.get(_keys(account, self._today()[0])[0]) or 0)

    async def has_ended(self, account: str) -> bool:
        """Tell whether WeChat reported today that the quota is used up, and has created no QR code since.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        with redis_errors():
            return bool(await self._redis.exists(_keys(account, self._today()[0])[1]))

    async def _end(self, account: str, day: str, now: int) -> None:
        self._seen[account] = day, self._accounts[account].codes_per_day
        with suppress(StoreUnavailable), redis_errors():  # the next request gets the same errcode
            await self._redis.set(_keys(account, day)[1], now + _PROBES, ex=_KEPT)

    async def _go_on(self, account: str, day: str, used: int) -> None:
        self._seen[account] = day, used
        with suppress(StoreUnavailable), redis_errors():  # the next one is let through in a minute
            await self._redis.delete(_keys(account, day)[1])

    async def _give_back(self, account: str, day: str, used: int) -> None:
        self._seen[account] = day, used - 1
        with suppress(StoreUnavailable), redis_errors():  # then one too many is counted today
            await self._return(keys=_keys(account, day)[:1])

    def _seen_today(self, account: str) -> int:
        day, used = self._seen.get(account, ("", 0))
        return used if day == self._today()[0] else 0

    def _today(self) -> tuple[str, int]:
        """Return the date, and the seconds until the next day."""
        now = self._clock().astimezone(_BEIJING)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        return now.date().isoformat(), max(1, int((midnight - now).total_seconds()))


def available(account: Account, purpose: Purpose) -> int:
    """Return the daily quota for *purpose*: all of it for binds, without the reserved part for logins."""
    return account.codes_per_day - (account.codes_for_binds if purpose is Purpose.LOGIN else 0)


def _keys(account: str, day: str) -> list[str]:
    """Return the keys of the scripts. The braces put both into one slot of a cluster."""
    count = f"scanbind:codes:{{{account}:{day}}}"
    return [count, f"{count}:probe"]
