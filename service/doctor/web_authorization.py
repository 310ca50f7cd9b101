"""Checks what the methods website, h5 and link need: credentials, and the host to which people come back.

No call tells whether WeChat's console has that host, nor whether WeChat blocks it: such findings are `untested`.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from models.ip_address import parsed_address
from models.method import Method
from service.config.accounts import Account
from service.config.addresses import is_local
from service.config.apps import Website
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.doctor.wechat import refused
from service.wechat.answers import Refused
from service.wechat.build import build_web_accounts
from service.wechat.transport import WITHOUT_RENEWAL, ApiAccount, insist
from service.wechat.web_authorization import EXCHANGE, send_code

_INSIDE: Final = frozenset({Method.H5, Method.LINK})
"""The methods whose pages open inside WeChat."""
_NO_CODE: Final = "0" * 32
_INVALID_CODE: Final = 40029
_UNTESTED: Final = "cannot be tested from here: whether"


async def check_web_authorization(settings: Settings) -> AsyncIterator[Finding]:
    used, credentials = list(_used(settings)), build_web_accounts(settings)
    if not used:
        return
    async with aiohttp.ClientSession() as http:
        for part, name, _ in used:
            yield await _credentials(http, f"{part}.{name}", credentials[name])
    host = urlsplit(settings.server.public_url).hostname or ""
    if is_local(host) or parsed_address(host):
        message = f"WeChat lets people come back only to a domain, and {host} is none"
        yield Finding(None, "server.public_url", message, "set an address with a domain of yours")
        return
    for part, name, one in used:
        yield _console(f"{part}.{name}", one, host, files=settings.verify_files)
    inside = [name for name, client in settings.clients.items() if _INSIDE & set(client.methods)]
    if inside:
        lone = [name for name in inside if _INSIDE.issuperset(settings.clients[name].methods)]
        remedy = "keep another method beside h5 and link" + f"; without one: {', '.join(lone)}" * bool(lone)
        # Only the people who open a page see that WeChat blocks its domain (wechat-protocol.md 6).
        message = f"{_UNTESTED} WeChat opens pages of {host}, or shows 已停止访问该网页"
        yield Finding(True, "server.public_url", message, remedy, untested=True)


def _used(settings: Settings) -> Iterator[tuple[str, str, Account | Website]]:
    """Yield part, name and settings of each account and website that a client's methods use."""
    clients = settings.clients.values()
    for name, account in settings.accounts.items():
        if account.oauth != "none" and any(name in one.accounts and _INSIDE & set(one.methods) for one in clients):
            yield "accounts", name, account
    for name, app in settings.apps.items():
        if isinstance(app, Website) and any(name in one.apps and Method.WEBSITE in one.methods for one in clients):
            yield "apps", name, app


async def _credentials(http: aiohttp.ClientSession, subject: str, account: ApiAccount) -> Finding:
    """Send a made-up code: WeChat checks appid and secret first (wechat-protocol.md 5)."""
    try:
        await insist(partial(send_code, http, account, _NO_CODE), endpoint=EXCHANGE, remedies=WITHOUT_RENEWAL)
    except Refused as refusal:
        if refusal.errcode == _INVALID_CODE:
            return Finding(True, subject, f"WeChat accepts its secret for web authorization{account.way}")
        return refused(subject, account, refusal, failing="WeChat refuses its web authorization")
    message = f"a made-up code was accepted, so the answer is not from WeChat{account.way}"
    return Finding(False, subject, message, f"correct {subject}.api_base")


def _console(subject: str, one: Account | Website, host: str, *, files: Mapping[str, str]) -> Finding:
    """Say what must stand in WeChat's console, and what people see otherwise (wechat-protocol.md 5, 6)."""
    remedy = f"enter {host} there, without https://; "
    if isinstance(one, Website):
        message = f"{_UNTESTED} its 授权回调域 in the console of the Open Platform is {host}"
        remedy += "with another host people see 该链接无法访问"
    else:
        message = f"{_UNTESTED} {host} is a 网页授权域名 in its console, and whether it may ask for {one.oauth}"
        remedy += (
            f"people see error 10003 without it, and 10005 if the account may not do what {subject}.oauth says"
        )
        if one.kind == "official" and not any(name.startswith("MP_verify_") for name in files):
            remedy += "; the console demands a file MP_verify_….txt: set it as verify_files"
    return Finding(True, subject, message, remedy, untested=True)
