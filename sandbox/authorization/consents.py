"""The pages on which WeChat asks a person, and their answers. Time is an argument."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from sandbox.authorization.requests import Request
from sandbox.errors import Impossible, Unknown
from sandbox.people import Person

LIFETIME: Final = 300
"""Seconds in which a person can answer."""
KEPT: Final = 1000
CONFIRM: Final = "/connect/confirm"
"""The path of the address in the QR code of a login at a website."""

State = Literal["waiting", "scanned", "allowed", "refused", "expired"]


@dataclass(slots=True)
class Consent:
    """One page that asks; `person` is who scanned its QR code, or who opened it inside WeChat."""

    id: str
    request: Request
    created_at: float
    person: Person | None = None
    _state: State = "waiting"
    address: str | None = None
    """Where the answer sends the browser; None before it, and after a refusal that redirects nowhere."""

    @property
    def expires_at(self) -> float:
        return self.created_at + LIFETIME

    def state(self, *, now: float) -> State:
        """Return how far it is; the person can answer while it is `waiting` or `scanned`."""
        late = self._state in ("waiting", "scanned") and now >= self.expires_at
        return "expired" if late else self._state

    def scan(self, person: Person, *, now: float) -> None:
        """Let this person answer; raise Impossible when it is too late, or another person's."""
        if self.state(now=now) not in ("waiting", "scanned"):
            raise Impossible("the login was answered or has expired")
        if self.person is not None and self.person.id != person.id:
            raise Impossible("another user has scanned this QR code")
        self.person, self._state = person, "scanned"

    def end(self, state: Literal["allowed", "refused"], *, address: str | None) -> None:
        """Store the answer, after `scan`."""
        self._state, self.address = state, address


class Consents:
    """The latest consents."""

    def __init__(self) -> None:
        self._kept: dict[str, Consent] = {}

    def add(self, request: Request, person: Person | None = None, *, now: float) -> Consent:
        consent = Consent(secrets.token_urlsafe(12), request, now, person)
        self._kept[consent.id] = consent
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return consent

    def get(self, text: str) -> Consent:
        """Return the consent with this id or address of a QR code; raise Unknown."""
        consent = self._kept.get(_id(text.strip()))
        if consent is None:
            raise Unknown(f"no consent {text[:128]!r}")
        return consent

    def open(self, *, now: float) -> Iterator[Consent]:
        """Yield those that can be answered, newest first."""
        latest = reversed(self._kept.values())
        return (consent for consent in latest if consent.state(now=now) in ("waiting", "scanned"))


def _id(text: str) -> str:
    parts = urlsplit(text) if f"{CONFIRM}?" in text else None
    return parse_qs(parts.query).get("uuid", [""])[0] if parts else text
