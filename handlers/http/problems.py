"""Maps errors to RFC 9457 problems, in one table (contract.md 3)."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from handlers.http import schemas
from handlers.http.responses import NO_STORE, to_json
from models import errors
from models.binding import ConflictReason
from service.observability.logs import REQUEST_ID

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """How a kind of error is answered."""

    slug: str
    status: int
    title: str


INTERNAL: Final = Problem("internal", 500, "Internal server error")

# The first match in the error's method resolution order.
PROBLEMS: Final[Mapping[type[Exception], Problem]] = {
    errors.InvalidRequest: Problem("invalid-request", 400, "The request is not valid"),
    errors.InvalidCode: Problem("invalid-code", 400, "The one-time code or registration is not valid"),
    errors.Unauthorized: Problem("unauthorized", 401, "Credentials are missing or wrong"),
    errors.Forbidden: Problem("forbidden", 403, "The client may not do this"),
    errors.ForbiddenOrigin: Problem("forbidden-origin", 403, "The page's origin is not allowed"),
    errors.PersonBlocked: Problem("person-blocked", 403, "WeChat does not let this person log in"),
    errors.BadSignature: Problem("bad-signature", 403, "The signature is not valid"),
    errors.TicketNotFound: Problem("ticket-not-found", 404, "There is no such ticket"),
    errors.SessionNotFound: Problem("session-not-found", 404, "There is no such session"),
    errors.BindingNotFound: Problem("binding-not-found", 404, "There is no such binding"),
    errors.NotFound: Problem("not-found", 404, "There is nothing at this address"),
    errors.AccountNotConfigured: Problem("account-not-configured", 409, "The account is not configured"),
    errors.BindingConflict: Problem("binding-conflict", 409, "The binding conflicts with another one"),
    errors.TicketFinished: Problem("ticket-finished", 409, "The ticket has ended"),
    errors.PayloadTooLarge: Problem("payload-too-large", 413, "The body is too large"),
    errors.UnsupportedMediaType: Problem("unsupported-media-type", 415, "The body's media type is not supported"),
    errors.RateLimited: Problem("rate-limited", 429, "Too many requests"),
    errors.WeChatUnavailable: Problem("wechat-unavailable", 502, "WeChat refused or did not answer"),
    errors.StoreUnavailable: Problem("store-unavailable", 503, "A store is unavailable"),
    web.HTTPNotFound: Problem("not-found", 404, "There is nothing at this address"),
    web.HTTPMethodNotAllowed: Problem("method-not-allowed", 405, "The method is not allowed at this address"),
    web.HTTPRequestEntityTooLarge: Problem("payload-too-large", 413, "The body is too large"),
}


def answer(error: Exception) -> web.Response:
    """Return the response for *error*; log what only the operator may read."""
    problem = next((PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS), INTERNAL)
    if problem is INTERNAL:
        log.error("request failed: unexpected %s", type(error).__name__, exc_info=error)
    elif problem.status >= web.HTTPInternalServerError.status_code:
        cause = error.__cause__ or error
        log.warning(
            "request failed: %s: %s (%s)", problem.slug, error, type(cause).__name__, extra={"detail": str(error)}
        )
    return respond(
        problem,
        detail=_detail(error),
        reason=error.reason if isinstance(error, errors.BindingConflict) else None,
        headers=_headers(error),
    )


def respond(
    problem: Problem,
    *,
    detail: str = "",
    reason: ConflictReason | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return *problem* as application/problem+json."""
    body = schemas.Problem(
        type=f"/problems/{problem.slug}",
        title=problem.title,
        status=problem.status,
        detail=detail or problem.title,
        instance=REQUEST_ID.get() or "",
    )
    if reason:
        body = schemas.Conflict(**dict(body), reason=reason)
    return web.Response(
        body=to_json(body),
        status=problem.status,
        content_type="application/problem+json",
        headers={**NO_STORE, **(headers or {})},
    )


def _detail(error: Exception) -> str:
    return error.detail if isinstance(error, errors.ServiceError) else ""


def _headers(error: Exception) -> dict[str, str]:
    match error:
        case errors.Retryable():
            return {"Retry-After": str(error.retry_after)}
        case errors.Unauthorized():
            return {"WWW-Authenticate": f'{error.scheme} realm="scanbind"'}
        case web.HTTPMethodNotAllowed():
            return {"Allow": ", ".join(sorted(error.allowed_methods))}
    return {}
