"""Answers malformed HTTP with a problem, and refuses every `Expect` but `100-continue`.

aiohttp's own answer to malformed HTTP quotes the request and names its version. Its answer to an unknown `Expect`
quotes the header, and fails if that is not text.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

from handlers.http import problems
from handlers.http.middleware import identify, set_common_headers
from models.errors import InvalidRequest

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_CONTINUE: Final = "100-continue"


class Connection(web.RequestHandler):
    """One connection; errors outside of any handler are answered with a problem, too."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return a problem that closes the connection. Raises ConnectionError when a response was begun."""
        super().handle_error(request, status, exc, message)  # it logs
        identify(request)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            refusal = problems.answer(InvalidRequest("malformed HTTP request"))
        else:
            refusal = problems.respond(problems.INTERNAL)
        set_common_headers(refusal)
        refusal.force_close()
        return refusal


def only_continue(handler: _Handler) -> _Handler:
    """Wrap the server's *handler*: refuse every `Expect` but `100-continue` (RFC 9110, 10.1.1)."""

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        # Not a coroutine: thousands of requests wait inside, and each would keep one more frame.
        return (
            handler(request) if request.headers.get("Expect", _CONTINUE).lower() == _CONTINUE else _refuse(request)
        )

    return handle


async def _refuse(request: web.BaseRequest) -> web.StreamResponse:
    identify(request)
    refusal = problems.answer(InvalidRequest(f"Expect: only {_CONTINUE} is supported"))
    set_common_headers(refusal)
    return refusal
