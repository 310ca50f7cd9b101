"""A request in a readable file: method and target, headers, an empty line, the body.

Every sequence of bytes is a case, and one whole request: Content-Length and Connection are added, and invalid HTTP
is repaired, because aiohttp would refuse it before it reaches the service. Names stand for values of the running
service: `$ticket$` is an existing ticket, `$ticket~3$` the same with character 3 changed, `$ticket<3$` its first
three characters, `$pad<70000$` that many letters.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

_NAMED: Final = re.compile(rb"\$([a-z_]{1,24})(?:([~<])([0-9]{1,6}))?\$")
_MOST_NAMED: Final = 16
"""How many names are replaced at most, because each value may be large."""
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_METHODS: Final = _SAFE | {b"POST", b"DELETE", b"PUT", b"PATCH"}
_HEADER: Final = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):(.*)", re.DOTALL)
_CONTROLS: Final = bytes((*range(32), 127))
_UNSPLIT: Final = bytes.maketrans(_CONTROLS + b" ", b"+" * 34)
_UNBROKEN: Final = bytes.maketrans(_CONTROLS, b" " * 33)


@dataclass(frozen=True, slots=True)
class Case:
    """A request with unparsed header lines."""

    method: bytes
    target: bytes
    headers: tuple[bytes, ...]
    body: bytes

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Parse any bytes as a case; missing parts are empty, and a missing method becomes GET or POST."""
        head, _, body = data.partition(b"\n\n")
        first, *headers = head.split(b"\n")
        method, _, target = first.partition(b" ")
        if method not in _METHODS:
            method = b"POST" if body else b"GET"
        return cls(method, target, tuple(headers), body)

    @property
    def reads(self) -> bool:
        """Whether its method only reads."""
        return self.method in _SAFE

    @property
    def address(self) -> bytes:
        """The target as it is sent."""
        target = self.target.translate(_UNSPLIT)
        return target if target.startswith(b"/") else b"/" + target

    def names(self) -> frozenset[str]:
        """Return the names in it, with or without a change."""
        whole = b"\n".join((self.target, *self.headers, self.body))
        return frozenset(match[1].decode() for match in _NAMED.finditer(whole))

    def filled(self, values: Mapping[str, bytes]) -> Self:
        """Return the case with names replaced by *values*; unknown names stay."""
        left = _MOST_NAMED

        def fill(text: bytes) -> bytes:
            nonlocal left
            filled, count = _NAMED.subn(lambda match: _value(match, values), text, count=max(left, 0) or -1)
            left -= count
            return filled if left >= 0 else text

        target, body = fill(self.target), fill(self.body)
        return replace(self, target=target, headers=tuple(map(fill, self.headers)), body=body)

    def wire(self) -> bytes:
        """Serialize the request."""
        lines = [b"%b %b HTTP/1.1" % (self.method, self.address), b"Host: fuzz.example", *self._headers()]
        lines += [b"Content-Length: %d" % len(self.body), b"Connection: close", b"", b""]
        return b"\r\n".join(lines) + self.body

    def _headers(self) -> Iterator[bytes]:
        for line in self.headers:
            found = _HEADER.fullmatch(line)
            if found and found[1].lower() not in _FRAMING:
                yield b"%b:%b" % (found[1], found[2].translate(_UNBROKEN))


def _value(match: re.Match[bytes], values: Mapping[str, bytes]) -> bytes:
    value = values.get(match[1].decode())
    if value is None:
        return match[0]
    place = int(match[3] or 0)
    if match[2] == b"<":
        return value[:place]
    if match[2] == b"~" and place < len(value):
        other = b"B" if value[place : place + 1] == b"A" else b"A"
        return value[:place] + other + value[place + 1 :]
    return value
