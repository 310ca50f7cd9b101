"""Who is at the other end of a cookie. A session's id changes whenever who is signed in does."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

LIFETIME: Final = 12 * 3600
"""Seconds a session lasts."""
MOST: Final = 10_000
"""Sessions kept; beyond it the oldest goes."""


def _token() -> str:
    return secrets.token_urlsafe(24)


@dataclass(slots=True)
class Session:
    """One visitor. `id` is the cookie and never leaves the shop; `state` and `tag` are what scanbind sees."""

    ends: float
    user_id: str | None = None
    id: str = field(default_factory=_token)
    state: str = field(default_factory=_token)
    """Goes with a login ticket and must come back with its code."""
    tag: str = field(default_factory=_token)
    """Names this session to scanbind, which gives the same session the same bind ticket again."""
    registration: str | None = None
    """A WeChat this visitor has scanned and nobody has yet."""
    notice: str = ""
    """What the next page says, once; a key of `words.PAGES`."""

    def owns(self, state: str | None) -> bool:
        """Tell whether a code that came with *state* was asked for here.

        If it was not, somebody else's code was slipped to this visitor, who would then use that somebody's
        account without noticing (login CSRF). None means scanbind lost it, and proves nothing.
        """
        return state is not None and hmac.compare_digest(state.encode(errors="replace"), self.state.encode())


class Sessions:
    """The sessions, in memory. *clock* counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[str, Session] = {}

    def get(self, session_id: str) -> Session | None:
        """Return the session unless it has ended."""
        session = self._sessions.get(session_id)
        return session if session and self._clock() < session.ends else None

    def start(self, *, user_id: str | None = None, instead_of: Session | None = None) -> Session:
        """Return a new session and end the one it replaces, whose id is then worth nothing."""
        if instead_of:
            self._sessions.pop(instead_of.id, None)
        while len(self._sessions) >= MOST:
            del self._sessions[next(iter(self._sessions))]
        session = Session(self._clock() + LIFETIME, user_id)
        self._sessions[session.id] = session
        return session
