"""Errors become RFC 9457 problems: one per kind, with safe details and the headers that belong to it."""

import json
import logging
from typing import Any

import pytest
from aiohttp import web

from handlers.http.problems import INTERNAL, PROBLEMS, answer
from models import errors
from models.binding import ConflictReason
from service.observability.logs import REQUEST_ID


def body(response: web.Response) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    assert isinstance(response.body, bytes)
    return dict(json.loads(response.body))


def test_a_subclass_is_answered_as_its_nearest_described_class() -> None:
    response = answer(errors.WrongCredentials(client="shop"))
    assert (response.status, body(response)["type"]) == (401, "/problems/unauthorized")
    assert body(answer(errors.Malformed("envelope")))["type"] == "/problems/invalid-request"


def test_the_detail_is_the_errors_or_the_title() -> None:
    assert body(answer(errors.InvalidRequest("state: too long")))["detail"] == "state: too long"
    assert body(answer(errors.BadSignature("timestamp")))["detail"] == PROBLEMS[errors.BadSignature].title


def test_an_unexpected_error_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Red when `_detail` returns the text of any error."""
    with caplog.at_level(logging.ERROR):
        response = answer(ValueError("a secret"))
    assert response.status == INTERNAL.status == 500
    assert "a secret" not in str(body(response))
    assert caplog.records[0].exc_info is not None


def test_a_failing_store_is_logged_with_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    error = errors.StoreUnavailable("the database does not answer")
    error.__cause__ = TimeoutError()
    answer(errors.NotFound())
    answer(error)
    [line] = caplog.messages
    assert line.endswith("store-unavailable: the database does not answer (TimeoutError)")


def test_a_problem_names_the_request() -> None:
    token = REQUEST_ID.set("a-request-1")
    try:
        assert body(answer(errors.NotFound()))["instance"] == "a-request-1"
    finally:
        REQUEST_ID.reset(token)


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (errors.RateLimited(limit="scans", retry_after=7), "Retry-After", "7"),
        (errors.StoreUnavailable(), "Retry-After", "1"),
        (errors.Unauthorized(), "WWW-Authenticate", 'Basic realm="scanbind"'),
        (errors.Unauthorized(scheme="Bearer"), "WWW-Authenticate", 'Bearer realm="scanbind"'),
        (web.HTTPMethodNotAllowed("PUT", ["POST", "GET"]), "Allow", "GET, POST"),
    ],
)
def test_a_problem_has_the_headers_of_its_kind(error: Exception, header: str, value: str) -> None:
    assert answer(error).headers[header] == value


def test_no_problem_is_stored() -> None:
    assert answer(errors.NotFound()).headers["Cache-Control"] == "no-store"


def test_a_conflict_names_its_reason() -> None:
    told = body(answer(errors.BindingConflict(ConflictReason.USER, "x")))
    assert (told["status"], told["reason"]) == (409, "user_taken")
    assert "reason" not in body(answer(errors.NotFound()))


def test_every_error_of_the_service_has_a_problem_of_its_own() -> None:
    """Red when an error is added without a line in `PROBLEMS`: it would be answered with 500."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    roots = {errors.ServiceError, errors.Retryable, ConflictReason}
    described = [kind for kind in kinds if any(base in PROBLEMS for base in kind.__mro__)]
    assert set(kinds) - set(described) - roots == set()
