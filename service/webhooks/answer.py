"""What came of one post of a webhook, in words that contain neither the URL nor the payload. No I/O."""

import errno
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from service.outgoing.resolving import NotPublic

TIME_LIMIT: Final = 20.0
"""Seconds for all of a post: the name's resolution, TLS, and the whole answer."""
LONGEST_RETRY: Final = timedelta(days=1)
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_WORDS: Final[Mapping[type[Exception], str]] = {
    TimeoutError: f"no answer within {TIME_LIMIT:.0f} s",
    NotPublic: "private address",
    aiohttp.ClientConnectorDNSError: "name not found",
    aiohttp.ClientConnectorError: "no connection",
    aiohttp.ClientPayloadError: "answer cut off",
    aiohttp.ClientResponseError: "answer is not HTTP",
    OSError: "connection closed",
    aiohttp.ClientConnectionError: "connection closed",
}
"""By the first class that fits."""
_OF_CONNECTING: Final[Mapping[int | None, str]] = {
    errno.ECONNREFUSED: "connection refused",
    errno.ENETUNREACH: "host unreachable",
    errno.EHOSTUNREACH: "host unreachable",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The receiver's answer, or why there is none."""

    status: int | None
    """None without a whole answer."""
    error: str | None
    """Why the post failed; None if it succeeded."""
    retry_after: timedelta | None = None
    """How long the receiver asks to wait after a failure: a day at most."""
    body: bytes = b""
    """The beginning of the answer's."""

    @property
    def ok(self) -> bool:
        """Return whether the receiver took the event: the status is 2xx."""
        return self.error is None


def answered(status: int, retry_after: str | None, body: bytes, *, at: datetime) -> Answer:
    """Return the Answer of a response; *retry_after* is its header, *at* the time of the post."""
    if 200 <= status < 300:
        return Answer(status, None, body=body)
    error = "redirect" if status in _REDIRECTS else f"HTTP {status}"
    return Answer(status, error, _pause(retry_after or "", at), body)


def failed(error: Exception) -> Answer:
    """Return the Answer of a post that got none, because of *error*."""
    return Answer(None, _words(error))


def _pause(header: str, at: datetime) -> timedelta | None:
    """Parse a Retry-After (RFC 9110, 10.2.3); None if it is not valid."""
    if header.isascii() and header.isdigit():
        return min(timedelta(seconds=int(header[:9])), LONGEST_RETRY)
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # of a number that no date has
        return None
    pause = (when if when.tzinfo else when.replace(tzinfo=UTC)) - at
    return min(max(pause, timedelta(0)), LONGEST_RETRY)


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return f"TLS: {_of_tls(error.__cause__)}"
    words = next((words for kind, words in _WORDS.items() if isinstance(error, kind)), "not sent")
    return _OF_CONNECTING.get(error.errno, words) if isinstance(error, aiohttp.ClientConnectorError) else words


def _of_tls(fault: BaseException | None) -> str:
    if isinstance(fault, ssl.SSLCertVerificationError):
        return fault.verify_message.partition(",")[0]  # after a comma is the host
    return getattr(fault, "reason", None) or "handshake failed"
