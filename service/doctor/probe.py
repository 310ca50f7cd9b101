"""What the doctor asks the service through the public address, and what the service answers (docs/adr/0045).

Both sides read it here: the doctor sends it, and handlers/probe/ compares what arrived.
"""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import BaseModel, Field

TOKEN: Final = "X-Scanbind-Probe"  # noqa: S105 - the name of a header
VALID: Final = timedelta(seconds=60)
"""How far a token's time may be from now."""
SENT: Final = {
    "Authorization": "Basic cHJvYmU6cHJvYmU=",
    "If-None-Match": '"probe0"',
    "Prefer": "wait=0",
    "Cookie": "scanbind_probe=1",
    "Sec-Fetch-Mode": "navigate",
}
"""Request headers that a proxy must pass on unchanged."""
ANSWERED: Final = {
    "ETag": '"probe1"',
    "Set-Cookie": "scanbind_probe=1; Path=/v1/probe; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
    "Cache-Control": "no-store, no-transform",
}
"""Response headers that a proxy must pass on unchanged."""
PAUSE: Final = 1.0
"""Seconds between the two pieces of the stream."""
PIECES: Final = (b": probe 1\n\n", b": probe 2\n\n")
LONGEST_CHAIN: Final = 5

_Text = Annotated[str, Field(max_length=64)]


class Sight(BaseModel):
    """What the service saw of a request."""

    version: _Text
    at: Annotated[int, Field(description="The service's clock, in milliseconds since 1970.")]
    segment: Annotated[_Text, Field(description="The last segment of the address, decoded.")]
    peer: Annotated[_Text, Field(description="The address of the connection.")]
    port: Annotated[int, Field(description="The connection's port on the other side.")]
    trusted: Annotated[bool, Field(description="Whether `peer` is in `server.trusted_proxies`.")]
    chain: Annotated[
        list[_Text],
        Field(max_length=LONGEST_CHAIN, description="The addresses in the proxies' header, the nearest first."),
    ]
    header: Annotated[_Text, Field(description="The header that `chain` is from.")]
    others: Annotated[list[_Text], Field(max_length=2, description="Headers of proxies that were not used.")]
    address: Annotated[_Text, Field(description="Where the request comes from, by all this.")]
    https: Annotated[bool, Field(description="Whether a trusted proxy says that it was reached by https.")]
    received: Annotated[list[_Text], Field(max_length=len(SENT), description="Headers that arrived unchanged.")]
    open_files: Annotated[int, Field(description="The process's limit of open files.")]
