"""Generates load over keep-alive connections; each sends its next request when it has received the last response.

Uses bare sockets, because an HTTP client would cost more than the measured handlers. Responses must have a
Content-Length.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from types import MappingProxyType
from typing import Final, cast

_BODYLESS: Final = (b"204", b"304")
_STATUS: Final = slice(9, 12)
_LENGTH: Final = b"content-length: "
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_CONNECTIONS: Final = 16
_LONGEST: Final = 60.0


@dataclass(slots=True)
class Load:
    """The measurements of a load."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds from sending a request to the end of its response, in the order of the responses."""
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Responses per second."""
        return len(self.latencies) / self.seconds


async def drive(
    port: int,
    requests: Iterable[bytes],
    *,
    seconds: float = _LONGEST,
    connections: int = _CONNECTIONS,
    answers: dict[int, bytes] | None = None,
) -> Load:
    """Send *requests* until all are sent or *seconds* have passed.

    Stores complete responses in *answers*, by the index of their request.
    """
    loop = asyncio.get_running_loop()
    run = _Run(enumerate(requests), perf_counter() + seconds, Load(), answers)
    lanes = [(await loop.create_connection(lambda: _Lane(run), "127.0.0.1", port))[1] for _ in range(connections)]
    began = perf_counter()
    for lane in lanes:
        lane.send()
    async with asyncio.timeout(seconds + _LONGEST):
        await asyncio.gather(*(lane.done for lane in lanes))
    run.load.seconds = perf_counter() - began
    return run.load


def request(
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] = _NONE,
    body: bytes | None = None,
    content_type: str = "application/json",
) -> bytes:
    """Return a serialized request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def header(answer: bytes, name: str) -> str:
    """Return a header of a response; raise KeyError if it is missing."""
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}[name.lower()]


def body(answer: bytes) -> bytes:
    """Return the body of a response."""
    return answer.partition(b"\r\n\r\n")[2]


@dataclass(slots=True)
class _Run:
    """The state that all connections share."""

    requests: Iterator[tuple[int, bytes]]
    until: float
    load: Load
    answers: dict[int, bytes] | None


class _Lane(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._number = 0
        self._sent = 0.0
        self._held = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def send(self) -> None:
        following = next(self._run.requests, None) if perf_counter() < self._run.until else None
        if following is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._number, request = following
        self._sent = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._held += data
        if len(self._held) < _whole(self._held):
            return
        load, answer, self._held = self._run.load, self._held, b""
        load.latencies.append(perf_counter() - self._sent)
        load.statuses[answer[_STATUS].decode()] += 1
        if self._run.answers is not None:
            self._run.answers[self._number] = answer
        self.send()


def _whole(answer: bytes) -> int:
    """Return the length of the whole response; while its head is incomplete, one more byte than there is."""
    end = answer.find(b"\r\n\r\n") + 4
    if end < 4:
        return len(answer) + 1
    if answer[_STATUS] in _BODYLESS:
        return end
    head = answer[:end].lower()
    at = head.index(_LENGTH) + len(_LENGTH)
    return end + int(head[at : head.index(b"\r\n", at)])
