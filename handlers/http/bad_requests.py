"""Refuses as a problem what is no HTTP, and every `Expect` but `100-continue`.

aiohttp would quote the first, and tell what the service is made of; the second it would quote, or fail where it
is no text.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

from handlers.http import problems
from handlers.http.middleware import identify, sign
from models.errors import InvalidRequest

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_CONTINUE: Final = "100-continue"


class Connection(web.RequestHandler):
    """One connection; what goes wrong on it outside of any handler is answered like everything else."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the refusal, after which the connection ends. Raises ConnectionError when an answer was begun."""
        super().handle_error(request, status, exc, message)  # it logs
        identify(request)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            refusal = problems.answer(InvalidRequest("this is no HTTP request"))
        else:
            refusal = problems.respond(problems.INTERNAL)
        sign(refusal)
        refusal.force_close()
        return refusal


def only_continue(handler: _Handler) -> _Handler:
    """Return the server's *handler* for requests that expect nothing, or to go on (RFC 9110, 10.1.1)."""

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        # Not a coroutine of its own: thousands wait below it, and each would cost one more.
        return (
            handler(request) if request.headers.get("Expect", _CONTINUE).lower() == _CONTINUE else _refuse(request)
        )

    return handle


async def _refuse(request: web.BaseRequest) -> web.StreamResponse:
    identify(request)
    refusal = problems.answer(InvalidRequest(f"Expect: only {_CONTINUE} is known"))
    sign(refusal)
    return refusal
