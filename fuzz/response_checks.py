"""Parses a response of the service, and checks what must hold for every response."""

import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Self

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_PROBLEM: Final = "application/problem+json"
_KEYS: Final = frozenset({"type", "title", "status", "detail", "instance"})


class Fault(Exception):
    """The service violated an invariant; the message says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; header names are in lowercase."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Parse a response. Raises Fault when it is invalid HTTP."""
        head, ended, body = raw.removeprefix(_CONTINUE).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        if not ended or len(words) < 2 or not words[1].isdigit():
            raise Fault(f"invalid HTTP response: {raw[:200]!r}")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return cls(int(words[1]), headers, body)


def check(given: Answer, *, statuses: AbstractSet[int], secrets: Sequence[bytes]) -> None:
    """Raise Fault unless the response has an allowed status and form (contract.md 3) and none of *secrets*."""
    if given.status not in statuses:
        raise Fault(f"status {given.status}: {given.body[:300]!r}")
    shown = given.body + repr(given.headers).encode()
    if any(secret in shown for secret in secrets):
        raise Fault("the response contains a secret of the configuration")
    if _not_http(given):
        return
    if not given.headers.get("x-request-id"):
        raise Fault("no X-Request-Id")
    if given.status >= 400 and given.body and not _page(given):  # HEAD has no body
        _problem(given)


def _not_http(given: Answer) -> bool:
    """Return whether the HTTP server refused the request as invalid before the service received it."""
    return given.status == 400 and given.headers.get("content-type", "").startswith("text/plain")


def _page(given: Answer) -> bool:
    """Return whether it is the page for a portal link that no longer works."""
    return given.status in (404, 410) and given.headers.get("content-type", "").startswith("text/html")


def _problem(given: Answer) -> None:
    try:
        problem = json.loads(given.body)
    except ValueError as e:
        raise Fault(f"an error that is not problem JSON: {given.body[:300]!r}") from e
    kind = given.headers.get("content-type", "").partition(";")[0]
    whole = isinstance(problem, dict) and problem.keys() >= _KEYS and all(problem[key] for key in _KEYS)
    if kind != _PROBLEM or not whole:
        raise Fault(f"a problem of the wrong form ({kind}): {problem}")
    if problem["status"] != given.status or problem["instance"] != given.headers["x-request-id"]:
        raise Fault(f"a problem that contradicts its response: {problem}")
