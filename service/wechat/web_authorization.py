"""The `sns` calls: what a person's authorization of a website or page tells (wechat-protocol.md 5, 6).

Codes and tokens are in no log line, no error, and no store.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from models.events import OpenId
from models.language import Lang
from service.wechat.answers import LONGEST_ID, Refused, unionid, word
from service.wechat.tokens import LONGEST_TOKEN
from service.wechat.transport import WITHOUT_RENEWAL, ApiAccount, exchange, insist, wrapping_errors

LONGEST_NICKNAME: Final = 256
"""Characters of a nickname that are read. WeChat allows 32 as people count them; an emoji may have ten."""
LONGEST_PICTURE: Final = 512
"""Maximum characters in the address of a picture; WeChat's have about 150."""
EXCHANGE: Final = "sns/oauth2/access_token"
_USERINFO: Final = "sns/userinfo"
_LANGUAGES: Final = {Lang.ZH: "zh_CN", Lang.EN: "en"}


@dataclass(frozen=True, slots=True)
class Grant:
    """What the code of an authorization was exchanged for. It must not outlive the callback."""

    openid: OpenId
    """Of WeCom, as models/wecom.py writes it."""
    unionid: str | None = None
    scope: str = ""
    """As WeChat says it, such as snsapi_base; an empty string if it says none."""
    snapshot: bool = False
    """Whether the person is the virtual one of a snapshot page, who must never be bound."""
    access_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebProfile:
    """What WeChat shows of a person to a site. The texts are the person's own: not cleaned, but encodable."""

    unionid: str | None
    nickname: str | None
    picture: str | None
    """The address of the picture."""


class WebAuthorization:
    """The web authorization of one account or website application. Every method raises WeChatUnavailable."""

    def __init__(self, account: ApiAccount, *, http: aiohttp.ClientSession) -> None:
        self._account = account
        self._http = http

    async def exchange(self, code: str) -> Grant:
        """Exchange a code. It is sent once: without an answer it may have been used up (wechat-protocol.md 5)."""
        async with wrapping_errors(self._account, EXCHANGE, failing="WeChat did not exchange the code"):
            return _grant(await send_code(self._http, self._account, code))

    async def profile(self, grant: Grant, *, lang: Lang) -> WebProfile:
        """Fetch nickname and picture. WeChat refuses it under snsapi_base: errcode 48001."""
        request = {"access_token": grant.access_token, "openid": grant.openid, "lang": _LANGUAGES[lang]}

        async def attempt() -> WebProfile:
            answer = await exchange(self._http, self._account, "get", _USERINFO, params=request)
            return _profile(answer, of=grant.openid)

        async with wrapping_errors(self._account, _USERINFO, failing="WeChat returned no profile of the person"):
            return await insist(attempt, endpoint=_USERINFO, remedies=WITHOUT_RENEWAL)


@asynccontextmanager
async def open_web_authorizations(
    accounts: Mapping[str, ApiAccount],
) -> AsyncIterator[Mapping[str, WebAuthorization]]:
    """Open the web authorization of each named account and application.

    Each call has a connection of its own: one that WeChat had closed meanwhile would lose a code.
    """
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield {name: WebAuthorization(account, http=http) for name, account in accounts.items()}


async def send_code(http: aiohttp.ClientSession, account: ApiAccount, code: str) -> dict[str, Any]:
    """Send a code to be exchanged; return the answer. Raises Refused."""
    request = {"appid": account.appid, "secret": account.secret, "code": code, "grant_type": "authorization_code"}
    return await exchange(http, account, "get", EXCHANGE, params=request)


def _grant(answer: Mapping[str, Any]) -> Grant:
    openid = word(answer, "openid", longest=LONGEST_ID)
    token = word(answer, "access_token", longest=LONGEST_TOKEN)
    if openid is None or token is None:
        raise Refused(None, "no person or no token in the answer")
    return Grant(
        openid=OpenId(openid),
        unionid=unionid(answer),
        scope=word(answer, "scope", longest=LONGEST_ID) or "",
        snapshot=answer.get("is_snapshotuser") not in (None, 0, "0"),  # in doubt it is one
        access_token=token,
    )


def _profile(answer: Mapping[str, Any], *, of: OpenId) -> WebProfile:
    if answer.get("openid") != of:
        raise Refused(None, "no profile of this person in the answer")
    nickname = answer.get("nickname")
    return WebProfile(
        unionid=unionid(answer),
        nickname=(_encodable(nickname)[:LONGEST_NICKNAME] or None) if isinstance(nickname, str) else None,
        picture=word(answer, "headimgurl", longest=LONGEST_PICTURE),
    )


def _encodable(text: str) -> str:
    """Drop lone surrogates, which JSON escapes can contain and UTF-8 cannot."""
    return text.encode(errors="ignore").decode()
