"""An operation is declared once: its handler's parameters and its response follow from the declaration."""

import inspect
import json
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from aiohttp import web
from pydantic import BaseModel

from handlers.http.operation import Created, Operation, written
from handlers.routes import ALL

OURS = [one for one in ALL if one.caller or one.body is not None]


class Told(BaseModel):
    word: str


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


@pytest.mark.parametrize("operation", OURS, ids=lambda one: f"{one.tag}_{one.handler.__name__}")
def test_a_handler_takes_what_its_operation_gives(operation: Operation) -> None:
    """Red when a handler asks for another body, or for a caller that is not declared."""
    _, *taken = [
        _bare(get_type_hints(operation.handler)[name]) for name in inspect.signature(operation.handler).parameters
    ]
    given = []
    if operation.caller and operation.caller.require:
        given.append(get_type_hints(operation.caller.require)["return"])
    if operation.body is not None:
        given.append(_bare(operation.body))
    assert taken == given


@pytest.mark.parametrize("operation", OURS, ids=lambda one: f"{one.tag}_{one.handler.__name__}")
def test_a_handler_returns_what_its_operation_describes(operation: Operation) -> None:
    """Red when a handler returns a model that none of its answers shows."""
    returned = get_type_hints(operation.handler)["return"]
    models = {one for one in (get_args(returned) or (returned,)) if issubclass(one, BaseModel)}
    shown = {
        kind
        for answer in operation.answers.values()
        for shape in answer.content.values()
        if not isinstance(shape, Mapping)
        for kind in (get_args(_bare(shape)) or (_bare(shape),))
    }
    assert models <= shown


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        (None, 204, None),
        (Told(word="yes"), 200, {"word": "yes"}),
        (Created(Told(word="new")), 201, {"word": "new"}),
    ],
)
def test_what_a_handler_returns_becomes_the_answer(result: Any, status: int, body: Any) -> None:
    response = written(result)
    assert isinstance(response, web.Response)
    assert response.status == status
    assert response.headers["Cache-Control"] == "no-store"
    assert (json.loads(response.body) if response.body else None) == body  # type: ignore[arg-type]


def test_a_response_is_sent_as_it_is() -> None:
    response = web.Response(status=418)
    assert written(response) is response
