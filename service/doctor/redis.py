"""Checks Redis: that it answers, eviction, persistence, and how much of the day's QR code quota is used."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster

from models.ticket import Purpose
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.rate_limiting.qr_quota import QrQuota, available
from service.storage.embedded_valkey import FolderInUseError
from service.storage.reasons import redis_reason
from service.storage.redis import FAILURES, connect
from service.storage.stores import open_redis

_NEARLY: Final = 0.8
"""The share of the day's quota from which on the finding is a warning."""


async def check_redis(settings: Settings) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(open_redis(settings))
        except FolderInUseError as in_use:
            yield Finding(True, "redis", "embedded, in use by a running scanbind")
            async with connect(in_use.url) as running:
                async for finding in _codes(settings, running):
                    yield finding
            return
        try:
            facts = _facts(await client.info())
        except FAILURES as error:
            remedy = "start it, or correct redis.url"
            yield Finding(False, "redis", f"does not answer: {redis_reason(error)}", remedy)
            return
        for finding in _redis_facts(facts):
            yield finding
        async for finding in _codes(settings, client):
            yield finding


async def _codes(settings: Settings, client: "Redis | RedisCluster") -> AsyncIterator[Finding]:
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


def _facts(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the INFO of one server; of a cluster, of its first node."""
    first = next(iter(info.values()), None)
    return first if isinstance(first, dict) and "redis_version" in first else info


def _redis_facts(facts: Mapping[str, Any]) -> list[Finding]:
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "of unknown version")
    findings = [Finding(True, "redis", f"{name} {version} answers")]
    if facts.get("maxmemory") and facts.get("maxmemory_policy") != "noeviction":
        remedy = "set maxmemory-policy to noeviction"
        findings.append(
            Finding(None, "redis", "maxmemory-policy: tickets may be evicted when memory is full", remedy)
        )
    if not facts.get("aof_enabled"):
        remedy = "set appendonly to yes"
        findings.append(
            Finding(None, "redis", "appendonly is off: scans in progress are lost when it restarts", remedy)
        )
    return findings
