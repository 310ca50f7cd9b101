"""The API of a mini program: its codes, and who logged in (wechat-protocol.md 11).

Codes of `wx.login` are in no log line, no error and no store, and neither is a session_key.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from redis.asyncio import Redis, RedisCluster

from models.events import OpenId
from service.wechat.answers import LONGEST_ID, Refused, picture, unionid, word
from service.wechat.tokens import TokenCache
from service.wechat.transport import REPEATABLE, ApiAccount, exchange, send, wrapping_errors

LARGEST_PICTURE: Final = 512 * 1024
"""Bytes; WeChat's have up to 200 KB (wechat-protocol.md 11)."""
WIDTH: Final = 280
"""Pixels, the fewest that WeChat draws: each ticket's picture is kept in Redis."""
MAKE: Final = "wxa/getwxacodeunlimit"
LOGIN: Final = "sns/jscode2session"
INVALID_PAGE: Final = 41030


@dataclass(frozen=True, slots=True)
class Login:
    """The person who a code of `wx.login` belongs to."""

    openid: OpenId
    unionid: str | None


class MiniProgramApi:
    """The API of one mini program; *logins* keeps no connection open. Every method raises WeChatUnavailable."""

    def __init__(
        self,
        account: ApiAccount,
        *,
        tokens: TokenCache,
        http: aiohttp.ClientSession,
        logins: aiohttp.ClientSession,
    ) -> None:
        self._account = account
        self._tokens = tokens
        self._http = http
        self._logins = logins

    async def make_code(self, scene: str, *, page: str, env_version: str) -> bytes:
        """Create a code for *scene*, 1-32 characters; return it as a JPEG or PNG. Also raises StoreUnavailable.

        WeChat may not know the page for a day after its release: then the code is made without its check.
        """
        asked = {"scene": scene, "page": page, "env_version": env_version, "width": WIDTH}
        async with wrapping_errors(self._account, MAKE, failing="WeChat did not create the mini program's code"):
            try:
                return await self._make({**asked, "check_path": True})
            except Refused as refusal:
                if refusal.errcode != INVALID_PAGE:
                    raise
            return await self._make({**asked, "check_path": False})

    async def _make(self, asked: Mapping[str, Any]) -> bytes:
        async def call(token: str) -> bytes:
            return await draw(self._http, self._account, asked, token=token)

        return await self._tokens.calling(self._account, call, endpoint=MAKE, remedies=REPEATABLE)

    async def login(self, js_code: str) -> Login:
        """Exchange a code of `wx.login`. It is sent once: without an answer it may have been used up."""
        async with wrapping_errors(self._account, LOGIN, failing="WeChat did not say who the person is"):
            answer = await send_js_code(self._logins, self._account, js_code)
            openid = word(answer, "openid", longest=LONGEST_ID)
            if openid is None:
                raise Refused(None, "no person in the answer")
            return Login(OpenId(openid), unionid(answer))


@asynccontextmanager
async def open_mini_programs(
    accounts: Mapping[str, ApiAccount], *, redis: Redis | RedisCluster
) -> AsyncIterator[Mapping[str, MiniProgramApi]]:
    """Open the API of each named mini program.

    Logins have a connection of their own: one that WeChat had closed meanwhile would lose a code.
    """
    jar = aiohttp.DummyCookieJar()
    async with (
        aiohttp.ClientSession(cookie_jar=jar) as http,
        aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(force_close=True)) as logins,
    ):
        tokens = TokenCache(redis, http=http)
        yield {
            name: MiniProgramApi(account, tokens=tokens, http=http, logins=logins)
            for name, account in accounts.items()
        }


async def draw(http: aiohttp.ClientSession, account: ApiAccount, asked: Mapping[str, Any], *, token: str) -> bytes:
    """Have WeChat draw a code; return the picture. Raises Refused."""
    return await send(
        *(http, account, "post", MAKE),
        params={"access_token": token},
        body=asked,
        read=picture,
        longest=LARGEST_PICTURE,
    )


async def send_js_code(http: aiohttp.ClientSession, account: ApiAccount, js_code: str) -> dict[str, Any]:
    """Send a code of `wx.login` to be exchanged; return the answer. Raises Refused."""
    request = {
        "appid": account.appid,
        "secret": account.secret,
        "js_code": js_code,
        "grant_type": "authorization_code",
    }
    return await exchange(http, account, "get", LOGIN, params=request)
