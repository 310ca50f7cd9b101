"""WeChat's signatures, compared as bytes and in constant time."""

import hashlib
import hmac


def sign(*parts: str) -> str:
    """Return the SHA-1 (hex) of *parts*, sorted as bytes and joined (wechat-protocol.md 3.1, 3.2)."""
    joined = b"".join(sorted(map(_raw, parts)))
    return hashlib.sha1(joined).hexdigest()  # noqa: S324 - WeChat's choice; the token in it is the secret


def matches(expected: str, given: str | None) -> bool:
    """Tell whether *given* is *expected*; None never matches."""
    return given is not None and hmac.compare_digest(_raw(expected), _raw(given))


def _raw(text: str) -> bytes:
    # a lone surrogate from a JSON escape must be a wrong signature, not an exception
    return text.encode("utf-8", "surrogatepass")
