"""Tries everything that is configured and says what to do. Changes nothing but what a start would change.

Each check gives findings, never an exception: whoever asks wants all that is wrong, not the first of it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from models.errors import StoreUnavailable
from models.ticket import Purpose
from service.config.settings import Account, ConfigError, Settings
from service.config.types import EMBEDDED
from service.crypto.secret_key_file import resolve_secret_keys
from service.identities import reencryption
from service.rate_limiting.qr_quota import Quota, available
from service.storage import database, embedded_valkey, redis
from service.wechat.tokens import ENDPOINT
from service.wechat.transport import TOKEN, ApiAccount, Refused, exchange, insist

PATIENCE: Final = 15.0
"""Seconds that one check may take."""
_CLOCK_OFF: Final = 30
"""Seconds that this machine's clock may be from WeChat's."""
_MARKS: Final = {True: "good", None: "warning", False: "failed"}
_NEARLY: Final = 0.8
"""The share of a day's codes from which on somebody should know."""
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

# PROTOCOL.md 1: what a person can do about it.
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


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `ok` is None for what works but should be different."""

    ok: bool | None
    subject: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        found = f"{_MARKS[self.ok]:<9}{self.subject}: {self.message}"
        return f"{found}\n{'':9}remedy: {self.remedy}" if self.remedy else found


async def examine(settings: Settings) -> list[Finding]:
    """Look at configuration, Redis, database, public address, every account and the clock, in this order."""
    findings = []
    for subject, check in _CHECKS.items():
        try:
            async with asyncio.timeout(PATIENCE):
                findings += [finding async for finding in check(settings)]
        except ConfigError as error:
            findings += [Finding(False, subject, fault, "correct it and ask again") for fault in error.faults]
        except TimeoutError:
            findings.append(
                Finding(False, subject, f"no answer in {PATIENCE:.0f} seconds", _REACH.format(subject))
            )
        except Exception as error:  # noqa: BLE001 - a check that falls ill is a finding like another
            findings.append(Finding(False, subject, f"ended in {type(error).__name__}", _REACH.format(subject)))
    return findings


_REACH: Final = "see that what the {} settings name is there and can be reached from here"


async def _configuration(settings: Settings) -> AsyncIterator[Finding]:
    resolve_secret_keys(settings)
    yield Finding(True, "configuration", "good")
    for part in ("accounts", "clients"):
        if not getattr(settings, part):
            yield Finding(None, part, "there are none, so nobody can scan", f"configure {part} in config.yaml")
    for name, account in settings.accounts.items():
        if account.mode == "plain":
            yield Finding(
                None,
                f"accounts.{name}.mode",
                "in plain mode nothing signs the body: whoever sees one push can forge any scan",
                "choose safe mode in WeChat's console and here",
            )


async def _redis(settings: Settings) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as stack:
        url = settings.redis.url
        if url == EMBEDDED:
            try:
                url = await stack.enter_async_context(embedded_valkey.valkey(settings.data_dir))
            except embedded_valkey.FolderInUseError as in_use:
                yield Finding(True, "redis", "embedded, and in the hands of a scanbind that runs")
                async with redis.connect(in_use.url) as theirs:
                    async for finding in _codes(settings, theirs):
                        yield finding
                return
        client = await stack.enter_async_context(redis.connect(url))
        try:
            facts = _facts(await client.info())
        except (RedisError, OSError) as error:
            remedy = "start it, or correct redis.url"
            yield Finding(False, "redis", f"does not answer ({type(error).__name__})", remedy)
            return
        for finding in _redis_facts(facts):
            yield finding
        async for finding in _codes(settings, client):
            yield finding


async def _codes(settings: Settings, client: "Redis | RedisCluster") -> AsyncIterator[Finding]:
    """Tell how many of WeChat's codes were asked for today."""
    quota = Quota(client, accounts=settings.accounts, clock=lambda: datetime.now(UTC))
    for name, account in settings.accounts.items():
        subject, used, total = f"accounts.{name}.codes_per_day", await quota.used(name), account.codes_per_day
        message = f"{used} of {total} codes were asked of WeChat today"
        if used >= available(account, Purpose.LOGIN):
            left = max(0, total - used)
            message += f"; logins are refused, and {left} are left for binds"
            yield Finding(None, subject, message, "find out who asks for so many; it goes on tomorrow")
        elif used >= _NEARLY * total:
            yield Finding(None, subject, message, "find out who asks for so many, before logins are refused")
        else:
            yield Finding(True, subject, message)


