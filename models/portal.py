"""A visit to the portal: a link that opens once, the half hour after it, and what is asked in it. Values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.binding import UserId
from models.language import Lang
from models.ticket import Confirm

LINK_LIVES: Final = timedelta(seconds=300)
"""How long a link waits to be opened."""
SESSION_LIVES: Final = timedelta(seconds=1800)
"""How long an open session lasts; nothing prolongs it."""
VISITS_KEPT: Final = timedelta(days=1)
"""How long after its end a visit is remembered."""
_MARK: Final = "portal:"


def request_session(session_id: str) -> str:
    """Return the `session` under which the portal keeps the bind requests of one of its own sessions."""
    return _MARK + session_id


def started_by_portal(session: str) -> bool:
    """Tell from its `session` whether the portal started a bind request.

    A site may choose a `session` that reads like the portal's: its bind is then asked about as strictly.
    """
    return session.startswith(_MARK)


def portal_confirm(configured: Confirm) -> Confirm:
    """Return what the phone is asked after the scan of a code that the portal shows.

    Never nothing: a portal link may have reached another person than its own user, and the scan alone must not
    bind that person's WeChat to the user's account.
    """
    return Confirm.MATCH if configured is Confirm.NONE else configured


@dataclass(frozen=True, slots=True)
class PortalSession:
    """What one user of one client may look at and change, for a while. `id` alone is worth nothing."""

    id: str
    client: str
    user_id: UserId
    ends_at: datetime
    """When the link lapses, or, once it was opened, when the session is over."""
    account_name: str | None = None
    return_url: str | None = None
    only_login: bool = False
    """Without a WeChat this user could not log in any more; the site says so."""
    lang: Lang | None = None
    opened_at: datetime | None = None

    def waits(self, now: datetime) -> bool:
        """Tell whether the link can still be opened; of several attempts the database picks one."""
        return self.opened_at is None and now < self.ends_at
