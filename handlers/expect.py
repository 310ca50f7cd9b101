"""Refuses every `Expect` but `100-continue` before aiohttp does, which quotes it, or fails where it is no text."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from handlers.http import problems
from handlers.http.middleware import identify, sign
from models.errors import InvalidRequest

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_KNOWN: Final = "100-continue"


def only_continue(handler: _Handler) -> _Handler:
    """Return the server's *handler* for requests that expect nothing, or to go on (RFC 9110, 10.1.1)."""

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        # Not a coroutine of its own: thousands wait below it, and each would cost one more.
        return handler(request) if request.headers.get("Expect", _KNOWN).lower() == _KNOWN else _refuse(request)

    return handle


async def _refuse(request: web.BaseRequest) -> web.StreamResponse:
    identify(request)
    refusal = problems.answer(InvalidRequest(f"Expect: only {_KNOWN} is known"))
    sign(refusal)
    return refusal
