"""Passcodes: what people send to an account's chat in place of a scan (contract.md 8.4).

Eight characters stand for 40 bits, so a code proves nothing by itself: limits and the question after it do.
"""

import re
import unicodedata
from typing import Final

from models.typed_text import core

ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without look-alikes: 0 O, 1 I
LENGTH: Final = 8
_BITS: Final = 5
_BETWEEN: Final = frozenset({"Cc", "Cf", "Pd", "Zl", "Zp", "Zs"})
"""The categories of spaces, dashes and invisible characters."""
_CODE: Final = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")


def drawn(digest: bytes) -> str:
    """Return the passcode that the first five bytes of *digest* select."""
    number = int.from_bytes(digest[: LENGTH * _BITS // 8], "big")
    return "".join(ALPHABET[number >> _BITS * at & (1 << _BITS) - 1] for at in reversed(range(LENGTH)))


def grouped(code: str) -> str:
    """Return a passcode as pages show it, in two groups: `K7MP 2QXR`."""
    return f"{code[: LENGTH // 2]} {code[LENGTH // 2 :]}"


def read_passcode(text: str) -> str | None:
    """Return the passcode that *text* is, in any case, width and spacing; None if it is none.

    Punctuation around it is ignored, as with all that people type.
    """
    code = "".join(sign for sign in core(text) if unicodedata.category(sign) not in _BETWEEN).upper()
    return code if _CODE.fullmatch(code) else None
