"""What we ask of WeChat: wechatpy names the calls, aiohttp carries them. Fails in one way: WeChatUnavailable."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NoReturn

import aiohttp
from redis.asyncio import Redis, RedisCluster
from wechatpy import WeChatClient

from models.errors import WeChatUnavailable
from models.events import OpenId
from service.wechat.tokens import TokenCache
from service.wechat.transport import ONCE, REPEATABLE, ApiAccount, Refused, exchange, insist

log = logging.getLogger(__name__)

DEADLINE: Final = 8.0
"""Seconds that a call may take in all: waiting for the token, and every try."""

LONGEST_URL: Final = 512
"""Characters of what a code shows, at most: WeChat's have some 45, and pictures of them are kept in memory."""

_HARMLESS_TWICE: Final = frozenset({("post", "qrcode/create")})


@dataclass(frozen=True, slots=True)
class QrCode:
    """A code as WeChat made it: `url` is what it shows, `expires_in` whole seconds."""

    ticket: str
    url: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class UserInfo:
    """What WeChat tells of a person; all but `subscribed` is unknown of one who does not follow."""

    subscribed: bool
    unionid: str | None
    language: str | None


class Transport(WeChatClient):  # type: ignore[misc]  # wechatpy carries no types
    """wechatpy's client with its way out replaced: every API method returns a coroutine.

    The parent's own session and token stay unused: they are synchronous, and that token would be fetched
    again by each process.
    """

    def __init__(self, account: ApiAccount, *, tokens: TokenCache, http: aiohttp.ClientSession) -> None:
        super().__init__(account.appid, secret=None)
        self._account = account
        self._tokens = tokens
        self._aiohttp = http

    async def _request(
        self,
        method: str,
        url_or_endpoint: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
        result_processor: Callable[[dict[str, Any]], Any] | None = None,
    ) -> Any:
        """Call an endpoint below cgi-bin. Raises Refused, WeChatUnavailable, StoreUnavailable."""
        url = self._account.url(url_or_endpoint)
        token = await self._tokens.get(self._account)

        async def attempt() -> dict[str, Any]:
            query = {**(params or {}), "access_token": token}
            return await exchange(self._aiohttp, method, url, params=query, body=data)

        async def renew() -> None:
            nonlocal token
            token = await self._tokens.refetch(self._account, token)

        harmless = method == "get" or (method, url_or_endpoint) in _HARMLESS_TWICE
        answer = await insist(
            attempt, endpoint=url_or_endpoint, remedies=REPEATABLE if harmless else ONCE, renew=renew
        )
        return result_processor(answer) if result_processor else answer

    def fetch_access_token(self) -> NoReturn:
        """Refuse what the parent would do by itself."""
        raise NotImplementedError("the token comes from the TokenCache")


class WeChatApi:
    """One Official Account's API. Every method raises WeChatUnavailable and StoreUnavailable."""

    def __init__(self, account: ApiAccount, *, tokens: TokenCache, http: aiohttp.ClientSession) -> None:
        self._account = account
        self._client = Transport(account, tokens=tokens, http=http)

    async def create_qr(self, scene: str, *, lifetime: timedelta) -> QrCode:
        """Make a temporary code that carries *scene*, 1-64 characters (wechat-protocol.md 2)."""
        seconds = math.ceil(lifetime.total_seconds())
        request = {
            "expire_seconds": seconds,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        async with self._asking("qrcode/create", failing="WeChat did not create the code"):
            return _qr_code(await self._client.qrcode.create(request), asked=seconds)

    async def user_info(self, openid: OpenId) -> UserInfo:
        """Return what WeChat tells of a person (wechat-protocol.md 4)."""
        async with self._asking("user/info", failing="WeChat did not tell about the person"):
            return _follower(await self._client.user.get(openid))

    @asynccontextmanager
    async def _asking(self, endpoint: str, *, failing: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(DEADLINE):
                yield
        except (Refused, TimeoutError) as fault:
            errcode = fault.errcode if isinstance(fault, Refused) else None
            log.warning("%s failed for %s: %s", endpoint, self._account.appid, str(fault) or "no answer in time")
            raise WeChatUnavailable(failing, errcode=errcode) from fault


@asynccontextmanager
async def open_apis(
    accounts: Mapping[str, ApiAccount], *, redis: Redis | RedisCluster, prefix: str = "scanbind"
) -> AsyncIterator[Mapping[str, WeChatApi]]:
    """Give each named account its API, over one connection pool and one TokenCache."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        tokens = TokenCache(redis, http=http, prefix=prefix)
        yield {name: WeChatApi(account, tokens=tokens, http=http) for name, account in accounts.items()}


def _qr_code(answer: Mapping[str, Any], *, asked: int) -> QrCode:
    ticket, url, given = answer.get("ticket"), answer.get("url"), answer.get("expire_seconds")
    if not isinstance(ticket, str) or not isinstance(url, str) or not ticket or not url or len(url) > LONGEST_URL:
        raise Refused(None, "no code in the answer")
    # a 0 was seen once for a code that did live (wechat-protocol.md 2)
    return QrCode(ticket, url, expires_in=given if type(given) is int and given > 0 else asked)


def _follower(answer: Mapping[str, Any]) -> UserInfo:
    subscribe = answer.get("subscribe")
    unionid, language = answer.get("unionid") or None, answer.get("language") or None
    known = isinstance(unionid, str | None) and isinstance(language, str | None)
    if type(subscribe) is not int or subscribe not in (0, 1) or not known:
        raise Refused(None, "no person in the answer")
    return UserInfo(subscribed=subscribe == 1, unionid=unionid, language=language)
