"""WeChat's allowance of codes, counted in Redis by account and Beijing day; the last of it is kept for binds.

A Redis that was lost counts anew; then WeChat's own refusal ends the day.
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
from service.config.settings import Account
from service.observability.metrics import Metrics
from service.storage.redis import redis_errors

_BEIJING: Final = timezone(timedelta(hours=8))
"""WeChat's days begin at midnight there."""
_DAY: Final = timedelta(days=1)
_YOUNG: Final = 86_400 - 600
"""Seconds left of a day that may not have begun yet by WeChat's clock: a refusal is still yesterday's."""
_KEPT: Final = 2 * 86_400
_USED_UP: Final = WeChatErrorCode.OUT_OF_API_FREQ_LIMIT.value
# What is refused is not counted, or logins would use up what is kept for binds.
_TAKE: Final = """
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
if used >= tonumber(ARGV[1]) then return {used, 0} end
redis.call('SET', KEYS[1], used + 1, 'EX', ARGV[2])
return {used + 1, 1}
"""
_RETURN: Final = """
if tonumber(redis.call('GET', KEYS[1]) or 0) > 0 then redis.call('DECR', KEYS[1]) end
"""


class QrQuota:
    """How many codes each account has asked for today."""

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
        """Let the figures tell, for each account, what was last seen."""
        for account in self._accounts:
            metrics.codes.labels(account).set_function(partial(self._seen_today, account))

    @asynccontextmanager
    async def code(self, account: str, purpose: Purpose) -> AsyncIterator[None]:
        """Count one code, then let it be asked for; when WeChat has no more, none is asked for until tomorrow.

        What WeChat did not make is not counted, or an hour without it would use up the day. Should it have counted
        that itself, its refusal ends the day.

        Raises:
            RateLimited: what this purpose may use is used up; says when the next day begins.
            StoreUnavailable: Redis does not answer, so nothing can be counted.
        """
        day, left = self._today()
        with redis_errors():
            used, taken = await self._take(
                keys=[_key(account, day)], args=[available(self._accounts[account], purpose), _KEPT]
            )
        self._seen[account] = day, used
        if not taken:
            raise RateLimited(
                "WeChat's codes for today are used up", limit="codes_per_day", retry_after=left, account=account
            )
        try:
            yield
        except WeChatUnavailable as refusal:
            if refusal.errcode == _USED_UP and left < _YOUNG:
                await self._end(account, day)
            else:
                await self._give_back(account, day, used)
            raise

    async def used(self, account: str) -> int:
        """Return how many were asked for today.

        Raises:
            StoreUnavailable: Redis does not answer.
        """
        with redis_errors():
            return int(await self._redis.get(_key(account, self._today()[0])) or 0)

    async def _end(self, account: str, day: str) -> None:
        used = self._accounts[account].codes_per_day
        self._seen[account] = day, used
        with suppress(StoreUnavailable), redis_errors():  # then WeChat will say it again
            await self._redis.set(_key(account, day), used, ex=_KEPT)

    async def _give_back(self, account: str, day: str, used: int) -> None:
        self._seen[account] = day, used - 1
        with suppress(StoreUnavailable), redis_errors():  # then one is missing today
            await self._return(keys=[_key(account, day)])

    def _seen_today(self, account: str) -> int:
        day, used = self._seen.get(account, ("", 0))
        return used if day == self._today()[0] else 0

    def _today(self) -> tuple[str, int]:
        """Return the day, and the seconds until the next."""
        now = self._clock().astimezone(_BEIJING)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        return now.date().isoformat(), max(1, int((midnight - now).total_seconds()))


def available(account: Account, purpose: Purpose) -> int:
    """Return how many codes of a day are for *purpose*: binds may have all, logins what is not kept for them."""
    return account.codes_per_day - (account.codes_for_binds if purpose is Purpose.LOGIN else 0)


def _key(account: str, day: str) -> str:
    return f"scanbind:codes:{account}:{day}"
