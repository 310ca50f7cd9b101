"""The HTTP contract for machines, at /openapi.json (OpenAPI 3.1). Put together from what the doors really use."""

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema
from typing_extensions import override

from handlers.http import schemas
from handlers.http.operation import (
    JSON,
    OPERATIONS,
    PARAMETERS,
    PATH,
    SECURITY,
    TEXT,
    Answer,
    Operation,
    Schema,
    Shape,
)
from handlers.http.problems import INTERNAL, PROBLEMS, Problem
from models.errors import BindingConflict, InvalidRequest
from service.app_keys import SETTINGS

Json = dict[str, Any]
Door = tuple[str, str, Handler]
"""A method, the address it stands at, and who answers."""

_ABOUT: Final = (
    "Scan with WeChat: log in, register, bind an account, and disconnect again. "
    "Times are RFC 3339 in UTC, durations whole seconds. Every answer carries `X-Request-Id`. "
    "New fields may be added to answers at any time."
)
_PROBLEM: Final = "application/problem+json"
_NAMED: Final = re.compile(r"{(\w+)}")
_HEADERS: Final[Mapping[str, str]] = {
    "X-Request-Id": "Names this request in the log.",
    "ETag": "Stands for what is told; of a ticket: status, match, outcome, reason and code.",
    "Location": "Where to go.",
    "Set-Cookie": "The secret of the session that was opened.",
    "Retry-After": "Seconds.",
    "WWW-Authenticate": "How to prove oneself.",
    "Allow": "The methods of this address.",
}
_OF_STATUS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


async def document(request: web.Request) -> web.Response:
    """Describe this interface."""
    doors = tuple(_doors(request.app))
    body = _document(doors, request.app[SETTINGS].server.public_url)
    return web.Response(body=body, content_type=JSON, headers={"Cache-Control": "no-cache"})


_OPERATIONS: Final = {
    **OPERATIONS,
    document: Operation(answers={200: Answer("This.", {JSON: {"type": "object"}})}),
}


def _doors(app: web.Application) -> Iterator[Door]:
    """Give what can be called; HEAD is GET without the body, and browsers alone ask with OPTIONS."""
    for route in app.router.routes():
        if route.resource and route.handler in _OPERATIONS and route.method != "HEAD":
            yield route.method, route.resource.canonical, route.handler


@lru_cache(maxsize=1)
def _document(doors: tuple[Door, ...], public_url: str) -> bytes:
    paths: defaultdict[str, Json] = defaultdict(dict)
    for method, path, handler in doors:
        paths[path][method.lower()] = _operation(method, path, handler)
    tree = {
        "openapi": "3.1.0",
        "info": {
            "title": "scanbind",
            "version": version("scanbind"),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": _schemas()[1],
            "responses": {problem.slug: _refusal([problem]) for problem in (*PROBLEMS.values(), INTERNAL)},
            "headers": {name: {"schema": TEXT, "description": about} for name, about in _HEADERS.items()},
            "securitySchemes": SECURITY,
        },
    }
    return json.dumps(tree, ensure_ascii=False).encode()


def _operation(method: str, path: str, handler: Handler) -> Json:
    told, group = _OPERATIONS[handler], handler.__module__.rpartition(".")[2]
    named = [{"in": "path", "name": name, "required": True, **PATH[name]} for name in _NAMED.findall(path)]
    written: Json = {
        "summary": (inspect.getdoc(handler) or "").partition("\n")[0],
        "tags": [group],
        "parameters": [*named, *(PARAMETERS[name] for name in told.parameters)],
        "security": [{scheme: []} for scheme in told.callers],
        "responses": {**{str(code): _answer(it) for code, it in told.answers.items()}, **_refusals(told)},
    }
    if method != "OPTIONS":  # one handler at several addresses, and an id must be unique
        written["operationId"] = f"{group}_{handler.__name__}"
    if told.body:
        written["requestBody"] = {"required": True, "content": _content(told.body)}
    return written


def _answer(told: Answer) -> Json:
    return {
        "description": told.means,
        "headers": _headers(told.headers),
        **({"content": _content(told.content)} if told.content else {}),
    }


def _refusals(told: Operation) -> Json:
    by_status: defaultdict[int, list[Problem]] = defaultdict(list)
    for error in dict.fromkeys((*told.refuses, InvalidRequest)):  # what stands twice is refused everywhere
        by_status[PROBLEMS[error].status].append(PROBLEMS[error])
    by_status[INTERNAL.status].append(INTERNAL)
    return {str(status): _referred(problems) for status, problems in sorted(by_status.items())}


def _referred(problems: list[Problem]) -> Json:
    if len(problems) == 1:
        return {"$ref": f"#/components/responses/{problems[0].slug}"}
    return _refusal(problems)


def _refusal(problems: list[Problem]) -> Json:
    """Describe an answer that is one of *problems*, all of one status."""
    shape = schemas.CONFLICT if PROBLEMS[BindingConflict] in problems else schemas.PROBLEM
    types = [f"/problems/{problem.slug}" for problem in problems]
    schema = {"allOf": [_schema(shape), {"properties": {"type": {"enum": types}}}]}
    return {
        "description": " ".join(f"`{problem.slug}`: {problem.title}." for problem in problems),
        "headers": _headers(_OF_STATUS.get(problems[0].status, ())),
        "content": {_PROBLEM: {"schema": schema}},
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def _content(told: Mapping[str, Shape | Schema]) -> Json:
    return {media: {"schema": _schema(shape)} for media, shape in told.items()}


def _schema(shape: Shape | Schema) -> Schema:
    return _schemas()[0][shape] if isinstance(shape, TypeAdapter) else shape


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles pydantic makes of field names: they say nothing new."""

    @override
    def field_title_should_be_set(
        self, schema: core_schema.CoreSchema | core_schema.ModelField | core_schema.DataclassField | Any
    ) -> bool:
        return False


@cache
def _schemas() -> tuple[dict[Shape, Json], Json]:
    """Return the schema of every shape that is taken or given, and the components they refer to."""
    operations = _OPERATIONS.values()
    taken = [shape for told in operations for shape in told.body.values()]
    given = [shape for told in operations for it in told.answers.values() for shape in it.content.values()]
    modes: dict[Shape, JsonSchemaMode] = {
        **{shape: "validation" for shape in taken if isinstance(shape, TypeAdapter)},
        **{shape: "serialization" for shape in given if isinstance(shape, TypeAdapter)},
        schemas.PROBLEM: "serialization",
        schemas.CONFLICT: "serialization",
    }
    made, rest = TypeAdapter.json_schemas(
        [(shape, mode, shape) for shape, mode in modes.items()],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    return {shape: made[shape, mode] for shape, mode in modes.items()}, rest["$defs"]
