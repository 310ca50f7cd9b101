"""Reads the answers of WeChat's API, also with broken bytes in them. Raises Refused, whose text is safe to log."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from models.picture import media_type

# Read as UTF-8, a character of GBK can end in a backslash, and so spoil what follows it.
_ENCODINGS: Final = ("utf-8-sig", "gb18030")
_LENIENT: Final = json.JSONDecoder(strict=False)
_RID: Final = re.compile(r"rid: ([0-9a-f-]{1,40})")
_IP: Final = re.compile(r"(?:invalid ip|from ip:) ([0-9A-Fa-f.:]{2,45})")
"""In WeChat's words, and in WeCom's (wechat-protocol.md 1, 7)."""
_VISIBLE: Final = re.compile(r"[!-~]+")
_OPAQUE: Final = re.compile(r"[\w.%+/=-]{20,}", re.ASCII)
"""A run of characters that may be a token, a secret or an openid: an error page may quote the request."""
_BEGINNING: Final = 60

"""How a picture begins -> its media type."""
LONGEST_ID: Final = 64
"""Maximum characters in an openid or unionid; WeChat's have 28."""


class Refused(Exception):
    """A call failed. `errcode` is None if WeChat sent none or did not answer. Its text is safe to log.

    `ip` is the address that WeChat saw, if it names one: it may not accept it (wechat-protocol.md 1, 7).
    """

    def __init__(self, errcode: int | None, why: str, *, ip: str | None = None) -> None:
        super().__init__(f"errcode={errcode} {why}")
        self.errcode = errcode
        self.why = why
        self.ip = ip


def understood(status: int, content_type: str, body: bytes) -> dict[str, Any]:
    """Return the JSON object in *body*, regardless of its content type. Raises Refused."""
    answer = _decoded(body)
    if answer is None:
        raise Refused(None, f"HTTP {status}, no JSON object: {_described(content_type, body)}")
    try:
        code = int(answer.get("errcode", 0))
    except (ValueError, TypeError, OverflowError):
        code = None
    if code is None:
        raise Refused(None, f"HTTP {status}, errcode is no number")
    if code:
        raise _refusal(code, str(answer.get("errmsg", "")))
    if status != 200:
        raise Refused(None, f"HTTP {status}")
    return answer


def picture(status: int, content_type: str, body: bytes) -> bytes:
    """Return the JPEG or PNG in *body*; the content type says whether it is a picture. Raises Refused."""
    if not content_type.lower().startswith("image/"):
        understood(status, content_type, body)
        raise Refused(None, f"HTTP {status}, no picture in the answer")
    if status != 200 or media_type(body) is None:
        raise Refused(None, f"HTTP {status}, no JPEG or PNG: {_clean(content_type)}, {len(body)} bytes")
    return body


def word(answer: Mapping[str, Any], name: str, *, longest: int) -> str | None:
    """Return a value of visible ASCII; None if it is absent, empty, longer than *longest* or anything else."""
    value = answer.get(name)
    return value if isinstance(value, str) and len(value) <= longest and _VISIBLE.fullmatch(value) else None


def unionid(answer: Mapping[str, Any]) -> str | None:
    """Return the unionid, None if there is none. Raises Refused for what cannot be one."""
    found = word(answer, "unionid", longest=LONGEST_ID)
    if found is None and answer.get("unionid"):
        raise Refused(None, "no unionid where one should be in the answer")
    return found


def _decoded(body: bytes) -> dict[str, Any] | None:
    for encoding in _ENCODINGS:
        try:
            answer = _LENIENT.decode(body.decode(encoding, errors="replace"))
        except (ValueError, RecursionError):
            continue
        return answer if isinstance(answer, dict) else None
    return None


def _refusal(code: int, message: str) -> Refused:
    """Take from the errmsg only what is known to be safe: it may quote the request."""
    rid, ip = _RID.search(message), _IP.search(message)
    seen = f" ip={ip[1]}" if ip else ""
    return Refused(code, f"rid={rid[1] if rid else None}{seen}", ip=ip[1] if ip else None)


def _described(content_type: str, body: bytes) -> str:
    beginning = _clean(body.decode(errors="replace"))
    return f"{_clean(content_type) or 'no content type'}, {len(body)} bytes" + (
        f', beginning "{beginning}"' if beginning else ""
    )


def _clean(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(_OPAQUE.sub("…", printable).split())[:_BEGINNING]
