"""What the endpoints of the control API have in common: the fields of a request, and the answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from aiohttp import web

from sandbox.access import is_near
from sandbox.codes import read_object
from sandbox.errors import Impossible, Refused, Unknown
from sandbox.faults import Fault
from sandbox.serializers import Json

_Part = TypeVar("_Part")
_Word = TypeVar("_Word", bound=StrEnum)
_STATUS: Final = {Unknown: 404, Impossible: 409}


class Malformed(Exception):
    """The request has a missing or invalid field."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The fields of a request: from the body of a POST, from the query of a GET."""

    fields: Json

    def text(self, name: str) -> str:
        """Return a required field; raise Malformed when it is missing or not a string."""
        value = self.maybe(name)
        if value is None:
            raise Malformed(f"{name}: is required")
        return value

    def maybe(self, name: str) -> str | None:
        """Return an optional field, None when absent; raise Malformed when it is not a string."""
        value = self.fields.get(name)
        if value is not None and not isinstance(value, str):
            raise Malformed(f"{name}: must be a string")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.fields.get(name, default)
        if not isinstance(value, bool):
            raise Malformed(f"{name}: must be true or false")
        return value

    @property
    def account(self) -> str | None:
        return self.maybe("account")

    @property
    def wait(self) -> bool:
        return self.flag("wait", default=True)

    @property
    def fault(self) -> Fault | None:
        return self.word("mischief", Fault)

    def word(self, name: str, words: type[_Word]) -> _Word | None:
        """Return an optional field, one of `words`; raise Malformed for another word."""
        value = self.maybe(name)
        if value is not None and value not in list(words):
            raise Malformed(f"{name}: must be one of {', '.join(words)}")
        return words(value) if value else None


def endpoint(
    key: web.AppKey[_Part], act: Callable[[_Part, Ask], Awaitable[Json]], *, local: bool = False
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the request handler that lets `act` work on the part of the sandbox with this key.

    `local`: only for requests from this machine.
    """

    async def handler(request: web.Request) -> web.Response:
        if local and not is_near(request):
            error = "allowed only from the machine that the sandbox runs on"
            return web.json_response({"error": error}, status=403)
        try:
            body = await act(request.app[key], await _read(request))
        except (Refused, Malformed) as e:
            return web.json_response({"error": str(e)}, status=400)
        except (Unknown, Impossible) as e:
            return web.json_response({"error": str(e)}, status=_STATUS[type(e)])
        return web.json_response(body, headers={"Cache-Control": "no-store"})

    return handler


async def _read(request: web.Request) -> Ask:
    if request.method == "GET":
        return Ask(dict(request.query))
    # A second guard beside access.guard: pages of other sites cannot post JSON without a CORS preflight.
    if request.content_type != "application/json":
        raise Malformed("the body must be application/json")
    return Ask(read_object(await request.read()))
