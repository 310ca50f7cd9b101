"""WeChat's door: a verification is echoed, a push is taken and answered inside five seconds (CONTRACT 6)."""

import asyncio
from typing import Final

from aiohttp import web

from models.errors import NotFound, StoreUnavailable
from service.keys import ACCOUNTS, CLOCK, METRICS, SCANNING
from service.wechat.account import Account

ANSWER_WITHIN: Final = 4.2
"""Seconds: WeChat hangs up after five (PROTOCOL.md 3.4), and the answer still has to travel."""


async def verify(request: web.Request) -> web.Response:
    """Echo what WeChat signed, so that it accepts this address."""
    return web.Response(text=_account(request).verify(request.query), content_type="text/plain")


async def receive(request: web.Request) -> web.Response:
    """Take one push; acknowledge it only when its effect is kept."""
    account = _account(request)
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            delivery = account.open(request.query, await request.read(), now=request.app[CLOCK]())
            request.app[METRICS].pushes.labels(account.name, type(delivery.event).__name__.lower()).inc()
            text = await request.app[SCANNING].handle(account.name, delivery.event)
    except TimeoutError as e:
        raise StoreUnavailable("not done in time") from e
    answer = account.reply(delivery, text, now=request.app[CLOCK]())
    return web.Response(body=answer.body, content_type=answer.content_type, charset="utf-8")


def _account(request: web.Request) -> Account:
    account = request.app[ACCOUNTS].get(request.match_info["account"])
    if account is None:
        raise NotFound("no such account")
    return account
