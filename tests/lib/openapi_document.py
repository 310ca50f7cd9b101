"""Check responses against the OpenAPI document."""

import re
from collections.abc import Iterator
from typing import Any

from aiohttp import ClientResponse
from jsonschema import Draft202012Validator

Json = dict[str, Any]
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


class Contract:
    """Holds answers against the description; counts which were seen."""

    def __init__(self, document: Json) -> None:
        self._document = document
        # A client must take fields it does not know; here, one that is not described is a fault.
        self._schemas = {name: _closed(schema) for name, schema in document["components"]["schemas"].items()}

    async def holds(self, response: ClientResponse) -> ClientResponse:
        """Fail unless *response* is described, with its media type, headers and body; return it."""
        operation = self._operation(response.method, response.url.raw_path)
        described = operation["responses"].get(str(response.status))
        assert described, f"{response.method} {response.url.path} may not answer {response.status}"
        described = self.resolve(described)
        for name, header in described["headers"].items():
            schema, value = self.resolve(header)["schema"], response.headers[name]
            self.check(schema, int(value) if schema.get("type") == "integer" else value)
        content = described.get("content", {})
        if not content:
            assert await response.read() == b""
            return response
        assert response.content_type in content, response.content_type
        if response.content_type.endswith("json"):
            self.check(content[response.content_type]["schema"], await response.json(content_type=None))
        return response

    def validate(self, name: str, value: Any) -> None:
        self.check({"$ref": f"#/components/schemas/{name}"}, value)

    def fits(self, schema: Json, value: Any) -> bool:
        """Return whether *value* is valid under *schema*."""
        return self._validator(schema).is_valid(value)

    def find(self, operation: str) -> tuple[str, Json]:
        """Return the path and the description of the operation with this id."""
        [found] = [
            (path, one) for _, path, one in operations(self._document) if one.get("operationId") == operation
        ]
        return found

    def field(self, operation: str, name: str) -> Json:
        """Return the schema of a parameter, or of a field of the body."""
        _, described = self.find(operation)
        for one in described["parameters"]:
            if one["name"] == name:
                return dict(one["schema"])
        body = described["requestBody"]["content"]["application/json"]["schema"]
        return dict(resolved(self._document, body["$ref"])["properties"][name])

    def check(self, schema: Json, value: Any) -> None:
        self._validator(schema).validate(value)

    def _validator(self, schema: Json) -> Draft202012Validator:
        whole = {**schema, "components": {"schemas": self._schemas}}
        return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)

    def _operation(self, method: str, path: str) -> Json:
        for pattern, item in self._document["paths"].items():
            form = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(pattern))
            if re.fullmatch(form, path) and method.lower() in item:
                return dict(item[method.lower()])
        raise AssertionError(f"{method} {path} is not described")

    def resolve(self, described: Json) -> Json:
        while ref := described.get("$ref"):
            described = resolved(self._document, ref)
        return described


def validate_webhook(document: Json, payload: Json) -> None:
    """Fail unless *payload* is described under `webhooks` by its `type`, with no field that is not."""
    described = document["webhooks"][payload["type"]]["post"]["requestBody"]["content"]["application/json"]
    Contract(document).check(described["schema"], payload)


def _closed(schema: Json) -> Json:
    return {**schema, "additionalProperties": schema.get("additionalProperties", False)}


def resolved(document: Json, ref: str) -> Json:
    here: Any = document
    for step in ref.removeprefix("#/").split("/"):
        here = here[step]
    return dict(here)


def nodes(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from nodes(below)
    elif isinstance(value, list):
        for below in value:
            yield from nodes(below)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def with_referenced(document: Json, schemas: list[Json]) -> Iterator[Json]:
    """Give *schemas* and all that they refer to."""
    seen: set[str] = set()
    while schemas:
        schema = schemas.pop()
        yield schema
        refs = {node["$ref"] for node in nodes(schema) if "$ref" in node} - seen
        seen |= refs
        schemas += [resolved(document, ref) for ref in sorted(refs)]
