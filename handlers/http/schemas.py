"""What the JSON of several features is made of: field types, strict request bodies, and problems."""

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    TypeAdapter,
    WithJsonSchema,
)

from handlers.http import patterns
from models.binding import ConflictReason
from models.language import Lang
from models.timestamps import rfc3339
from service.tickets.code_exchange import LONGEST_TOKEN

Seconds = Annotated[int, Field(ge=0, description="Whole seconds.")]
Moment = Annotated[
    datetime,
    PlainSerializer(rfc3339),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""RFC 3339 in UTC, to the second."""
Path = Annotated[str, Field(pattern="^/", description="Below the service's own address.")]
UnionId = Annotated[str | None, Field(description="One for all accounts of an Open Platform; null if not known.")]


def _user_id(value: str) -> str:
    if not value.isprintable() or value in (".", ".."):
        raise ValueError("must be printable, and neither . nor ..")
    return value


UserId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        json_schema_extra={"pattern": f"^{patterns.PRINTABLE}$", "not": {"enum": [".", ".."]}},
    ),
    AfterValidator(_user_id),
]
"""contract.md 4: kept exactly, so nothing is folded or normalised."""
USER_ID: Final[TypeAdapter[str]] = TypeAdapter(UserId)


def documented(pattern: str, **more: Any) -> Any:
    """Return a field whose pattern is documented only: the handler refuses other texts, with its own error."""
    return Field(json_schema_extra={"pattern": f"^{pattern}$", **more})


def _opaque(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold a NUL")
    return value


Opaque = Annotated[str, AfterValidator(_opaque), documented(patterns.WITHOUT_NUL)]
"""Kept as it is; PostgreSQL's text holds everything but a NUL."""
Name = Annotated[str, Field(max_length=64), documented(patterns.NAME)]
"""A client or an account; no other is configured."""
UserName = Annotated[str, Field(max_length=256)]
"""What the site calls its user."""
AskedLang = Annotated[Lang, Field(strict=False)]
Flag = StrictBool
Token = Annotated[str, documented(patterns.CODE, maxLength=LONGEST_TOKEN)]
"""A code or a registration; any other text is refused as `invalid-code`, like any wrong one (contract.md 4)."""


class RequestBody(BaseModel):
    """JSON that callers send: no unknown field, no other type than is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: Annotated[str, Field(pattern="^/problems/[a-z-]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: Annotated[str, Field(description="The request's id, as in `X-Request-Id`.")]


class Conflict(Problem):
    """A binding that cannot be made."""

    reason: Annotated[str, Field(json_schema_extra={"enum": list(ConflictReason)})]
