"""Checks an application in WeCom: CorpID, secret and this machine's address (wechat-protocol.md 7)."""

from collections.abc import Mapping
from functools import partial
from typing import Final

import aiohttp

from service.config.apps import WeCom
from service.doctor.finding import Finding
from service.doctor.made_up_code import CODE, UNTESTED, insisted, judged
from service.doctor.wechat import fetch_token
from service.wechat.answers import Refused, word
from service.wechat.tokens import LONGEST_TOKEN
from service.wechat.transport import ApiAccount
from service.wechat.wecom import USERINFO, send_code

_REMEDIES: Final = {
    40001: "correct {0}.secret: it does not belong to this corpid and agentid",
    40013: "correct {0}.corpid: WeCom knows no such enterprise",
    48002: "let an administrator of the enterprise permit the application to call this API",
    60020: (
        "enter {1} as 企业可信IP on the application's page in WeCom's admin console, and wait a minute; the "
        "console wants its 可信域名 or a receiving URL first; where that address is not fixed, let a machine that "
        "has a fixed one pass the calls on, by HTTPS_PROXY or {0}.api_base"
    ),
}
"""By errcode (wechat-protocol.md 7)."""


async def check_application(http: aiohttp.ClientSession, subject: str, account: ApiAccount) -> Finding:
    """Fetch a token and send a made-up code: WeCom checks the secret and this machine's address first."""

    async def send() -> None:
        token = word(await fetch_token(http, account), "access_token", longest=LONGEST_TOKEN)
        if token is None:
            raise Refused(None, "no token in the answer")
        await insisted(partial(send_code, http, account, CODE, token=token), endpoint=USERINFO)

    good = "WeCom accepts its secret and the address of this machine"
    return await judged(
        subject, account, send, good=good, failing="WeCom refuses the application", remedies=_REMEDIES
    )


def console(subject: str, app: WeCom, host: str, *, files: Mapping[str, str]) -> Finding:
    """Say what must stand in WeCom's console, and what people see otherwise."""
    message = f"{UNTESTED} {host} is 可信域名 and 授权回调域 of application {app.agentid} in WeCom's admin console"
    remedy = f"enter {host} at both, without https://; with another host people see error 50001"
    if not any(name.startswith("WW_verify_") for name in files):
        remedy += "; the console demands a file WW_verify_….txt: set it as verify_files"
    return Finding(True, subject, message, remedy, untested=True)
