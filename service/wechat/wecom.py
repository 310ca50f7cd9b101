"""WeCom's `auth/getuserinfo`: which member or outsider a code names (wechat-protocol.md 7).

Codes and tokens are in no log line, no error, and no store but the token's.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from redis.asyncio import Redis, RedisCluster

from models.wecom import of_member, of_outsider
from service.wechat.answers import LONGEST_ID, Refused, word
from service.wechat.tokens import TokenCache
from service.wechat.transport import NEW_TOKEN, ApiAccount, exchange, wrapping_errors
from service.wechat.web_authorization import Grant

USERINFO: Final = "auth/getuserinfo"


class WeComAuthorization:
    """The authorization of one application in WeCom."""

    def __init__(self, account: ApiAccount, *, tokens: TokenCache, http: aiohttp.ClientSession) -> None:
        self._account = account
        self._tokens = tokens
        self._http = http

    async def exchange(self, code: str) -> Grant:
        """Exchange a code. It is sent again only if WeCom refused the access token, before it read the code.

        Raises WeChatUnavailable, StoreUnavailable.
        """

        async def call(token: str) -> Grant:
            return _grant(await send_code(self._http, self._account, code, token=token))

        async with wrapping_errors(self._account, USERINFO, failing="WeCom did not exchange the code"):
            return await self._tokens.calling(self._account, call, endpoint=USERINFO, remedies=NEW_TOKEN)


@asynccontextmanager
async def open_wecom(
    accounts: Mapping[str, ApiAccount], *, redis: Redis | RedisCluster
) -> AsyncIterator[Mapping[str, WeComAuthorization]]:
    """Open the authorization of each named application.

    Each call has a connection of its own: one that WeCom had closed meanwhile would lose a code.
    """
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        tokens = TokenCache(redis, http=http)
        yield {name: WeComAuthorization(one, tokens=tokens, http=http) for name, one in accounts.items()}


async def send_code(http: aiohttp.ClientSession, account: ApiAccount, code: str, *, token: str) -> dict[str, Any]:
    """Send a code once; return the answer. Raises Refused."""
    return await exchange(http, account, "get", USERINFO, params={"access_token": token, "code": code})


def _grant(answer: Mapping[str, Any]) -> Grant:
    """Read either spelling: userid and openid, or UserId and OpenId."""
    userid, openid = (
        word(answer, new, longest=LONGEST_ID) or word(answer, old, longest=LONGEST_ID)
        for new, old in (("userid", "UserId"), ("openid", "OpenId"))
    )
    try:
        return Grant(openid=of_member(userid) if userid else of_outsider(openid or ""))
    except ValueError as e:
        raise Refused(None, "no person in the answer") from e
