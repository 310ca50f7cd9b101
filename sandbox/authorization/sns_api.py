"""Emulates the `sns` calls of WeChat's API (wechat-protocol.md 5, 6). Errors are JSON with status 200."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Final

from aiohttp import web

from sandbox.authorization.web_authorization import WebAuthorization
from sandbox.errors import Refused
from sandbox.faults import SNS_REFUSALS, SnsFault

AUTHORIZATION: Final = web.AppKey("authorization", WebAuthorization)

Answer = Callable[[WebAuthorization, web.Request], dict[str, object]]
Told = Callable[[Refused, web.Request], dict[str, object]]


def _plainly(refusal: Refused, _request: web.Request) -> dict[str, object]:
    return refusal.body()


def endpoint(answer: Answer, *, told: Told = _plainly) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the request handler that sends an answer, or what is told of a Refused.

    Every second one is `text/plain`. WebAuthorization.fault applies to it.
    """
    types = cycle(("application/json", "text/plain"))

    async def handler(request: web.Request) -> web.Response:
        authorization = request.app[AUTHORIZATION]
        fault = authorization.fault
        if fault is SnsFault.AWAY:
            return _closed(request)
        try:
            body = _refusing(answer, fault)(authorization, request)
        except Refused as e:
            body = told(e, request)
        if fault is SnsFault.CUT:
            return _closed(request)
        if fault is SnsFault.SLOW:
            await asyncio.sleep(authorization.delay)
        return web.Response(text=json.dumps(body, ensure_ascii=False), content_type=next(types), charset="utf-8")

    return handler


def _refusing(answer: Answer, fault: SnsFault | None) -> Answer:
    """Return what answers while *fault* is switched on."""

    def refuse(_authorization: WebAuthorization, _request: web.Request) -> dict[str, object]:
        raise Refused(SNS_REFUSALS[fault or SnsFault.BUSY])

    return refuse if fault in SNS_REFUSALS else answer


def _closed(request: web.Request) -> web.Response:
    """Close the connection; the returned response is never sent."""
    if request.transport:
        request.transport.abort()
    return web.Response()


def _userinfo(authorization: WebAuthorization, request: web.Request) -> dict[str, object]:
    # The host that was called, which a service on this machine can reach; the public one may be a made-up name.
    return authorization.userinfo(request.query, pictures=f"{request.scheme}://{request.host}")


_ENDPOINTS: Final[dict[str, Answer]] = {
    "/sns/oauth2/access_token": lambda authorization, request: authorization.exchange(request.query),
    "/sns/oauth2/refresh_token": lambda authorization, request: authorization.refresh(request.query),
    "/sns/auth": lambda authorization, request: authorization.check(request.query),
    "/sns/userinfo": _userinfo,
}


def add_routes(app: web.Application) -> None:
    """Add the `sns` calls."""
    for path, answer in _ENDPOINTS.items():
        app.router.add_get(path, endpoint(answer))
