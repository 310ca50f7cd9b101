"""What a sealed call contains."""

from typing import Annotated, Any, Final

from pydantic import Field

from handlers.http.schemas import RequestBody

_JTI: Final = "^[A-Za-z0-9._~-]{16,64}$"
_PATH: Final = r"^/v1(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)+$"
"""Percent-encoded (RFC 3986, 3.3), and without a query, which has a field of its own."""


class SealedCall(RequestBody):
    """One call of a back end, before it is sealed."""

    iat: int
    """When it was made, in seconds since 1970."""
    jti: Annotated[str, Field(pattern=_JTI)]
    method: Annotated[str, Field(max_length=16)]
    path: Annotated[str, Field(pattern=_PATH, max_length=2048)]
    query: dict[str, str] | None = None
    body: dict[str, Any] | None = None
