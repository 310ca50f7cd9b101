"""What is no HTTP is refused as a problem: aiohttp would quote it, and tell what the service is made of."""

from http import HTTPStatus

from aiohttp import web

from handlers.http import problems
from handlers.http.middleware import identify, sign
from models.errors import InvalidRequest


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
