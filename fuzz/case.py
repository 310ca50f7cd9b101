"""One request as a file that people can read: method and target, headers, an empty line, the body.

Every sequence of bytes is a case, and one whole request: length and connection are written here, and what would be
no HTTP is mended, since aiohttp would refuse it before the service sees it. What only a running service knows is
named: `$ticket$` stands for one that is there, `$ticket~3$` for it with its character 3 changed, `$ticket<3$` for
its first three characters, `$pad<70000$` for that many letters.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

_NAMED: Final = re.compile(rb"\$([a-z_]{1,24})(?:([~<])([0-9]{1,6}))?\$")
_MOST_NAMED: Final = 16
"""Names that are filled in, at most: each may stand for much."""
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"connection"})
_SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_METHODS: Final = _SAFE | {b"POST", b"DELETE", b"PUT", b"PATCH"}
_HEADER: Final = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):(.*)", re.DOTALL)
_CONTROLS: Final = bytes((*range(32), 127))
_UNSPLIT: Final = bytes.maketrans(_CONTROLS + b" ", b"+" * 34)
_UNBROKEN: Final = bytes.maketrans(_CONTROLS, b" " * 33)


@dataclass(frozen=True, slots=True)
class Case:
    """A request; header lines are kept as they stand."""

    method: bytes
    target: bytes
    headers: tuple[bytes, ...]
    body: bytes

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read any bytes as a case; what is missing is empty, and the method then GET or POST."""
        head, _, body = data.partition(b"\n\n")
        first, *headers = head.split(b"\n")
        method, _, target = first.partition(b" ")
        if method not in _METHODS:
            method = b"POST" if body else b"GET"
        return cls(method, target, tuple(headers), body)

    @property
    def reads(self) -> bool:
        """Tell whether it only asks, by its method."""
        return self.method in _SAFE

    @property
    def address(self) -> bytes:
        """The target as it travels."""
        target = self.target.translate(_UNSPLIT)
        return target if target.startswith(b"/") else b"/" + target

    def names(self) -> frozenset[str]:
        """Return what it names, changed or not."""
        whole = b"\n".join((self.target, *self.headers, self.body))
        return frozenset(match[1].decode() for match in _NAMED.finditer(whole))

    def filled(self, values: Mapping[str, bytes]) -> Self:
        """Return the case with *values* for the names in it; unknown names stay."""
        left = _MOST_NAMED

        def fill(text: bytes) -> bytes:
            nonlocal left
            filled, count = _NAMED.subn(lambda match: _value(match, values), text, count=max(left, 0) or -1)
            left -= count
            return filled if left >= 0 else text

        target, body = fill(self.target), fill(self.body)
        return replace(self, target=target, headers=tuple(map(fill, self.headers)), body=body)

    def wire(self) -> bytes:
        """Write the request as it travels."""
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
