"""HTTP requests to WeChat's API, with retries. No log line and no error contains a secret."""

import asyncio
import json
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import aiohttp
from wechatpy.constants import WeChatErrorCode

log = logging.getLogger(__name__)

T = TypeVar("T")

PER_TRY: Final = aiohttp.ClientTimeout(total=3)
_RID: Final = re.compile(r"rid: ([0-9a-f-]{1,40})")


@dataclass(frozen=True, slots=True)
class ApiAccount:
    """API credentials of an Official Account."""

    appid: str
    secret: str = field(repr=False)
    api_base: str = "https://api.weixin.qq.com"

    def url(self, endpoint: str) -> str:
        return f"{self.api_base.rstrip('/')}/cgi-bin/{endpoint}"


class Refused(Exception):
    """A call failed. `errcode` is None if WeChat sent none or did not answer. Its text is safe to log."""

    def __init__(self, errcode: int | None, why: str) -> None:
        super().__init__(f"errcode={errcode} {why}")
        self.errcode = errcode


@dataclass(frozen=True, slots=True)
class Remedy:
    """How to retry: the number of tries, including the first; the pause, in seconds, doubles each time."""

    tries: int
    pause: float = 0.0
    new_token: bool = False


Remedies = Mapping[int | None, Remedy]

GIVE_UP: Final = Remedy(tries=1)
_NEW_TOKEN: Final = Remedy(tries=2, new_token=True)

# wechat-protocol.md 1. A retry does not help with any other errcode.
ONCE: Final[Remedies] = {
    WeChatErrorCode.SYSTEM_BUSY.value: Remedy(tries=3, pause=0.2),
    WeChatErrorCode.INVALID_CREDENTIAL.value: _NEW_TOKEN,
    WeChatErrorCode.INVALID_ACCESS_TOKEN.value: _NEW_TOKEN,
    WeChatErrorCode.EXPIRED_ACCESS_TOKEN.value: _NEW_TOKEN,
}
"""For calls that are not idempotent: one without an answer may have been executed."""

REPEATABLE: Final[Remedies] = {**ONCE, None: Remedy(tries=2, pause=0.1)}
"""For idempotent calls."""

TOKEN: Final[Remedies] = {code: remedy for code, remedy in REPEATABLE.items() if not remedy.new_token}
"""For fetching the token: there 40001 means a wrong secret."""


async def exchange(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send one request, *body* as JSON; return the decoded answer. Raises Refused."""
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"} if data else None
    sending = http.request(
        method, url, params=params, data=data, headers=headers, timeout=PER_TRY, allow_redirects=False
    )
    try:
        async with sending as response:
            status, raw = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as fault:
        no_answer = type(fault).__name__
    else:
        return _understood(status, raw)
    # raised outside of `except`, without a cause: aiohttp's errors contain the URL, and so the token
    raise Refused(None, no_answer)


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


def _understood(status: int, raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw, strict=False)  # some answers contain control characters
        code = int(answer.get("errcode", 0))
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as fault:
        raise Refused(None, f"HTTP {status}, not a valid answer") from fault
    if code:
        rid = _RID.search(str(answer.get("errmsg", "")))  # errmsg itself may quote the request
        raise Refused(code, f"rid={rid[1] if rid else None}")
    if status != 200:
        raise Refused(None, f"HTTP {status}")
    return dict(answer)
