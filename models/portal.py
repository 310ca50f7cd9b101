"""Portal sessions: a one-time link, and the session that opening it starts. Values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.binding import UserId
from models.language import Lang
from models.ticket import Confirm

LINK_LIVES: Final = timedelta(seconds=300)
"""How long a link can be opened."""
SESSION_LIVES: Final = timedelta(seconds=1800)
"""How long an opened session lasts. It cannot be extended."""
VISITS_KEPT: Final = timedelta(days=1)
"""How long after its end a session is stored."""
_MARK: Final = "portal:"


def request_session(session_id: str) -> str:
    """Return the `session` value of bind requests that belong to a portal session."""
    return _MARK + session_id


def started_by_portal(session: str) -> bool:
    """Return whether a bind request with this `session` value was started by the portal.

    A site may send a value with the portal's prefix; its bind then gets the portal's stricter confirmation.
    """
    return session.startswith(_MARK)


def portal_confirm(configured: Confirm) -> Confirm:
    """Return the confirmation for a QR code that the portal shows.

    Never `none`: a portal link may have reached another person than its user, and the scan alone must not bind
    that person's WeChat to the user's account.
    """
    return Confirm.MATCH if configured is Confirm.NONE else configured


@dataclass(frozen=True, slots=True)
class PortalSession:
    """One user's temporary access to their bindings with one client. `id` alone grants nothing."""

    id: str
    client: str
    user_id: UserId
    ends_at: datetime
    """When the link expires or, once it was opened, when the session ends."""
    account_name: str | None = None
    return_url: str | None = None
    only_login: bool = False
    """WeChat is the user's only way to log in, as reported by the site."""
    lang: Lang | None = None
    opened_at: datetime | None = None

    def waits(self, now: datetime) -> bool:
        """Return whether the link can still be opened. Of concurrent attempts the database accepts one."""
        return self.opened_at is None and now < self.ends_at
