"""The visitors' sessions. Each sign-in and sign-out starts a new one: no cookie from before is of use."""

from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any, Final

from demo.phones import Code
from demo.users import User

MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class ScannedWeChat:
    """A WeChat that was used here and is not bound to a user yet."""

    registration: str
    kind: str
    ends_at: float
    profile: Any = None  # {"nickname", "picture"}, if scanbind knows them


@dataclass(slots=True)
class Visitor:
    kind: str  # of account, whose client is used
    user: User | None = None
    scanned: ScannedWeChat | None = None
    number: str = ""  # as typed
    code: Code | None = None  # sent to the number
    cookie: str = field(default_factory=token_urlsafe)
    state: str = field(default_factory=token_urlsafe)  # sent with a login; its one-time code must return it

    def waiting(self, now: float) -> ScannedWeChat | None:
        """Return the scanned WeChat if it can still be bound, by the client that it was scanned for."""
        found = self.scanned
        return found if found and found.kind == self.kind and now < found.ends_at else None

    def renewed(self, user: User | None = None, scanned: ScannedWeChat | None = None) -> "Visitor":
        return Visitor(self.kind, user, scanned)


@dataclass(slots=True)
class Visitors:
    kind: str  # of new visitors
    by_cookie: dict[str, Visitor] = field(default_factory=dict)

    def get(self, cookie: str) -> Visitor:
        return self.by_cookie.get(cookie) or Visitor(self.kind)

    def is_new(self, visitor: Visitor) -> bool:
        """Return whether the visitor has done nothing yet that a session must keep."""
        done = visitor.user or visitor.scanned or visitor.code or visitor.number
        return not done and visitor.kind == self.kind

    def replace(self, cookie: str, visitor: Visitor) -> None:
        """Keep *visitor* instead of the one with *cookie*, and forget the oldest, first a new one, beyond MOST."""
        self.by_cookie.pop(cookie, None)
        self.by_cookie[visitor.cookie] = visitor
        while len(self.by_cookie) > MOST:
            new = (one for one in self.by_cookie if self.is_new(self.by_cookie[one]))
            del self.by_cookie[next(new, next(iter(self.by_cookie)))]
