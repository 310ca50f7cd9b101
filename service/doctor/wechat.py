"""Checks each account's secret with WeChat, and this machine's clock against WeChat's."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

import aiohttp

from service.config.settings import Settings
from service.doctor.finding import Finding
from service.wechat.answers import Refused
from service.wechat.build import build_api_accounts
from service.wechat.tokens import ask_for_token, token_endpoint
from service.wechat.transport import WITHOUT_RENEWAL, ApiAccount, insist

_CLOCK_OFF: Final = 30
"""Seconds by which this machine's clock may differ from WeChat's."""
# By errcode (wechat-protocol.md 1).
REFUSALS: Final[Mapping[int, str]] = {
    40001: "correct {0}.secret: it does not belong to this appid",
    40013: "correct {0}.appid: WeChat knows no such appid",
    40125: "correct {0}.secret: it does not belong to this appid",
    40164: (
        "add {1} to the IP whitelist in WeChat's console; where that address is not fixed, let a machine that has "
        "a fixed one pass the calls on, as {0}.proxy or {0}.api_base"
    ),
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
        accounts = build_api_accounts(settings)
        for name in settings.accounts:
            subject = f"accounts.{name}"
            if account := accounts.get(name):
                yield await _token(http, subject, account)
            else:
                yield Finding(True, subject, "WeChat is not called, as api is false")


async def _token(http: aiohttp.ClientSession, subject: str, account: ApiAccount) -> Finding:
    try:
        answer = await fetch_token(http, account)
    except Refused as refusal:
        return refused(subject, account, refusal, failing="WeChat issues no access token")
    if "access_token" not in answer:
        return Finding(
            False,
            subject,
            f"the answer contains no access token, so it is not from WeChat{account.way}",
            f"correct {subject}.api_base",
        )
    return Finding(True, subject, f"WeChat issues an access token{account.way}")


async def fetch_token(http: aiohttp.ClientSession, account: ApiAccount) -> dict[str, Any]:
    """Fetch a token in normal mode, which keeps the current one valid (wechat-protocol.md 1). Raises Refused."""
    return await insist(
        partial(ask_for_token, http, account), endpoint=token_endpoint(account), remedies=WITHOUT_RENEWAL
    )


def refused(
    subject: str,
    account: ApiAccount,
    refusal: Refused,
    *,
    failing: str,
    remedies: Mapping[int, str] = REFUSALS,
) -> Finding:
    """Return the finding of a call that WeChat refused or did not answer; *remedies* are by errcode."""
    if refusal.errcode is None:
        remedy = f"check that {account.api_base} is reachable from here"
        if account.proxy:
            named = f"{subject}.proxy or HTTPS_PROXY" if subject.startswith("accounts.") else "HTTPS_PROXY"
            remedy = f"correct {named}, or check that the proxy reaches {account.api_base}"
        return Finding(False, subject, f"WeChat does not answer: {refusal.why}", remedy)
    message = f"{failing}: errcode {refusal.errcode}{account.way}"
    if refusal.ip:
        message += f"; it saw the address {refusal.ip}"
    remedy = remedies.get(refusal.errcode, "look it up in WeChat's list of return codes (全局返回码)")
    return Finding(False, subject, message, remedy.format(subject, refusal.ip or "this machine's public address"))


async def check_clock(settings: Settings) -> AsyncIterator[Finding]:
    """Compare this machine's clock with the `Date` of WeChat's answers: late or early pushes are refused."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        accounts = build_api_accounts(settings).values()
        for base, proxy in sorted({(account.api_base, account.proxy) for account in accounts}):
            try:
                async with http.head(base, allow_redirects=False, proxy=proxy or None) as response:
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
