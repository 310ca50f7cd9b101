"""Checks each account's secret with WeChat, and this machine's clock against WeChat's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import aiohttp

from service.config.settings import Account, Settings
from service.doctor.finding import Finding
from service.wechat.answers import Refused
from service.wechat.tokens import ENDPOINT
from service.wechat.transport import TOKEN, ApiAccount, exchange, insist

_CLOCK_OFF: Final = 30
"""Seconds by which this machine's clock may differ from WeChat's."""
# By errcode (wechat-protocol.md 1).
_REFUSALS: Final = {
    40001: "correct {0}.secret: it does not belong to this appid",
    40013: "correct {0}.appid: WeChat has no account with this appid",
    40125: "correct {0}.secret: it does not belong to this appid",
    40164: "add this machine's public address to the IP whitelist in WeChat's console",
    40243: "unfreeze the secret in WeChat's console",
    45009: "wait until midnight in Beijing, or clear the quota in WeChat's console",
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
    """Fetch a token in normal mode, in which the current token stays valid (wechat-protocol.md 1)."""
    target = ApiAccount(account.appid, account.secret.get_secret_value(), account.api_base)
    request = {"grant_type": "client_credential", "appid": target.appid, "secret": target.secret}

    async def attempt() -> dict[str, Any]:
        return await exchange(http, target, "post", ENDPOINT, body=request)

    try:
        answer = await insist(attempt, endpoint=ENDPOINT, remedies=TOKEN)
    except Refused as refusal:
        code = refusal.errcode
        if code is None:
            remedy = f"check that {account.api_base} is reachable from here"
            return Finding(False, subject, "WeChat does not answer", remedy)
        remedy = _REFUSALS.get(code, "look it up in WeChat's list of return codes (全局返回码)").format(subject)
        return Finding(False, subject, f"WeChat issues no access token: errcode {code}", remedy)
    if "access_token" not in answer:
        return Finding(
            False,
            subject,
            "the answer contains no access token, so it is not from WeChat",
            f"correct {subject}.api_base",
        )
    return Finding(True, subject, "WeChat issues an access token")


async def check_clock(settings: Settings) -> AsyncIterator[Finding]:
    """Compare this machine's clock with the `Date` of WeChat's answers: late or early pushes are refused."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        for base in sorted({account.api_base for account in settings.accounts.values()}):
            try:
                async with http.head(base, allow_redirects=False) as response:
                    theirs = parsedate_to_datetime(response.headers["Date"]).replace(tzinfo=UTC)
            except (aiohttp.ClientError, TimeoutError, OSError, KeyError, ValueError):
                continue  # check_accounts reports whether WeChat answers
            off = round((datetime.now(UTC) - theirs).total_seconds())
            if abs(off) > _CLOCK_OFF:
                message = f"this machine's clock is {abs(off)} s {'ahead' if off > 0 else 'behind'}"
                yield Finding(
                    None, "clock", message, "synchronise it by NTP: if it is too far off, pushes are refused"
                )
            else:
                yield Finding(True, "clock", "agrees with WeChat's")