def _facts(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return one server's INFO; of a cluster's, the first."""
    first = next(iter(info.values()), None)
    return first if isinstance(first, dict) and "redis_version" in first else info


def _redis_facts(facts: Mapping[str, Any]) -> list[Finding]:
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "of unknown version")
    findings = [Finding(True, "redis", f"{name} {version} answers")]
    if facts.get("maxmemory") and facts.get("maxmemory_policy") != "noeviction":
        remedy = "set maxmemory-policy to noeviction"
        findings.append(Finding(None, "redis", "may drop tickets when memory runs short", remedy))
    if not facts.get("aof_enabled"):
        remedy = "set appendonly to yes"
        findings.append(Finding(None, "redis", "forgets scans in progress when it is restarted", remedy))
    return findings


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    async with database.connect(settings.database.url, data_dir=settings.data_dir) as sql:
        for check, message, remedy in (
            (sql.ping, "answers", "start it, or correct database.url"),
            (sql.check_schema, "its tables are current", "run `scanbind migrate`"),
        ):
            try:
                await check()
            except StoreUnavailable as error:
                yield Finding(False, "database", error.detail, remedy)
                return
            yield Finding(True, "database", message)
        vault = reencryption.vault(settings)
        await reencryption.check(sql, vault)
        if left := await reencryption.stale(sql, vault):
            message = f"{left:,} people stand in the clear or under an older key"
            yield Finding(None, "encryption.keys", message, "run `scanbind keys encrypt`")


async def _public_url(settings: Settings) -> AsyncIterator[Finding]:
    url, subject = settings.server.public_url, "server.public_url"
    parts = urlsplit(url)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        if await _lives(http, f"{url}/livez"):
            yield Finding(True, subject, f"{url} leads here")
        else:
            remedy = "start the service, or correct the address, its DNS name or the proxy before it"
            yield Finding(False, subject, f"no scanbind answers at {url}", remedy)
    if parts.hostname in _LOOPBACK:
        remedy = "set the address that the internet reaches, once real people are to scan"
        yield Finding(None, subject, "only this machine reaches it, so WeChat cannot", remedy)
    elif parts.scheme != "https":
        yield Finding(None, subject, "secrets travel in the clear", "put it behind https")
    elif parts.port not in (None, 443):  # PROTOCOL.md 3.1
        remedy = "serve https on port 443"
        yield Finding(None, subject, "WeChat pushes to the ports 80 and 443 alone", remedy)
    if parts.scheme == "https" and not settings.server.trusted_proxies:
        message = "none, so all visitors behind the proxy have its address: they are counted, and named, as one"
        yield Finding(None, "server.trusted_proxies", message, "name the proxy's network")


async def _lives(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url, allow_redirects=False) as response:
            return response.status == 200 and await response.json() == {"status": "alive"}
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False


async def _accounts(settings: Settings) -> AsyncIterator[Finding]:
    async with aiohttp.ClientSession() as http:
        for name, account in settings.accounts.items():
            yield await _token(http, f"accounts.{name}", account)


async def _token(http: aiohttp.ClientSession, subject: str, account: Account) -> Finding:
    """Fetch a token: in normal mode that disturbs nobody who has one already (PROTOCOL.md 1)."""
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


async def _clock(settings: Settings) -> AsyncIterator[Finding]:
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


_Check = Callable[[Settings], AsyncIterator[Finding]]
_CHECKS: Final[dict[str, _Check]] = {
    "configuration": _configuration,
    "redis": _redis,
    "database": _database,
    "server.public_url": _public_url,
    "accounts": _accounts,
    "clock": _clock,
}
