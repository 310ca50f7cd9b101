"""Checks each account's secret with WeChat, and this machine's clock against WeChat's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from service.config.settings import Account, Settings
from service.doctor.finding import Finding
from service.wechat.tokens import ENDPOINT
from service.wechat.transport import TOKEN, ApiAccount, Refused, exchange, insist

_CLOCK_OFF: Final = 30
"""Seconds that this machine's clock may be from WeChat's."""
# wechat-protocol.md 1: what a person can do about it.
_REFUSALS: Final = {
    40001: "correct {0}.secret: WeChat says it is not this appid's",
    40013: "correct {0}.appid: WeChat does not know it",
    40125: "correct {0}.secret: WeChat says it is not this appid's",
    40164: "add this machine's public address to the IP whitelist in WeChat's console",
    40243: "unfreeze the secret in WeChat's console",
    45009: "wait for tomorrow, or clear the quota in WeChat's console",
    50004: "ask WeChat's support: the token API is forbidden to this account",
    50007: "unfreeze the account in WeChat's console",
    89503: "have the account's administrator confirm this address in WeChat",
    89506: "wait 24 hours: the administrator refused this address",
    89507: "wait one hour: the administrator refused this address",
}


async def check_accounts(settings: Settings) -> AsyncIterator[Finding]:
    async with aiohttp.ClientSession() as http:
        for name, account in settings.accounts.items():
            yield await _token(http, f"accounts.{name}", account)


async def _token(http: aiohttp.ClientSession, subject: str, account: Account) -> Finding:
    """Fetch a token: in normal mode that disturbs nobody who has one already (wechat-protocol.md 1)."""
    target = ApiAccount(account.appid, account.secret.get_secret_value(), account.api_base)
    request = {"grant_type": "client_credential", "appid": target.appid, "secret": target.secret}

    async def attempt() -> dict[str, Any]:
        return await exchange(http, "post", target.url(ENDPOINT), body=request)

    try:
        answer = await insist(attempt, endpoint=ENDPOINT, remedies=TOKEN)
    except Refused as refusal:
        code = refusal.errcode
        if code is None:
            remedy = f"see that {account.api_base} can be reached from here"
            return Finding(False, subject, "WeChat does not answer", remedy)
        remedy = _REFUSALS.get(code, "look the number up in WeChat's list of return codes").format(subject)
        return Finding(False, subject, f"WeChat gives no access token: errcode {code}", remedy)
    if "access_token" not in answer:
        return Finding(False, subject, "what answers is not WeChat", f"correct {subject}.api_base")
    return Finding(True, subject, "WeChat gives an access token")


async def check_clock(settings: Settings) -> AsyncIterator[Finding]:
    """Compare clocks by the Date of WeChat's answers: a push stamped too far from now is refused."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        for base in sorted({account.api_base for account in settings.accounts.values()}):
            try:
                async with http.head(base, allow_redirects=False) as response:
                    theirs = parsedate_to_datetime(response.headers["Date"]).replace(tzinfo=UTC)
            except (aiohttp.ClientError, TimeoutError, OSError, KeyError, ValueError):
                continue  # whether WeChat answers is told of each account
            off = round((datetime.now(UTC) - theirs).total_seconds())
            if abs(off) > _CLOCK_OFF:
                message = f"this machine's clock is {abs(off)} s {'ahead' if off > 0 else 'behind'}"
                yield Finding(None, "clock", message, "let NTP set it: pushes are refused when it is too far off")
            else:
                yield Finding(True, "clock", "agrees with WeChat's")
