"""Serves /openapi.json (OpenAPI 3.1), generated from the declared operations."""

import inspect
import json
import re
from collections import ChainMap, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import core_schema
from typing_extensions import override

from handlers.http import schemas
from handlers.http.operation import ETAG, JSON, TEXT, Answer, Operation, Schema, adapter, text
from handlers.http.operation import OPERATIONS as KNOWN
from handlers.http.problems import INTERNAL, PROBLEMS, Problem
from handlers.webhooks.description import described
from handlers.webhooks.schemas import PAYLOADS
from models.errors import BindingConflict
from service.app_keys import SETTINGS
from service.version import VERSION

Json = dict[str, Any]

_ABOUT: Final = (
    "Scan with WeChat: log in, register, bind an account, and disconnect again. "
    "Times are RFC 3339 in UTC, durations whole seconds. Every answer carries `X-Request-Id`. "
    "New fields may be added to answers at any time."
)
_PROBLEM: Final = "application/problem+json"
_PATTERN: Final = re.compile(r"{(\w+):[^{}]*}")
"""A path parameter with the router's regular expression, which OpenAPI leaves out."""
_HEADERS: Final[Mapping[str, tuple[Schema, str]]] = {
    "X-Request-Id": (text(64, "[A-Za-z0-9_-]{8,64}"), "Identifies this request in the log."),
    "ETag": (ETAG, "Changes with the content; of a ticket: with status, match, outcome, reason and code."),
    "Location": ({"type": "string", "format": "uri"}, "The address of the page."),
    "Set-Cookie": (TEXT, "The secret of the session that was opened."),
    "Retry-After": ({"type": "integer", "minimum": 1}, "Seconds to wait before a retry."),
    "WWW-Authenticate": (
        {"enum": [f'{scheme} realm="scanbind"' for scheme in ("Basic", "Bearer")]},
        "The authentication scheme to use.",
    ),
    "Allow": (TEXT, "The methods of this address."),
}
_OF_STATUS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


async def document(request: web.Request) -> web.Response:
    """Return the OpenAPI document of this API."""
    body = _document(request.app[KNOWN], request.app[SETTINGS].server.public_url)
    return web.Response(body=body, content_type=JSON, headers={"Cache-Control": "no-cache"})


OPERATIONS: Final = (
    Operation(
        *("openapi", "readDescription", "GET", "/openapi.json", document),
        answers={200: Answer("The OpenAPI document.", {JSON: {"type": "object"}})},
    ),
)


@lru_cache(maxsize=1)
def _document(operations: tuple[Operation, ...], public_url: str) -> bytes:
    made, components = _schemas(operations)
    write = _Writer(made)
    paths: defaultdict[str, Json] = defaultdict(dict)
    for one in operations:
        paths[_PATTERN.sub(r"{\1}", one.path)][one.method.lower()] = write.operation(one)
    tree = {
        "openapi": "3.1.0",
        "info": {
            "title": "scanbind",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "webhooks": described(made),
        "components": {
            "schemas": components,
            "responses": {problem.slug: write.refusal([problem]) for problem in (*PROBLEMS.values(), INTERNAL)},
            "headers": {
                name: {"schema": schema, "description": about, "required": True}
                for name, (schema, about) in _HEADERS.items()
            },
            "securitySchemes": dict(ChainMap(*(dict(one.caller.schemes) for one in operations if one.caller))),
        },
    }
    return json.dumps(tree, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes operations as OpenAPI; *schemas* are those of their request and response types."""

    schemas: Mapping[Any, Schema]

    def operation(self, operation: Operation) -> Json:
        responses = self._refusals(operation)
        for code, answer in operation.answers.items():
            responses[str(code)] = self._both(self._answer(answer), responses.get(str(code)))
        written: Json = {
            "summary": (inspect.getdoc(operation.handler) or "").partition("\n")[0],
            "tags": [operation.tag],
            "parameters": list(operation.parameters),
            "security": [{scheme: []} for scheme in (operation.caller.schemes if operation.caller else ())],
            "responses": responses,
        }
        if operation.id:
            written["operationId"] = operation.id
        if body := {JSON: operation.body} if operation.body is not None else operation.raw_body:
            written["requestBody"] = {"required": True, "content": self._content(body)}
        return written

    def refusal(self, problems: list[Problem]) -> Json:
        """Describe an answer that is one of *problems*, all of one status."""
        shape = schemas.Conflict if PROBLEMS[BindingConflict] in problems else schemas.Problem
        types = [f"/problems/{problem.slug}" for problem in problems]
        schema = {"allOf": [self.schemas[shape], {"properties": {"type": {"enum": types}}}]}
        return {
            "description": " ".join(f"`{problem.slug}`: {problem.title}." for problem in problems),
            "headers": _headers(_OF_STATUS.get(problems[0].status, ())),
            "content": {_PROBLEM: {"schema": schema}},
        }

    def _answer(self, answer: Answer) -> Json:
        content = {"content": self._content(answer.content)} if answer.content else {}
        links = {"links": {name: _link(name, answer.links[name]) for name in answer.links}} if answer.links else {}
        return {"description": answer.means, "headers": _headers(answer.headers), **content, **links}

    def _both(self, answer: Json, refusal: Json | None) -> Json:
        """Return *answer*, or a description of it and of the problem that has the same status."""
        if refusal is None:
            return answer
        return answer | {"content": answer["content"] | {_PROBLEM: {"schema": self.schemas[schemas.Problem]}}}

    def _refusals(self, operation: Operation) -> Json:
        by_status: defaultdict[int, list[Problem]] = defaultdict(list)
        for error in operation.refusals:
            by_status[PROBLEMS[error].status].append(PROBLEMS[error])
        by_status[INTERNAL.status].append(INTERNAL)
        return {str(status): self._referred(problems) for status, problems in sorted(by_status.items())}

    def _referred(self, problems: list[Problem]) -> Json:
        if len(problems) == 1:
            return {"$ref": f"#/components/responses/{problems[0].slug}"}
        return self.refusal(problems)

    def _content(self, content: Mapping[str, Any]) -> Json:
        return {
            media: {"schema": shape if isinstance(shape, Mapping) else self.schemas[shape]}
            for media, shape in content.items()
        }


def _link(operation: str, parameters: Mapping[str, str]) -> Json:
    return {"operationId": operation, "parameters": dict(parameters)}


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles that pydantic derives from field names: they add nothing."""

    @override
    def field_title_should_be_set(
        self, schema: core_schema.CoreSchema | core_schema.ModelField | core_schema.DataclassField | Any
    ) -> bool:
        return False


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Json], Json]:
    """Return the schema of every request and response type, and the components they reference."""
    requests = [one.body for one in operations if one.body is not None]
    responses = [shape for one in operations for it in one.answers.values() for shape in it.content.values()]
    modes: dict[Any, JsonSchemaMode] = {
        **dict.fromkeys(requests, "validation"),
        **{shape: "serialization" for shape in responses if not isinstance(shape, Mapping)},
        **dict.fromkeys(PAYLOADS.values(), "serialization"),
        schemas.Problem: "serialization",
        schemas.Conflict: "serialization",
    }
    made, rest = TypeAdapter.json_schemas(
        [(shape, mode, adapter(shape)) for shape, mode in modes.items()],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    return {shape: made[shape, mode] for shape, mode in modes.items()}, rest["$defs"]
