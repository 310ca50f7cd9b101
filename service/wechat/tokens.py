"""Access tokens, shared by all processes. When one is due, one caller fetches it and the others wait.

A process uses a token for half a minute before it reads Redis again. If WeChat does not accept it, the call is
repeated with another (service/wechat/transport.py).
"""

import asyncio
import hmac
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

import aiohttp
from redis.asyncio import Redis, RedisCluster
from redis.commands.core import AsyncScript

from models.errors import WeChatUnavailable
from service.storage.redis import alone, redis_errors
from service.wechat.answers import Refused, word
from service.wechat.transport import WITHOUT_RENEWAL, ApiAccount, Remedies, T, exchange, insist

log = logging.getLogger(__name__)

DUE: Final = 300
"""Seconds before expiry from which on WeChat returns a new token, and WeCom the same (wechat-protocol.md 1, 7)."""
LONGEST_TOKEN: Final = 2048
"""WeChat advises to reserve 512 characters (wechat-protocol.md 1)."""
_LIFETIME: Final = 7200
AT_HAND: Final = 30.0
"""Seconds for which a process uses a token without reading Redis; far below DUE, so that it has not expired."""
_WAIT: Final = 4.0
REST: Final = 5.0
"""Seconds after a failure without another fetch: waiting callers fail at once, not one after the other."""
REPORT_PAUSE: Final = 30
"""Seconds after a report of a token in which further reports of the same token fetch nothing."""
# KEYS: the token. Returns it with the milliseconds that are left, which two commands would take from two tokens.
_READ: Final = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token; `lifetime` in whole seconds."""

    token: str = field(repr=False)
    lifetime: int


@dataclass(slots=True)
class TokenCache:
    """Access tokens of the accounts, cached in Redis until they are due."""

    redis: Redis | RedisCluster
    _: KW_ONLY
    http: aiohttp.ClientSession
    prefix: str = "scanbind"
    _flights: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock), init=False)
    _failures: dict[str, tuple[float, int | None]] = field(default_factory=dict, init=False)
    _at_hand: dict[str, tuple[float, str]] = field(default_factory=dict, init=False)
    _read: AsyncScript = field(init=False)

    def __post_init__(self) -> None:
        self._read = self.redis.register_script(_READ)

    async def get(self, account: ApiAccount) -> str:
        """Return the account's token. Raises WeChatUnavailable, StoreUnavailable."""
        until, token = self._at_hand.get(account.token_owner, (0.0, ""))
        if _now() < until:
            return token
        return self._took(account, (await self.current(account)).token)

    async def current(self, account: ApiAccount) -> AccessToken:
        """Return the account's token as all processes know it, with the seconds for which it is kept, at least 1.

        Raises WeChatUnavailable, StoreUnavailable.
        """
        return await self._cached(account) or await self._fetched(account, failed=None)

    async def refetch(self, account: ApiAccount, failed: str) -> str:
        """Return a token in place of *failed*: the cached one if it was replaced already, else a new one.

        WeChat may return the same token again. A forced refresh would invalidate it for other programs of the
        account, so that is left to the operator. Raises WeChatUnavailable, StoreUnavailable.
        """
        return self._took(account, (await self._fetched(account, failed=failed)).token)

    async def report(self, account: ApiAccount, failed: str) -> bool:
        """Fetch a token in place of *failed* if that is the current one; return whether a token was fetched.

        WeChat returns a token that it still accepts again. A second report of it within REPORT_PAUSE fetches
        nothing, so callers who repeat it do not use up WeChat's quota. Raises WeChatUnavailable, StoreUnavailable.
        """
        if not await self._is_replaceable(account, failed):
            return False
        async with self._alone(account):
            if not await self._is_replaceable(account, failed):
                return False  # another caller reported it meanwhile
            self._took(account, (await self._renewed(account)).token)
            with redis_errors():
                await self.redis.set(self._key(account, "token-reported"), failed, ex=REPORT_PAUSE)
            return True

    async def calling(
        self, account: ApiAccount, call: Callable[[str], Awaitable[T]], *, endpoint: str, remedies: Remedies
    ) -> T:
        """Return what *call* returns with the account's token; repeat it as *remedies* say, with another token.

        Raises Refused, WeChatUnavailable, StoreUnavailable.
        """
        token = await self.get(account)

        async def renew() -> None:
            nonlocal token
            token = await self.refetch(account, token)

        return await insist(lambda: call(token), endpoint=endpoint, remedies=remedies, renew=renew)

    def _took(self, account: ApiAccount, token: str) -> str:
        self._at_hand[account.token_owner] = _now() + AT_HAND, token
        return token

    async def _fetched(self, account: ApiAccount, *, failed: str | None) -> AccessToken:
        async with self._alone(account):
            cached = await self._cached(account)
            if cached and cached.token != failed:
                return cached
            return await self._renewed(account)

    @asynccontextmanager
    async def _alone(self, account: ApiAccount) -> AsyncIterator[None]:
        """Let one caller of all processes at a time fetch the account's token."""
        lock = alone(self.redis, self._key(account, "token-lock"), patience=_WAIT)
        async with self._flights[account.token_owner], lock:
            yield

    async def _is_replaceable(self, account: ApiAccount, failed: str) -> bool:
        """Tell whether *failed* is the current token and was not reported lately."""
        with redis_errors():
            reported = await self.redis.get(self._key(account, "token-reported"))
        cached = await self._cached(account)
        return cached is not None and _same(cached.token, failed) and not _same(str(reported or ""), failed)

    async def _cached(self, account: ApiAccount) -> AccessToken | None:
        with redis_errors():
            token, left = await self._read(keys=[self._key(account, "token")])
        return AccessToken(token, max(left // 1000, 1)) if token else None

    async def _renewed(self, account: ApiAccount) -> AccessToken:
        """Fetch a token and keep it; return it with the seconds for which it is kept."""
        self._check_rest(account)
        fetched = await self._fetch(account)
        # expires by Redis's clock, so the clocks of the processes may differ
        seconds = max(min(fetched.lifetime, _LIFETIME) - DUE, 1)
        with redis_errors():
            await self.redis.set(self._key(account, "token"), fetched.token, ex=seconds)
        return AccessToken(fetched.token, seconds)

    async def _fetch(self, account: ApiAccount) -> AccessToken:
        async def attempt() -> AccessToken:
            return _access_token(await ask_for_token(self.http, account))

        endpoint = token_endpoint(account)
        try:
            return await insist(attempt, endpoint=endpoint, remedies=WITHOUT_RENEWAL)
        except Refused as refusal:
            log.warning("WeChat API: %s failed for %s: %s", endpoint, account.token_owner, refusal)
            self._failures[account.token_owner] = _now() + REST, refusal.errcode
            raise WeChatUnavailable("WeChat returned no access token", errcode=refusal.errcode) from refusal

    def _check_rest(self, account: ApiAccount) -> None:
        until, errcode = self._failures.get(account.token_owner, (0.0, None))
        if _now() < until:
            raise WeChatUnavailable("WeChat returned no access token", errcode=errcode)

    def _key(self, account: ApiAccount, name: str) -> str:
        return f"{self.prefix}:{{{account.token_owner}}}:{name}"  # braces: one cluster slot per account


def token_endpoint(account: ApiAccount) -> str:
    """Return the call that issues tokens to *account*."""
    return "stable_token" if account.agentid is None else "gettoken"


async def ask_for_token(http: aiohttp.ClientSession, account: ApiAccount) -> dict[str, Any]:
    """Send one request for a token, which leaves the current one valid; return the answer. Raises Refused."""
    endpoint, id_, secret = token_endpoint(account), account.appid, account.secret
    if account.agentid is None:
        body = {"grant_type": "client_credential", "appid": id_, "secret": secret}
        return await exchange(http, account, "post", endpoint, body=body)
    return await exchange(http, account, "get", endpoint, params={"corpid": id_, "corpsecret": secret})


def _access_token(answer: dict[str, Any]) -> AccessToken:
    token, lifetime = word(answer, "access_token", longest=LONGEST_TOKEN), answer.get("expires_in")
    if token is None or type(lifetime) is not int:
        raise Refused(None, "no token in the answer")
    return AccessToken(token, lifetime)


def _same(one: str, other: str) -> bool:
    """Compare two tokens in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _now() -> float:
    return asyncio.get_running_loop().time()
