"""WeChat's signatures. Compares as bytes and in constant time; decides nothing else."""

import hashlib
import hmac


def sign(*parts: str) -> str:
    """Return the SHA-1 (hex) of *parts*, sorted as bytes and joined (wechat-protocol.md 3.1, 3.2)."""
    joined = b"".join(sorted(map(_raw, parts)))
    return hashlib.sha1(joined).hexdigest()  # noqa: S324 - WeChat's choice; the token in it is the secret


def matches(expected: str, given: str | None) -> bool:
    """Tell whether *given* is *expected*; nothing given matches nothing."""
    return given is not None and hmac.compare_digest(_raw(expected), _raw(given))


def _raw(text: str) -> bytes:
    # JSON escapes can smuggle in half a surrogate pair: a wrong signature, not a reason to crash
    return text.encode("utf-8", "surrogatepass")
