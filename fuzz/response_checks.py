"""An answer of the service, and what must hold for every one of them, whatever was asked."""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Self

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_PROBLEM: Final = "application/problem+json"
_KEYS: Final = frozenset({"type", "title", "status", "detail", "instance"})


class Fault(Exception):
    """Something that must never be; says what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; headers by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Read an answer as it travels. Raises Fault when it is none."""
        head, ended, body = raw.removeprefix(_CONTINUE).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if not ended or len(words) < 2 or not words[1].isdigit():
            raise Fault(f"no HTTP answer: {raw[:200]!r}")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return cls(int(words[1]), headers, body)


def check(given: Answer, *, statuses: AbstractSet[int], secrets: Sequence[bytes]) -> None:
    """Raise Fault unless the answer is one that the door may give (contract.md 3) and holds none of *secrets*."""
    if given.status not in statuses:
        raise Fault(f"status {given.status}: {given.body[:300]!r}")
    shown = given.body + repr(given.headers).encode()
    if any(secret in shown for secret in secrets):
        raise Fault("a secret of the configuration is in the answer")
    if _not_http(given):
        return
    if not given.headers.get("x-request-id"):
        raise Fault("no X-Request-Id")
    if given.status >= 400 and given.body and not _page(given):  # HEAD has no body
        _problem(given)


def _not_http(given: Answer) -> bool:
    """Tell whether the server itself refused what is no HTTP, before the service saw a request."""
    return given.status == 400 and given.headers.get("content-type", "").startswith("text/plain")


def _page(given: Answer) -> bool:
    """Tell whether a person is told, on a page, that their link works no longer."""
    return given.status in (404, 410) and given.headers.get("content-type", "").startswith("text/html")


def _problem(given: Answer) -> None:
    try:
        told = json.loads(given.body)
    except ValueError as e:
        raise Fault(f"an error that is no problem: {given.body[:300]!r}") from e
    kind = given.headers.get("content-type", "").partition(";")[0]
    whole = isinstance(told, dict) and told.keys() >= _KEYS and all(told[key] for key in _KEYS)
    if kind != _PROBLEM or not whole:
        raise Fault(f"a problem of the wrong form ({kind}): {told}")
    if told["status"] != given.status or told["instance"] != given.headers["x-request-id"]:
        raise Fault(f"a problem that contradicts its answer: {told}")
