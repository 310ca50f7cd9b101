"""One exchange with WeChat's API, and what to do when it fails. Names no secret: in no log, in no error."""

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
    """An Official Account as its API sees it."""

    appid: str
    secret: str = field(repr=False)
    api_base: str = "https://api.weixin.qq.com"

    def url(self, endpoint: str) -> str:
        return f"{self.api_base.rstrip('/')}/cgi-bin/{endpoint}"


class Refused(Exception):
    """WeChat said no, or nothing that can be understood: then `errcode` is None. Its text is safe to log."""

    def __init__(self, errcode: int | None, why: str) -> None:
        super().__init__(f"errcode={errcode} {why}")
        self.errcode = errcode


@dataclass(frozen=True, slots=True)
class Remedy:
    """How often to call in all, the first try included; what to do in between. `pause` doubles, in seconds."""

    tries: int
    pause: float = 0.0
    new_token: bool = False


Remedies = Mapping[int | None, Remedy]

GIVE_UP: Final = Remedy(tries=1)
_NEW_TOKEN: Final = Remedy(tries=2, new_token=True)

# wechat-protocol.md 1. What is not listed is a matter for a person, another day, or a bug: no retry helps.
ONCE: Final[Remedies] = {
    WeChatErrorCode.SYSTEM_BUSY.value: Remedy(tries=3, pause=0.2),
    WeChatErrorCode.INVALID_CREDENTIAL.value: _NEW_TOKEN,
    WeChatErrorCode.INVALID_ACCESS_TOKEN.value: _NEW_TOKEN,
    WeChatErrorCode.EXPIRED_ACCESS_TOKEN.value: _NEW_TOKEN,
}
"""For calls that must not happen twice: one that got no answer may have been done."""

REPEATABLE: Final[Remedies] = {**ONCE, None: Remedy(tries=2, pause=0.1)}
"""For calls that do no harm twice."""

TOKEN: Final[Remedies] = {code: remedy for code, remedy in REPEATABLE.items() if not remedy.new_token}
"""For the token itself: there, 40001 means a wrong secret."""


async def exchange(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Send one request, *body* as JSON; return what WeChat answers. Raises Refused."""
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"} if data else None
    sending = http.request(
        method, url, params=params, data=data, headers=headers, timeout=PER_TRY, allow_redirects=False
    )
    try:
        async with sending as response:
            status, raw = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as fault:
        silence = type(fault).__name__
    else:
        return _understood(status, raw)
    # raised out here, without a cause: aiohttp's texts quote the URL, and with it the token
    raise Refused(None, silence)


async def insist(
    attempt: Callable[[], Awaitable[T]],
    *,
    endpoint: str,
    remedies: Remedies,
    renew: Callable[[], Awaitable[None]] | None = None,
) -> T:
    """Call until it goes through or *remedies* are used up; *renew* fetches another token.

    Raises the last Refused. At most one try more than all the remedies' retries together.
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
            log.info("%s: %s, trying again", endpoint, refusal)
        await asyncio.sleep(remedy.pause * 2 ** (used[remedy] - 1))
        if remedy.new_token and renew is not None:
            await renew()


def _understood(status: int, raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw, strict=False)  # names were seen to hold control characters
        code = int(answer.get("errcode", 0))
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError) as fault:
        raise Refused(None, f"HTTP {status}, not what an answer looks like") from fault
    if code:
        rid = _RID.search(str(answer.get("errmsg", "")))  # errmsg itself may quote what was sent
        raise Refused(code, f"rid={rid[1] if rid else None}")
    if status != 200:
        raise Refused(None, f"HTTP {status}")
    return dict(answer)
