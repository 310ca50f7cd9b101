"""HTTP requests to WeChat's API, with retries. No log line and no error contains a secret."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import aiohttp
from wechatpy.constants import WeChatErrorCode
from yarl import URL

from models.errors import WeChatUnavailable
from service.wechat.answers import Refused, understood

log = logging.getLogger(__name__)

T = TypeVar("T")

DEADLINE: Final = 8.0
"""Total timeout of a call in seconds, including the wait for the token and all retries."""

PER_TRY: Final = aiohttp.ClientTimeout(total=3)
LONGEST_ANSWER: Final = 64 * 1024
"""Bytes. WeChat's answers are much shorter."""


@dataclass(frozen=True, slots=True)
class ApiAccount:
    """API credentials of an Official Account or app, and the way to WeChat's API; an empty `proxy` is none."""

    appid: str
    secret: str = field(repr=False)
    api_base: str = "https://api.weixin.qq.com"
    proxy: str = field(default="", repr=False)
    """May contain a password."""
    agentid: int | None = None
    """Of an application in WeCom, whose `appid` is the CorpID."""

    @property
    def token_owner(self) -> str:
        """Return what has an access token of its own: an appid, or one application of an enterprise."""
        return self.appid if self.agentid is None else f"{self.appid}.{self.agentid}"

    def url(self, endpoint: str) -> str:
        """Return the address of `sns/...` and `wxa/...`; any other endpoint is below cgi-bin."""
        path = endpoint if endpoint.startswith(("sns/", "wxa/")) else f"cgi-bin/{endpoint}"
        return f"{self.api_base.rstrip('/')}/{path}"

    @property
    def way(self) -> str:
        """Return `, through the proxy HOST:PORT`, for the end of a message; an empty string without a proxy."""
        proxy = URL(self.proxy)
        return f", through the proxy {proxy.host_subcomponent}:{proxy.port}" if self.proxy else ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """How to retry: the number of tries, including the first; the pause, in seconds, doubles each time."""

    tries: int
    pause: float = 0.0
    new_token: bool = False


Remedies = Mapping[int | None, Remedy]

GIVE_UP: Final = Remedy(tries=1)
_RENEWAL: Final = Remedy(tries=2, new_token=True)

# wechat-protocol.md 1. A retry does not help with any other errcode.
ONCE: Final[Remedies] = {
    WeChatErrorCode.SYSTEM_BUSY.value: Remedy(tries=3, pause=0.2),
    WeChatErrorCode.INVALID_CREDENTIAL.value: _RENEWAL,
    WeChatErrorCode.INVALID_ACCESS_TOKEN.value: _RENEWAL,
    WeChatErrorCode.EXPIRED_ACCESS_TOKEN.value: _RENEWAL,
}
"""For calls that are not idempotent: one without an answer may have been executed."""

REPEATABLE: Final[Remedies] = {**ONCE, None: Remedy(tries=2, pause=0.1)}
"""For idempotent calls."""

NEW_TOKEN: Final[Remedies] = {code: remedy for code, remedy in ONCE.items() if remedy.new_token}
"""For calls that use something up: they are repeated only if WeChat refused the token, before anything else."""

WITHOUT_RENEWAL: Final[Remedies] = {code: remedy for code, remedy in REPEATABLE.items() if not remedy.new_token}
"""For idempotent calls without a token of the TokenCache: there 40001 means a wrong secret or token."""


async def exchange(
    http: aiohttp.ClientSession,
    account: ApiAccount,
    method: str,
    endpoint: str,
    *,
    params: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send one request, *body* as JSON, and never twice; return the decoded answer. Raises Refused."""
    return await send(http, account, method, endpoint, params=params, body=body, read=understood)


async def send(
    http: aiohttp.ClientSession,
    account: ApiAccount,
    method: str,
    endpoint: str,
    *,
    params: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
    read: Callable[[int, str, bytes], T],
    longest: int = LONGEST_ANSWER,
) -> T:
    """Do what `exchange` does; *read* gets status, content type and at most *longest* bytes. Raises Refused."""
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    sending = http.request(
        method,
        account.url(endpoint),
        params=params,
        data=data,
        headers={"Content-Type": "application/json"} if data else None,
        timeout=PER_TRY,
        allow_redirects=False,
        proxy=account.proxy or None,
        middlewares=(_send_once,),
    )
    try:
        async with sending as response:
            status, content_type = response.status, response.headers.get("Content-Type", "")
            raw = await _read(response, longest)
        return read(status, content_type, raw)
    except Refused as refusal:
        if refusal.errcode is not None:
            raise
        why = refusal.why
    except aiohttp.ClientHttpProxyError as fault:
        why = f"no tunnel, HTTP {fault.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as fault:
        why = type(fault).__name__
    # raised outside of `except`, without a cause: aiohttp's errors contain the URL, and so the token
    raise Refused(None, why + account.way)


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Replace the errors after which aiohttp repeats a GET: it may have been executed, and `insist` decides."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectionError as fault:
        raise Refused(None, type(fault).__name__) from fault


async def _read(response: aiohttp.ClientResponse, longest: int) -> bytes:
    raw = bytearray()
    async for piece in response.content.iter_any():
        raw += piece
        if len(raw) > longest:
            raise Refused(None, f"HTTP {response.status}, more than {longest} bytes")
    return bytes(raw)


async def insist(
    attempt: Callable[[], Awaitable[T]],
    *,
    endpoint: str,
    remedies: Remedies,
    renew: Callable[[], Awaitable[None]] | None = None,
) -> T:
    """Call *attempt* until it succeeds or *remedies* are used up; *renew* fetches another token.

    Raises the last Refused. The maximum number of tries is one more than the sum of all retries.
    """
    used: Counter[Remedy] = Counter()
    while True:
        try:
            return await attempt()
        except Refused as refusal:
            remedy = remedies.get(refusal.errcode, GIVE_UP)
            used[remedy] += 1
            if used[remedy] >= remedy.tries:
                raise
            log.info("WeChat API: %s: %s, retrying", endpoint, refusal)
        await asyncio.sleep(remedy.pause * 2 ** (used[remedy] - 1))
        if remedy.new_token and renew is not None:
            await renew()


@asynccontextmanager
async def wrapping_errors(account: ApiAccount, endpoint: str, *, failing: str) -> AsyncIterator[None]:
    """Run one call within DEADLINE. Log its failure in one line, and raise WeChatUnavailable with *failing*."""
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except (Refused, TimeoutError) as fault:
        errcode = fault.errcode if isinstance(fault, Refused) else None
        log.warning(
            "WeChat API: %s failed for %s: %s",
            endpoint,
            account.appid,
            str(fault) or f"no answer in time{account.way}",
        )
        raise WeChatUnavailable(failing, errcode=errcode) from fault
