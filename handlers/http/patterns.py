"""What the texts that callers send look like, as ECMA-262 patterns without anchors, for /openapi.json.

They describe; each text is judged where it is used (tests/handlers/test_openapi.py compares both). They use only
what every regular expression engine reads alike: classes, ranges, groups, counts and alternatives.
"""

from typing import Final

PRINTABLE: Final = (
    r"[^\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u1680\u180e\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe-\uffff]+"
)
"""Text without controls, format characters, blanks other than the space, and private characters.

As `str.isprintable`, but for code points that no version of Unicode has assigned yet, and those beyond U+FFFF.
"""
WITHOUT_NUL: Final = r"[^\u0000]*"
NAME: Final = "[a-z0-9_]+"
"""An account or a client, as the configuration names it."""
ADDRESS: Final = r"[Hh][Tt][Tt][Pp][Ss]?://[!-\[\]-~]+"
"""http or https in printable ASCII, without blanks and backslashes (models/web_origin.py)."""

_CHARACTER: Final = "[A-Za-z0-9_-]"
_MAC: Final = f"{_CHARACTER}{{32}}"
"""As service/crypto/keyring.py writes them."""
TICKET: Final = f"(?:{_CHARACTER}{{28}}|{_CHARACTER}{{32}}|{_CHARACTER}{{39}})"
"""A bind by scan, a ticket of another method, or a login by scan (models/scene.py)."""
PERMIT: Final = rf"{_CHARACTER}{{32}}\.{_CHARACTER}{{36}}"
"""A ticket of a redirect, and a MAC with a hint."""
PICTURE_PERMIT: Final = rf"{_CHARACTER}{{16}}\.{_CHARACTER}{{36}}"
"""A picture of a person, and a MAC with a hint."""
BINDING_PERMIT: Final = PICTURE_PERMIT
"""A binding, by its identity and moment, and a MAC with a hint."""
CODE: Final = rf"{TICKET}\.{_MAC}"
"""A one-time code or a registration."""
PASSCODE: Final = "[2-9A-HJ-NP-Z]{4} [2-9A-HJ-NP-Z]{4}"
"""As models/passcode.py writes them, in two groups."""
CODE_SCENE: Final = f"{_CHARACTER}{{32}}"
"""The scene in a mini program's code."""
REPLY_TOKEN: Final = rf"{_CHARACTER}{{22}}\.{_MAC}"
"""A random name, and a MAC."""
SESSION: Final = f"{_CHARACTER}{{22}}"
LINK: Final = rf"{SESSION}\.{_MAC}"
CAPABILITY: Final = f"{_CHARACTER}{{40,722}}"
"""A MAC, then the moment when it ends and an address of 1 to 512 bytes."""
SEALED: Final = rf"{_CHARACTER}{{1,512}}\.\.{_CHARACTER}{{16}}\.{_CHARACTER}+\.{_CHARACTER}{{22}}"
"""A compact JWE with `dir` and `A256GCM` (service/crypto/sealing.py)."""
VERSION: Final = "[0-9a-f]{16}"
