"""Reads the hops that proxies name in `X-Forwarded-For` and `Forwarded` (RFC 7239), the nearest first.

Each proxy appends a hop on the right; what stands further left came with the request and may be forged. So a list
is split from the right: a quote that a client left open must not include what a trusted proxy has appended.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from models.ip_address import Address, parsed_node

_BLANK: Final = " \t"
_PAIR: Final = re.compile(
    r"[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*"  # a name,
    r'("(?:[^"\\]|\\.)*+"|[^ \t;,"]*+)[ \t]*)?(?:;|\Z)'  # and its value; a pair may be empty
)
_LONGEST_FORM: Final = 40


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a request came from, as one proxy reports it."""

    address: Address | None
    """None if it cannot be read, as `unknown`."""
    scheme: str = ""
    """How the proxy was reached: `https`, `http`, or '' if it is not reported."""
    form: str = ""
    """The form of what the proxy wrote, for the log: each number is a 9, each word an a."""


def x_forwarded_for(line: str) -> Iterator[Hop]:
    """Yield the hops of `X-Forwarded-For`, whose lines are joined by commas."""
    for element in _elements(line):
        yield Hop(parsed_node(_unquoted(element)), form=_form(element))


def forwarded(line: str) -> Iterator[Hop]:
    """Yield the hops of `Forwarded`, whose lines are joined by commas."""
    for element in _elements(line):
        pairs = _pairs(element)
        yield Hop(parsed_node(pairs.get("for", "")), pairs.get("proto", "").lower(), _form(element))


def _elements(line: str) -> Iterator[str]:
    """Yield the elements of a list, the last first, without the empty ones (RFC 9110, 5.6.1.2)."""
    end, quoted = len(line), False
    for at in range(end - 1, -2, -1):
        if at < 0 or (line[at] == "," and not quoted):
            if element := line[at + 1 : end].strip(_BLANK):
                yield element
            end = at
        elif line[at] == '"' and not (quoted and _is_escaped(line, at)):
            quoted = not quoted


def _is_escaped(line: str, at: int) -> bool:
    start = at
    while start and line[start - 1] == "\\":
        start -= 1
    return (at - start) % 2 == 1


def _pairs(element: str) -> dict[str, str]:
    """Return the parameters of an element by name in lower case; none if it is malformed or repeats one."""
    pairs: dict[str, str] = {}
    at = 0
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None or (pair[1] and pair[1].lower() in pairs):
            return {}
        if pair[1]:
            pairs[pair[1].lower()] = _unquoted(pair[2])
        at = pair.end()
    return pairs


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _form(element: str) -> str:
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in element[: 4 * _LONGEST_FORM])
    return re.sub(r"[A-Za-z]+", "a", re.sub(r"[0-9]+", "9", plain))[:_LONGEST_FORM]
