"""A visit to the portal: a link that opens once, and the half hour after it. Values only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.binding import UserId
from models.ticket import Lang

LINK_LIVES: Final = timedelta(seconds=300)
"""How long a link waits to be opened."""
SESSION_LIVES: Final = timedelta(seconds=1800)
"""How long an open session lasts; nothing prolongs it."""
VISITS_KEPT: Final = timedelta(days=1)
"""How long after its end a visit is remembered."""


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
