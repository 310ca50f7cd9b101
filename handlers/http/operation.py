"""Declares one endpoint in one place: address, handler, caller, body, answers and refusals.

Each feature's `routes.py` declares its operations. The route table, /openapi.json, the CORS rules, authentication
and body validation are derived from them.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from functools import cache
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, TypeAdapter

from handlers.http import patterns, request_body
from handlers.http.responses import NO_STORE, json_answer
from models import errors

JSON: Final = "application/json"
LONGEST_LINE: Final = 8190
"""Maximum length of a request line or header: aiohttp refuses longer ones before a handler runs."""

Schema = Mapping[str, Any]
"""A JSON Schema."""
Parameter = Mapping[str, Any]
"""An OpenAPI parameter object."""
Links = Mapping[str, Mapping[str, str]]
"""OpenAPI links by operation id: each parameter with the runtime expression of its value."""

TEXT: Final[Schema] = {"type": "string"}


class CrossOrigin(Enum):
    """How pages of other origins may use an operation (contract.md 3)."""

    NO = "no"
    PUBLIC = "public"
    """Every page may read the answer, which is the same for every caller."""
    CALL = "call"
    """Pages that a client lists, by any request; browsers send a preflight (OPTIONS) first."""


@dataclass(frozen=True, slots=True)
class Created:
    """A handler's result that is sent with status 201 instead of 200."""

    model: BaseModel


Result = web.StreamResponse | BaseModel | Created | None
"""Result of a handler: a model is sent as JSON, None as 204, a response unchanged."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One successful answer: its description, its body by media type, and the headers worth documenting."""

    means: str
    content: Mapping[str, Any] = field(default_factory=dict)
    """A type that pydantic can serialize, or a schema."""
    headers: tuple[str, ...] = ()
    links: Links = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """A kind of caller, and how it authenticates."""

    schemes: Mapping[str, Schema]
    """OpenAPI security schemes by name; any one of them is enough."""
    refuses: tuple[type[Exception], ...]
    require: Callable[[web.Request], Awaitable[Any]] | None = None
    """Authenticates the request; the handler gets its result. None where the handler itself authenticates."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One endpoint. Its handler gets the request, then the result of `caller`, then the validated `body`."""

    tag: str
    """Its group in /openapi.json."""
    id: str | None
    """Its operation id, from which client generators name their functions; None for a preflight."""
    method: str
    path: str
    """In the syntax of aiohttp's router."""
    handler: Callable[..., Awaitable[Result]]
    _: KW_ONLY
    answers: Mapping[int, Answer]
    refuses: tuple[type[Exception], ...] = ()
    """Errors it may answer with, besides 500 and those of its caller and its body."""
    caller: Caller | None = None
    """None: no authentication."""
    body: Any = None
    """The type of its JSON body, which is validated strictly (handlers/http/request_body.py)."""
    raw_body: Mapping[str, Schema] = field(default_factory=dict)
    """A body that the handler itself reads, by media type."""
    parameters: tuple[Parameter, ...] = ()
    cross_origin: CrossOrigin = CrossOrigin.NO
    head: bool = True
    """Whether a GET answers HEAD as well."""
    slash: bool = False
    """Whether a slash may follow the address."""
    internal: bool = False
    """Whether it moves to `server.internal`, if that is set."""
    repeats: bool = False
    """Whether the handler itself checks repeated query parameters."""

    async def endpoint(self, request: web.Request) -> web.StreamResponse:
        """Answer *request*: authenticate the caller, read the body, run the handler and write its result."""
        arguments: list[Any] = []
        if self.caller and self.caller.require:
            arguments.append(await self.caller.require(request))
        if self.body is not None:
            arguments.append(await request_body.read(request, adapter(self.body)))
        return written(await self.handler(request, *arguments))

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Every error it may answer with, each once; InvalidRequest always, for repeated query parameters."""
        by_caller = self.caller.refuses if self.caller else ()
        by_body = () if self.body is None else (errors.PayloadTooLarge, errors.UnsupportedMediaType)
        return tuple(dict.fromkeys((errors.InvalidRequest, *by_body, *by_caller, *self.refuses)))


OPERATIONS: Final = web.AppKey("operations", tuple[Operation, ...])


def operation_of(request: web.Request) -> Operation | None:
    """Return the operation that *request* was routed to; None if no route matches."""
    owner = getattr(request.match_info.handler, "__self__", None)
    return owner if isinstance(owner, Operation) else None


@cache
def adapter(shape: Any) -> TypeAdapter[Any]:
    """Return the adapter of a type; cached, because building one takes milliseconds."""
    return TypeAdapter(shape)


def written(result: Result) -> web.StreamResponse:
    """Convert a handler's result to a response."""
    if isinstance(result, web.StreamResponse):  # first, because polls are the most frequent
        return result
    if result is None:
        return web.Response(status=204, headers=NO_STORE)
    if isinstance(result, Created):
        return json_answer(result.model, status=201)
    return json_answer(result)


def text(longest: int, pattern: str | None = None) -> Schema:
    """Return the schema of a string of at most *longest* code points; all of it matches *pattern* (ECMA-262)."""
    return {"type": "string", "maxLength": longest, **({"pattern": f"^{pattern}$"} if pattern else {})}


LINE: Final = text(LONGEST_LINE)
NAME: Final = text(64, patterns.NAME)


def json_body(means: str, shape: Any, *headers: str, links: Links | None = None) -> Answer:
    """Return an answer whose body is *shape* as JSON."""
    return Answer(means, {JSON: shape}, headers, links or {})


def in_path(name: str, schema: Schema, description: str) -> Parameter:
    """Return a path parameter."""
    return {"in": "path", "name": name, "required": True, "schema": schema, "description": description}


def in_query(name: str, schema: Schema, description: str, **more: Any) -> Parameter:
    """Return a query parameter."""
    return {"in": "query", "name": name, "schema": schema, "description": description, **more}


ETAG: Final[Schema] = {"type": "string", "pattern": r'^(?:W/)?"[^"]*"$'}
"""An entity tag (RFC 9110, 8.8.3)."""
NOT_MODIFIED: Final = Answer("Not changed since the ETag of `If-None-Match`.", headers=("ETag",))
IF_NONE_MATCH: Final[Parameter] = {
    "in": "header",
    "name": "If-None-Match",
    "schema": LINE,
    "description": "The `ETag` of an earlier answer: the answer is 304 while nothing has changed.",
}
