"""What the URLs of both stores have in common: credentials, spaces and options. Messages never quote a value."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from service.config.addresses import PORT
from service.config.fault import Fault

ENCODE: Final = (
    "percent-encode special characters in the password: "
    "%23 for #, %3F for ?, %40 for @, %2F for /, %5B for [, %25 for %"
)
FLAG: Final = r"(?i:true|false|yes|no|1|0)"
FILE: Final = r".+"
SOCKET: Final = r"(?!.*%2[Cc])[^,]+"
VISIBLE: Final = r"[!-$&-~]+"

_WANTED: Final = {
    FILE: "must not be empty; write %2B for +",
    FLAG: "must be true or false",
    PORT: "must be from 1 to 65535",
    SOCKET: "must be the folder of one socket",
    VISIBLE: "must be visible ASCII characters, without %",
}

_ESCAPES: Final = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")
_BEFORE_HOST: Final = "is not an option here: put user and password before the host, USER:PASSWORD@HOST"
_OURS: Final = "is set by the service itself: leave it out"
_HINTS: Final = dict.fromkeys(("user", "username", "password"), _BEFORE_HOST) | dict.fromkeys(
    (
        "autocommit",
        "command_timeout",
        "connect_timeout",
        "decode_responses",
        "encoding",
        "max_connections",
        "pool_size",
        "read_timeout",
        "retry_on_timeout",
        "socket_connect_timeout",
        "socket_timeout",
        "timeout",
        "write_timeout",
    ),
    _OURS,
)


def check_signs(rest: str) -> None:
    """Refuse characters that would split a URL elsewhere than intended; *rest* follows `://`. Raises Fault.

    A raw @ in the password is a second one. Other characters that end the credentials too early leave the only @
    behind the host, where no form of URL allows it.
    """
    if rest.count("@") > 1 or not _is_encoded(rest.rpartition("@")[0]):
        raise Fault(ENCODE)
    if "%00" in rest:
        raise Fault("must not contain %00")
    if " " in rest or not rest.isprintable():
        raise Fault("must not contain spaces, line breaks or control characters; %20 stands for a space")


def check_options(
    query: str, known: Mapping[str, str], hints: Mapping[str, str], *, reader: str
) -> dict[str, str]:
    """Return the options of *query*, all of which are *known*: a pattern for the value by name. Raises Fault.

    *hints* are messages about others, which *reader* does not accept.
    """
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if not (equals and _NAME.fullmatch(name)):
            raise Fault("has an option that is not NAME=VALUE after the ?")
        if name not in known:
            hint = (dict(hints) | _HINTS).get(
                name.lower().replace("-", "_"), f"is not known to {reader}: leave it out"
            )
            raise Fault(f"option {name} {hint}")
        if name in options:
            raise Fault(f"option {name} is given twice")
        if "+" in value or not _is_encoded(value) or not re.fullmatch(known[name], value):
            raise Fault(f"option {name} {_wanted(known[name])}")
        options[name] = value
    return options


def _is_encoded(text: str) -> bool:
    """Return whether each % of *text* begins an escape, and the escapes are UTF-8."""
    if not _ESCAPES.fullmatch(text):
        return False
    try:
        unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        return False
    return True


def _wanted(pattern: str) -> str:
    if pattern.startswith(r"\d"):
        return "must be a whole number"
    return _WANTED.get(pattern) or f"must be {' or '.join(pattern.split('|'))}"
