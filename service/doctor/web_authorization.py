"""Checks what the methods website, wecom, h5 and link need: credentials, and the host to which people come back.

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
from service.config.apps import Website, WeCom
from service.config.settings import Settings
from service.doctor import wecom
from service.doctor.finding import Finding
from service.doctor.made_up_code import CODE, UNTESTED, insisted, judged
from service.doctor.wechat import REFUSALS
from service.wechat.build import build_web_accounts, build_wecom_apps
from service.wechat.transport import ApiAccount
from service.wechat.web_authorization import EXCHANGE, send_code

_INSIDE: Final = frozenset({Method.H5, Method.LINK})
"""The methods whose pages open inside WeChat."""


async def check_web_authorization(settings: Settings) -> AsyncIterator[Finding]:
    used, credentials = list(_used(settings)), {**build_web_accounts(settings), **build_wecom_apps(settings)}
    if not used:
        return
    async with aiohttp.ClientSession() as http:
        for part, name, one in used:
            check = wecom.check_application if isinstance(one, WeCom) else _check_secret
            yield await check(http, f"{part}.{name}", credentials[name])
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
        message = f"{UNTESTED} WeChat opens pages of {host}, or shows 已停止访问该网页"
        yield Finding(True, "server.public_url", message, remedy, untested=True)


def _used(settings: Settings) -> Iterator[tuple[str, str, Account | Website | WeCom]]:
    """Yield part, name and settings of each account and app that a client's methods use."""
    clients = settings.clients.values()
    for name, account in settings.accounts.items():
        if account.oauth != "none" and any(name in one.accounts and _INSIDE & set(one.methods) for one in clients):
            yield "accounts", name, account
    for name, app in settings.apps.items():
        if isinstance(app, Website | WeCom) and any(
            name in one.apps and app.kind in one.methods for one in clients
        ):
            yield "apps", name, app


async def _check_secret(http: aiohttp.ClientSession, subject: str, account: ApiAccount) -> Finding:
    """Send a made-up code: WeChat checks appid and secret first (wechat-protocol.md 5)."""
    send = partial(insisted, partial(send_code, http, account, CODE), endpoint=EXCHANGE)
    good, failing = "WeChat accepts its secret for web authorization", "WeChat refuses its web authorization"
    return await judged(subject, account, send, good=good, failing=failing, remedies=REFUSALS)


def _console(subject: str, one: Account | Website | WeCom, host: str, *, files: Mapping[str, str]) -> Finding:
    """Say what must stand in WeChat's console, and what people see otherwise (wechat-protocol.md 5, 6)."""
    if isinstance(one, WeCom):
        return wecom.console(subject, one, host, files=files)
    remedy = f"enter {host} there, without https://; "
    if isinstance(one, Website):
        message = f"{UNTESTED} its 授权回调域 in the console of the Open Platform is {host}"
        remedy += "with another host people see 该链接无法访问"
    else:
        message = f"{UNTESTED} {host} is a 网页授权域名 in its console, and whether it may ask for {one.oauth}"
        remedy += (
            f"people see error 10003 without it, and 10005 if the account may not do what {subject}.oauth says"
        )
        if one.kind == "official" and not any(name.startswith("MP_verify_") for name in files):
            remedy += "; the console demands a file MP_verify_….txt: set it as verify_files"
    return Finding(True, subject, message, remedy, untested=True)
