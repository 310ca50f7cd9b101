"""One access token for all processes. Whoever finds it due fetches it, and the others wait for that one."""

import asyncio
import logging
from collections import defaultdict
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

import aiohttp
from redis.asyncio import Redis, RedisCluster

from models.errors import WeChatUnavailable
from service.storage.redis import alone, redis_errors
from service.wechat.transport import TOKEN, ApiAccount, Refused, exchange, insist

log = logging.getLogger(__name__)

ENDPOINT: Final = "stable_token"
DUE: Final = 300
"""Seconds before its end from which on WeChat gives another token (wechat-protocol.md 1)."""
_LIFETIME: Final = 7200
_WAIT: Final = 4.0
REST: Final = 5.0
"""Seconds in which a failure is not asked for again, so that those who waited do not fail one by one."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A token as WeChat gave it; `lifetime` in whole seconds."""

    token: str
    lifetime: int


@dataclass(slots=True)
class TokenCache:
    """The accounts' tokens, cached in Redis (`decode_responses=True`) until they are due."""

    redis: Redis | RedisCluster
    _: KW_ONLY
    http: aiohttp.ClientSession
    prefix: str = "scanbind"
    _flights: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock), init=False)
    _failures: dict[str, tuple[float, int | None]] = field(default_factory=dict, init=False)

    async def get(self, account: ApiAccount) -> str:
        """Return the account's token. Raises WeChatUnavailable, StoreUnavailable."""
        return await self._cached(account) or await self._fetched(account, failed=None)

    async def refetch(self, account: ApiAccount, failed: str) -> str:
        """Return a token in place of *failed*, the shared one if somebody has replaced it already.

        WeChat may give the same one again; forcing another would hurt everybody else who holds it, so
        that is left to people. Raises WeChatUnavailable, StoreUnavailable.
        """
        return await self._fetched(account, failed=failed)

    async def _fetched(self, account: ApiAccount, *, failed: str | None) -> str:
        lock = alone(self.redis, self._key(account, "token-lock"), patience=_WAIT)
        async with self._flights[account.appid], lock:
            cached = await self._cached(account)
            if cached not in (None, failed):
                return cached
            self._rest(account)
            grant = await self._granted(account)
            await self._keep(account, grant)
            return grant.token

    async def _cached(self, account: ApiAccount) -> str | None:
        with redis_errors():
            token = await self.redis.get(self._key(account, "token"))
        return token.decode() if isinstance(token, bytes) else token

    async def _keep(self, account: ApiAccount, grant: Grant) -> None:
        # Redis counts the time, so processes need not agree on the hour
        seconds = max(min(grant.lifetime, _LIFETIME) - DUE, 1)
        with redis_errors():
            await self.redis.set(self._key(account, "token"), grant.token, ex=seconds)

    async def _granted(self, account: ApiAccount) -> Grant:
        request = {"grant_type": "client_credential", "appid": account.appid, "secret": account.secret}

        async def attempt() -> Grant:
            return _grant(await exchange(self.http, "post", account.url(ENDPOINT), body=request))

        try:
            return await insist(attempt, endpoint=ENDPOINT, remedies=TOKEN)
        except Refused as refusal:
            log.warning("%s failed for %s: %s", ENDPOINT, account.appid, refusal)
            self._failures[account.appid] = _now() + REST, refusal.errcode
            raise WeChatUnavailable("WeChat gave no access token", errcode=refusal.errcode) from refusal

    def _rest(self, account: ApiAccount) -> None:
        until, errcode = self._failures.get(account.appid, (0.0, None))
        if _now() < until:
            raise WeChatUnavailable("WeChat gave no access token", errcode=errcode)

    def _key(self, account: ApiAccount, name: str) -> str:
        return f"{self.prefix}:{{{account.appid}}}:{name}"  # the braces keep a cluster's keys together


def _grant(answer: dict[str, Any]) -> Grant:
    token, lifetime = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token or type(lifetime) is not int:
        raise Refused(None, "no token in the answer")
    return Grant(token, lifetime)


def _now() -> float:
    return asyncio.get_running_loop().time()
