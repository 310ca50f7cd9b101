"""Describes the webhooks that the service sends, for /openapi.json (contract.md 9)."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

from handlers.http.operation import JSON, Parameter, Schema, text
from handlers.webhooks.schemas import PAYLOADS

Json = dict[str, Any]

_HEADERS: Final[Mapping[str, tuple[Schema, str]]] = {
    "webhook-id": (text(64), "The same for every try of an event: a receiver ignores one that it knows."),
    "webhook-timestamp": (text(20, "[0-9]+"), "Seconds since 1970 of this try."),
    "webhook-signature": (
        text(1024, "v1a?,[A-Za-z0-9+/=]+( v1a?,[A-Za-z0-9+/=]+)?"),
        "Signatures of `{webhook-id}.{webhook-timestamp}.{body}`: `v1` by HMAC-SHA256, `v1a` by ed25519.",
    ),
}
_RESPONSES: Final = {
    "2XX": {"description": "The event was received. Only the status counts."},
    "410": {"description": "The endpoint is gone, and gets no more events."},
    "default": {"description": "A failure: the event is sent again, after `Retry-After` if that is given."},
}


def described(schemas: Mapping[Any, Schema]) -> Json:
    """Return the OpenAPI path items by event; *schemas* are those of PAYLOADS."""
    return {event.value: {"post": _post(payload, schemas[payload])} for event, payload in PAYLOADS.items()}


def _post(payload: type, schema: Schema) -> Json:
    return {
        "summary": inspect.getdoc(payload),
        "tags": ["webhooks"],
        "parameters": [_header(name, *of) for name, of in _HEADERS.items()],
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": _RESPONSES,
    }


def _header(name: str, schema: Schema, description: str) -> Parameter:
    return {"in": "header", "name": name, "required": True, "schema": schema, "description": description}
