"""JSON shapes that features share: field types, strict request bodies, problems."""

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
from models.method import IdentityKind, Method
from models.timestamps import rfc3339
from service.tickets.code_exchange import LONGEST_TOKEN

Seconds = Annotated[int, Field(ge=0, description="Whole seconds.")]
Moment = Annotated[
    datetime,
    PlainSerializer(rfc3339),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""RFC 3339 in UTC, to the second."""
Path = Annotated[str, Field(pattern="^/", description="Relative to the service's own address.")]
Url = Annotated[str, Field(pattern="^https?://")]
UnionId = Annotated[
    str | None, Field(description="The same in all accounts of one Open Platform account; null if unknown.")
]


class Profile(BaseModel):
    """A person's name and picture in WeChat."""

    nickname: str
    picture: str | None


class KnownIdentity(BaseModel):
    """What WeChat calls a person in one account or app."""

    method: Annotated[Method, Field(description="How the person signed in.")]
    kind: IdentityKind
    account: Annotated[str, Field(description="The name of the account or app.")]
    appid: str | None = Field(description="The appid that the openid belongs to. Null if it is not known.")
    openid: str | None = Field(description="Null for members of an enterprise in WeCom.")
    unionid: UnionId
    userid: str | None = Field(description="Of a member of an enterprise in WeCom; else null.")


class Identity(KnownIdentity):
    """What WeChat calls a person in one account or app, with their name and picture there."""

    profile: Profile | None = Field(description="Null unless the client asks for profiles and the method has one.")


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
"""Stored exactly as sent, without folding or normalising (contract.md 4)."""
USER_ID: Final[TypeAdapter[str]] = TypeAdapter(UserId)


def documented(pattern: str, **more: Any) -> Any:
    """Return a field whose pattern is documented only: the handler refuses other texts, with its own error."""
    return Field(json_schema_extra={"pattern": f"^{pattern}$", **more})


def _opaque(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL")
    return value


Opaque = Annotated[str, AfterValidator(_opaque), documented(patterns.WITHOUT_NUL)]
"""Stored exactly as sent; PostgreSQL's text cannot store a NUL."""
Name = Annotated[str, Field(max_length=64), documented(patterns.NAME)]
"""The name of a client or an account."""
UserName = Annotated[str, Field(max_length=256)]
"""The site's name for its user, shown to the person."""
AskedLang = Annotated[Lang, Field(strict=False)]
AskedMethod = Annotated[Method, Field(strict=False)]
Flag = StrictBool
Token = Annotated[str, documented(patterns.CODE, maxLength=LONGEST_TOKEN)]
"""A code or a registration; any other text is refused as `invalid-code`, like any wrong one (contract.md 4)."""


class RequestBody(BaseModel):
    """A strict request body: unknown fields and other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: Annotated[str, Field(pattern="^/problems/[a-z-]+$")]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: Annotated[str, Field(description="The request's id, as in `X-Request-Id`.")]


class Conflict(Problem):
    """The error `binding-conflict`, with its reason."""

    reason: Annotated[str, Field(json_schema_extra={"enum": list(ConflictReason)})]
