"""Checks the mini programs that clients use: credentials, the page of their codes, and what no call can test."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from models.ip_address import parsed_address
from models.method import Method
from service.config.addresses import is_local
from service.config.apps import MiniProgram
from service.config.settings import Settings
from service.doctor.finding import Finding
from service.doctor.made_up_code import CODE, UNTESTED, insisted, judged
from service.doctor.wechat import REFUSALS, fetch_token, refused
from service.wechat.answers import Refused
from service.wechat.build import build_mini_program_accounts
from service.wechat.mini_program import INVALID_PAGE, LOGIN, WIDTH, draw, send_js_code
from service.wechat.transport import ApiAccount

_NO_SCENE: Final = "doctor"


async def check_mini_programs(settings: Settings) -> AsyncIterator[Finding]:
    credentials, host = build_mini_program_accounts(settings), urlsplit(settings.server.public_url).hostname or ""
    async with aiohttp.ClientSession() as http:
        for name, app in _used(settings):
            subject, account = f"apps.{name}", credentials[name]
            yield await _credentials(http, subject, account)
            yield await _page(http, subject, account, app)
            yield _console(subject, host, app)


def _used(settings: Settings) -> Iterator[tuple[str, MiniProgram]]:
    """Yield name and settings of each mini program that a client's methods use."""
    clients = [one for one in settings.clients.values() if Method.MINIPROGRAM in one.methods]
    for name, app in settings.apps.items():
        if isinstance(app, MiniProgram) and any(name in one.apps for one in clients):
            yield name, app


async def _credentials(http: aiohttp.ClientSession, subject: str, account: ApiAccount) -> Finding:
    """Send a made-up login: WeChat checks appid and secret first (wechat-protocol.md 11)."""
    sending = partial(insisted, partial(send_js_code, http, account, CODE), endpoint=LOGIN)
    good, failing = "WeChat accepts its secret for logins", "WeChat refuses its logins"
    return await judged(subject, account, sending, good=good, failing=failing, remedies=REFUSALS)


async def _page(http: aiohttp.ClientSession, subject: str, account: ApiAccount, app: MiniProgram) -> Finding:
    """Have WeChat draw a code of no ticket; their number is not limited (wechat-protocol.md 11)."""
    asked = {"scene": _NO_SCENE, "page": app.page, "env_version": app.env_version, "width": WIDTH}
    try:
        token = str((await fetch_token(http, account)).get("access_token", ""))
        await draw(http, account, asked, token=token)
    except Refused as refusal:
        if refusal.errcode != INVALID_PAGE:
            return refused(subject, account, refusal, failing="WeChat draws no codes of it")
        message = f"{app.page} is no page of its released version; codes are drawn without that check"
        remedy = f"release a version with this page, or correct {subject}.page; after a release wait for a day"
        return Finding(None, subject, message, remedy)
    return Finding(True, subject, f"WeChat draws codes of {app.page}{account.way}")


def _console(subject: str, host: str, app: MiniProgram) -> Finding:
    """Say what must stand in WeChat's console."""
    if is_local(host) or parsed_address(host):
        message = f"mini programs call only https domains, and {host} is none"
        return Finding(None, "server.public_url", message, "set an address with a domain of yours")
    message = (
        f"{UNTESTED} https://{host} is a request 合法域名 in its console, and {app.page} "
        "is declared for plain schemes"
    )
    remedy = (
        "enter both there; without the domain the page says that the service is not available, and without the "
        "declaration open_url opens nothing"
    )
    return Finding(True, subject, message, remedy, untested=True)
