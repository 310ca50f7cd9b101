"""What one endpoint is: address, handler, caller, body, answers and refusals, declared in one place.

Each feature's `routes.py` declares its operations. The route table, /openapi.json, the cross-origin rules and the
reading of callers and bodies follow from them.
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
"""Characters of a request line or header, at most: aiohttp refuses longer ones before a handler sees them."""

Schema = Mapping[str, Any]
"""A JSON Schema, written out."""
Parameter = Mapping[str, Any]
"""A parameter as OpenAPI describes it."""
Links = Mapping[str, Mapping[str, str]]
"""Operations that can follow an answer, by their ids: each parameter with a runtime expression for its value."""

TEXT: Final[Schema] = {"type": "string"}


class CrossOrigin(Enum):
    """How pages of other origins may use an operation, if their client lists them (contract.md 3)."""

    NO = "no"
    READ = "read"
    """By requests that browsers send without asking first."""
    CALL = "call"
    """By any request; browsers ask first, with OPTIONS."""


@dataclass(frozen=True, slots=True)
class Created:
    """A handler's result that is answered with 201 instead of 200."""

    model: BaseModel


Result = web.StreamResponse | BaseModel | Created | None
"""What a handler returns: a model is written as JSON, None is 204, a response is sent as it is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer: what it means, its body by media type, and the headers that matter."""

    means: str
    content: Mapping[str, Any] = field(default_factory=dict)
    """A type that pydantic knows, or a schema."""
    headers: tuple[str, ...] = ()
    links: Links = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may call an operation, and how they prove it."""

    schemes: Mapping[str, Schema]
    """OpenAPI security schemes by their names; any one of them is enough."""
    refuses: tuple[type[Exception], ...]
    require: Callable[[web.Request], Awaitable[Any]] | None = None
    """Returns who calls, which the handler gets after the request; None where the handler itself finds out."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One endpoint. Its handler gets the request, then what `caller` returns, then the body as `body` says."""

    tag: str
    """The group it belongs to in /openapi.json."""
    id: str | None
    """Its operation id, which client generators name their functions by; None for a preflight."""
    method: str
    path: str
    """As aiohttp's router takes it."""
    handler: Callable[..., Awaitable[Result]]
    _: KW_ONLY
    answers: Mapping[int, Answer]
    refuses: tuple[type[Exception], ...] = ()
    """What it may refuse with, besides what its caller and its body can be refused with, and failing (500)."""
    caller: Caller | None = None
    """None: anybody."""
    body: Any = None
    """The type of its JSON body, which is read strictly (handlers/http/request_body.py)."""
    raw_body: Mapping[str, Schema] = field(default_factory=dict)
    """A body that the handler reads by itself, by media type."""
    parameters: tuple[Parameter, ...] = ()
    cross_origin: CrossOrigin = CrossOrigin.NO
    head: bool = True
    """Whether a GET answers HEAD as well."""
    repeats: bool = False
    """Whether the handler itself judges a query parameter that stands twice."""

    async def endpoint(self, request: web.Request) -> web.StreamResponse:
        """Answer *request*: ask who calls, read the body, run the handler and write what it returns."""
        given: list[Any] = []
        if self.caller and self.caller.require:
            given.append(await self.caller.require(request))
        if self.body is not None:
            given.append(await request_body.read(request, adapter(self.body)))
        return written(await self.handler(request, *given))

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Every error it may answer with, each once; a parameter that stands twice is refused everywhere."""
        by_caller = self.caller.refuses if self.caller else ()
        by_body = () if self.body is None else (errors.PayloadTooLarge, errors.UnsupportedMediaType)
        return tuple(dict.fromkeys((errors.InvalidRequest, *by_body, *by_caller, *self.refuses)))


OPERATIONS: Final = web.AppKey("operations", tuple[Operation, ...])


def operation_of(request: web.Request) -> Operation | None:
    """Return the operation that *request* was routed to; None where no address or method fits."""
    owner = getattr(request.match_info.handler, "__self__", None)
    return owner if isinstance(owner, Operation) else None


@cache
def adapter(shape: Any) -> TypeAdapter[Any]:
    """Return the one adapter of a type: it takes milliseconds to make."""
    return TypeAdapter(shape)


def written(result: Result) -> web.StreamResponse:
    """Return the response that a handler's result stands for."""
    if isinstance(result, web.StreamResponse):  # first, for polls are many
        return result
    if result is None:
        return web.Response(status=204, headers=NO_STORE)
    if isinstance(result, Created):
        return json_answer(result.model, status=201)
    return json_answer(result)


def text(longest: int, pattern: str | None = None) -> Schema:
    """Return the schema of a text of at most so many code points, all of it like *pattern* (ECMA-262)."""
    return {"type": "string", "maxLength": longest, **({"pattern": f"^{pattern}$"} if pattern else {})}


LINE: Final = text(LONGEST_LINE)
NAME: Final = text(64, patterns.NAME)


def json_body(means: str, shape: Any, *headers: str, links: Links | None = None) -> Answer:
    """Return an answer whose body is *shape* as JSON."""
    return Answer(means, {JSON: shape}, headers, links or {})


def in_path(name: str, schema: Schema, description: str) -> Parameter:
    """Return a part of the address."""
    return {"in": "path", "name": name, "required": True, "schema": schema, "description": description}


def in_query(name: str, schema: Schema, description: str, **more: Any) -> Parameter:
    """Return a parameter of the query."""
    return {"in": "query", "name": name, "schema": schema, "description": description, **more}


ETAG: Final[Schema] = {"type": "string", "pattern": r'^(?:W/)?"[^"]*"$'}
"""An entity tag (RFC 9110, 8.8.3)."""
NOT_MODIFIED: Final = Answer("Still as the ETag says.", headers=("ETag",))
IF_NONE_MATCH: Final[Parameter] = {
    "in": "header",
    "name": "If-None-Match",
    "schema": LINE,
    "description": "The `ETag` of what is known: the answer is 304 while nothing has changed.",
}
