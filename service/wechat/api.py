"""Calls to WeChat's API: wechatpy builds the requests, aiohttp sends them. A failure is WeChatUnavailable."""

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NoReturn

import aiohttp
from redis.asyncio import Redis, RedisCluster
from wechatpy import WeChatClient

from models.events import OpenId
from service.wechat.answers import LONGEST_ID, Refused, unionid, word
from service.wechat.tokens import AccessToken, TokenCache, token_endpoint
from service.wechat.transport import ONCE, REPEATABLE, ApiAccount, exchange, wrapping_errors

LONGEST_URL: Final = 512
"""Maximum characters in a QR code. WeChat's contain about 45; rendered images are cached in memory."""

_IDEMPOTENT: Final = frozenset({("post", "qrcode/create"), ("post", "changeopenid")})


@dataclass(frozen=True, slots=True)
class QrCode:
    """A QR code created by WeChat: `url` is its content, `expires_in` is in whole seconds."""

    ticket: str
    url: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class UserInfo:
    """WeChat's data about a person; for one who is not a follower only `subscribed` is set."""

    subscribed: bool
    unionid: str | None
    language: str | None


class Transport(WeChatClient):  # type: ignore[misc]  # wechatpy carries no types
    """wechatpy's client, sending through aiohttp: every API method returns a coroutine.

    The session and token of the parent class are unused: they are synchronous, and each process would fetch a
    token of its own.
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

        async def call(token: str) -> dict[str, Any]:
            query = {**(params or {}), "access_token": token}
            return await exchange(self._aiohttp, self._account, method, url_or_endpoint, params=query, body=data)

        repeatable = method == "get" or (method, url_or_endpoint) in _IDEMPOTENT
        remedies = REPEATABLE if repeatable else ONCE
        answer = await self._tokens.calling(self._account, call, endpoint=url_or_endpoint, remedies=remedies)
        return result_processor(answer) if result_processor else answer

    def fetch_access_token(self) -> NoReturn:
        """Disable the parent's own token handling."""
        raise NotImplementedError("the token comes from the TokenCache")


class WeChatApi:
    """One Official Account's API. Every method raises WeChatUnavailable and StoreUnavailable."""

    def __init__(self, account: ApiAccount, *, tokens: TokenCache, http: aiohttp.ClientSession) -> None:
        self._account = account
        self._tokens = tokens
        self._client = Transport(account, tokens=tokens, http=http)

    async def create_qr(self, scene: str, *, lifetime: timedelta) -> QrCode:
        """Create a temporary QR code for *scene*, 1-64 characters (wechat-protocol.md 2)."""
        seconds = math.ceil(lifetime.total_seconds())
        request = {
            "expire_seconds": seconds,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        async with wrapping_errors(self._account, "qrcode/create", failing="WeChat did not create the QR code"):
            return _qr_code(await self._client.qrcode.create(request), asked=seconds)

    async def user_info(self, openid: OpenId) -> UserInfo:
        """Fetch WeChat's data about a person (wechat-protocol.md 4)."""
        async with wrapping_errors(self._account, "user/info", failing="WeChat returned no data about the person"):
            return _follower(await self._client.user.get(openid))

    async def send_text(self, openid: OpenId, text: str) -> None:
        """Send *text* into a person's chat; `<a>` in it becomes a link (wechat-protocol.md 4).

        Without an answer it may have been sent, so it is not repeated.
        """
        async with wrapping_errors(self._account, "message/custom/send", failing="WeChat took no message"):
            await self._client.message.send_text(openid, text)

    async def change_openids(self, former: str, openids: Sequence[OpenId]) -> Mapping[OpenId, OpenId]:
        """Fetch the new openid of each of at most 100, of the account that was migrated to this one.

        *former*: the original id or the appid of that account. Openids that WeChat does not know are left out
        (wechat-protocol.md 8).
        """
        request = {"from_appid": former, "openid_list": list(openids)}
        async with wrapping_errors(self._account, "changeopenid", failing="WeChat did not tell the new openids"):
            return _changed(await self._client.post("changeopenid", data=request), asked=openids)

    async def access_token(self) -> AccessToken:
        """Return the account's token, with the seconds for which it is kept (wechat-protocol.md 1)."""
        async with self._fetching():
            return await self._tokens.current(self._account)

    async def report_token(self, failed: str) -> bool:
        """Fetch a token in place of one that WeChat refused, as `TokenCache.report`; return whether one was."""
        async with self._fetching():
            return await self._tokens.report(self._account, failed)

    def _fetching(self) -> AbstractAsyncContextManager[None]:
        endpoint = token_endpoint(self._account)
        return wrapping_errors(self._account, endpoint, failing="WeChat returned no access token")


@asynccontextmanager
async def open_apis(
    accounts: Mapping[str, ApiAccount], *, redis: Redis | RedisCluster, prefix: str = "scanbind"
) -> AsyncIterator[Mapping[str, WeChatApi]]:
    """Open the API of each named account, over one connection pool and one TokenCache."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        tokens = TokenCache(redis, http=http, prefix=prefix)
        yield {name: WeChatApi(account, tokens=tokens, http=http) for name, account in accounts.items()}


def _qr_code(answer: Mapping[str, Any], *, asked: int) -> QrCode:
    ticket, url = word(answer, "ticket", longest=LONGEST_URL), word(answer, "url", longest=LONGEST_URL)
    if ticket is None or url is None:
        raise Refused(None, "no QR code in the answer")
    given = answer.get("expire_seconds")
    # 0 was observed once for a code that was valid (wechat-protocol.md 2)
    return QrCode(ticket, url, expires_in=given if type(given) is int and given > 0 else asked)


def _changed(answer: Mapping[str, Any], *, asked: Sequence[OpenId]) -> Mapping[OpenId, OpenId]:
    results = answer.get("result_list")
    if not isinstance(results, list) or not all(isinstance(it, dict) for it in results):
        raise Refused(None, "no result_list in the answer")
    known = [it for it in results if it.get("err_msg") == "ok"]
    new = {it.get("ori_openid"): word(it, "new_openid", longest=LONGEST_ID) for it in known}
    changed = {former: OpenId(to) for former in asked if (to := new.get(former))}
    if len(set(changed.values())) < len(changed) or len(changed) < len(known):
        raise Refused(None, "openids that were not asked for, or one of two people, in the answer")
    return changed


def _follower(answer: Mapping[str, Any]) -> UserInfo:
    subscribe = answer.get("subscribe")
    if type(subscribe) is not int or subscribe not in (0, 1):
        raise Refused(None, "no person in the answer")
    return UserInfo(
        subscribed=subscribe == 1, unionid=unionid(answer), language=word(answer, "language", longest=16)
    )
