"""Reports how much of each account's QR codes of the day was used."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from redis.asyncio import Redis, RedisCluster

from models.ticket import Purpose
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.rate_limiting.qr_quota import QrQuota, available

_NEARLY: Final = 0.8
"""The share of the day's quota from which on the finding is a warning."""


async def codes(settings: Settings, client: "Redis | RedisCluster") -> AsyncIterator[Finding]:
    """Report how many QR codes were requested from WeChat today."""
    quota = QrQuota(client, accounts=settings.accounts, clock=lambda: datetime.now(UTC))
    for name, account in settings.accounts.items():
        if not account.api:
            continue
        subject, used, total = f"accounts.{name}.codes_per_day", await quota.used(name), account.codes_per_day
        message = f"{used} of {total} QR codes were requested from WeChat today"
        if await quota.has_ended(name):
            message += (
                "; WeChat refuses more (errcode 45009), and one request a minute finds out whether it still does"
            )
            remedy = "clear the quota in WeChat's console, or wait: it starts anew at midnight in Beijing"
            yield Finding(None, subject, message, remedy)
            continue
        if used >= available(account, Purpose.LOGIN):
            left = max(0, total - used)
            message += f"; logins are refused, and {left} are left for binds"
            yield Finding(
                None,
                subject,
                message,
                "find the client that requests so many; the quota starts anew at midnight in Beijing",
            )
        elif used >= _NEARLY * total:
            yield Finding(
                None, subject, message, "find the client that requests so many, before logins are refused"
            )
        else:
            yield Finding(True, subject, message)
