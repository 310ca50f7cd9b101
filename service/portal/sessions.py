"""Portal sessions, in SQL. A link opens once, and opening returns a secret that is not stored.

Link tokens and session secrets are derived from the row with a key of the client (service/crypto/keyring.py).
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from models.audit import AuditEvent
from models.binding import UserId
from models.errors import InvalidRequest, SessionNotFound
from models.language import Lang
from models.portal import LINK_LIVES, SESSION_LIVES, PortalSession
from models.requester import visible
from models.tables.columns import to_millisecond
from models.tables.portal import portal_sessions
from models.web_origin import origin_of
from service.audit.log import AuditLog
from service.config.clients import Client
from service.config.types import LONGEST_LIFETIME
from service.crypto.keyring import Keyring
from service.storage.database import Database
from service.storage.purge import purge

_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_ID_BYTES: Final = 16
_CODE_LIVES: Final = timedelta(seconds=LONGEST_LIFETIME)


@dataclass(frozen=True, slots=True)
class PortalLink:
    """A new session and the token that opens it once."""

    session: PortalSession
    token: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session that was just opened, and its secret."""

    session: PortalSession
    secret: str


@dataclass(slots=True, kw_only=True)
class PortalSessions:
    """Creates, opens, checks and closes portal sessions."""

    database: Database
    keyring: Keyring
    clients: Mapping[str, Client]
    audit: AuditLog
    clock: Callable[[], datetime]

    async def start(
        self,
        client: str,
        user_id: UserId,
        *,
        account_name: str | None = None,
        return_url: str | None = None,
        only_login: bool = False,
        lang: Lang | None = None,
    ) -> PortalLink:
        """Create a session, not yet open, for a user of *client*.

        Raises:
            InvalidRequest: `return_url` is not at an origin of the client.
            StoreUnavailable: the database does not answer.
        """
        if not self._lists(client, return_url):
            raise InvalidRequest("return_url: must be an address at one of the client's origins")
        session = PortalSession(
            id=secrets.token_urlsafe(_ID_BYTES),
            client=client,
            user_id=user_id,
            ends_at=to_millisecond(self.clock() + LINK_LIVES),
            account_name=visible(account_name or "") or None,
            return_url=return_url,
            only_login=only_login,
            lang=lang,
        )
        row = {name: getattr(session, name) for name in PortalSession.__slots__}

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.insert(portal_sessions).values(row))

        await self.database.once(work)
        return PortalLink(session, f"{session.id}.{self.keyring.newest(client).portal_link(session.id)}")

    async def linked(self, token: str) -> PortalSession | None:
        """Return the session of a link, even if it was opened or has ended; None for an invalid token.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        session_id, _, proof = token.partition(".")
        session = await self._find(session_id)
        if session and self.keyring.made(proof, session.client, lambda keys: keys.portal_link(session_id)):
            return session
        return None

    async def open(self, session: PortalSession) -> OpenedSession | None:
        """Open a session returned by `linked`; None if it was opened before or the link has expired.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        now = to_millisecond(self.clock())
        closed = sa.and_(
            portal_sessions.c.id == session.id,
            portal_sessions.c.opened_at.is_(None),
            portal_sessions.c.ends_at > now,
        )
        opened = replace(session, opened_at=now, ends_at=now + SESSION_LIVES)

        def work(connection: sa.Connection) -> bool:
            values = {"opened_at": opened.opened_at, "ends_at": opened.ends_at}
            done = connection.execute(sa.update(portal_sessions).where(closed).values(values))
            return bool(done.rowcount)

        if not await self.database.once(work):
            return None
        self.audit.note(AuditEvent.PORTAL_OPENED, client=session.client, user_id=session.user_id)
        return OpenedSession(opened, self.keyring.newest(session.client).portal_secret(session.id, now))

    async def enter(self, session_id: str, secret: str) -> PortalSession:
        """Return the open session with this id and secret.

        Raises:
            SessionNotFound: it is unknown or has ended, or the secret is wrong; the caller cannot tell which.
            StoreUnavailable: the database does not answer.
        """
        session = await self._find(session_id)
        opened_at = session.opened_at if session else None
        if (
            session
            and opened_at
            and session.ends_at > self.clock()
            and self.keyring.made(secret, session.client, lambda keys: keys.portal_secret(session_id, opened_at))
        ):
            return session
        raise SessionNotFound("unknown or ended session, or wrong secret")

    async def is_first(self, session: PortalSession) -> bool:
        """Tell whether this is the user's first stored session. Sessions are stored until a day after their end.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        kept = portal_sessions.c
        earlier = sa.and_(kept.user_id == session.user_id, kept.opened_at < session.opened_at)
        query = sa.select(sa.literal(1)).where(kept.client == session.client, earlier).limit(1)
        return await self.database.read(lambda connection: connection.scalar(query)) is None

    async def client_of(self, session_id: str) -> str | None:
        """Return the client of a session, None if unknown. The caller is not authenticated.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        found = await self._find(session_id)
        return found.client if found and found.client in self.clients else None

    async def close(self, session: PortalSession) -> None:
        """End a session early; does nothing if it has ended.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        now = self.clock()
        running = sa.and_(portal_sessions.c.id == session.id, portal_sessions.c.ends_at > now)

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.update(portal_sessions).where(running).values(ends_at=now))

        await self.database.attempt(work)

    async def close_all(self, client: str, user_id: UserId) -> Sequence[str]:
        """End all of a user's sessions and links; return the ids of sessions that may still show a QR code.

        A repeated call returns them again, so that cancelling their tickets can be retried.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        now, kept = self.clock(), portal_sessions.c
        theirs = sa.and_(kept.client == client, kept.user_id == user_id)
        shown = sa.and_(theirs, kept.opened_at.is_not(None), kept.ends_at > now - _CODE_LIVES)

        def work(connection: sa.Connection) -> Sequence[str]:
            connection.execute(sa.update(portal_sessions).where(theirs, kept.ends_at > now).values(ends_at=now))
            return connection.scalars(sa.select(kept.id).where(shown)).all()

        return await self.database.attempt(work)

    async def purge(self, before: datetime) -> int:
        """Delete sessions that ended before *before*; return how many."""
        ends_at = portal_sessions.c.ends_at
        return await purge(self.database, portal_sessions.c.id, before, when=ends_at)

    async def _find(self, session_id: str) -> PortalSession | None:
        """Return a session by its id, without a `return_url` at an origin that was removed since.

        The caller must verify the token or secret.
        """
        if not _ID.fullmatch(session_id):
            return None
        query = sa.select(portal_sessions).where(portal_sessions.c.id == session_id)
        row = await self.database.read(lambda connection: connection.execute(query).mappings().one_or_none())
        if row is None:
            return None
        session = PortalSession(**row)
        return session if self._lists(session.client, session.return_url) else replace(session, return_url=None)

    def _lists(self, client: str, return_url: str | None) -> bool:
        site = self.clients.get(client)
        return return_url is None or (site is not None and origin_of(return_url) in site.origins)
