"""Finds and reports persons who are bound to several users of one client: each identity keeps its own user.

It happens when two identities that were bound before turn out to be those of one person (contract.md 5).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby

import sqlalchemy as sa

from models.audit import AuditEntry, AuditEvent
from models.binding import Binding
from models.errors import StoreUnavailable
from models.events import shortened
from models.tables.bindings import bindings
from models.tables.identities import followers
from models.timestamps import rfc3339
from models.webhook import WebhookEvent
from service.audit.log import append_entry
from service.bindings.changes import identity_fields
from service.bindings.rows import COLUMNS, read_row, shown
from service.config.settings import Settings
from service.identities import reencryption
from service.identities.repository import NAMES, Identities
from service.outbox.outbox import About
from service.storage.inserting import appending
from service.storage.stores import open_database


@dataclass(frozen=True, slots=True)
class PersonConflict:
    """The bindings of one person at one client, to several users; the oldest first."""

    client: str
    bindings: Sequence[Binding]

    def __str__(self) -> str:
        users = (
            f"user {json.dumps(it.user_id, ensure_ascii=False)} "
            f"({it.account}, {shortened(it.openid)}, bound {rfc3339(it.bound_at)})"
            for it in self.bindings
        )
        return f"{self.client}: one person, {', '.join(users)}"


def find(
    connection: sa.Connection, identities: Identities, *, client: str | None = None, person: int | None = None
) -> list[PersonConflict]:
    """Return the conflicts of one client or of all, of one person or of all."""
    of, theirs = bindings.c, followers.c.person_id
    wanted = [theirs.is_not(None) if person is None else theirs == person]
    wanted += [] if client is None else [of.client == client]
    joined = sa.join(bindings, followers, followers.c.id == of.follower_id)
    several = sa.select(of.client, theirs).select_from(joined).where(*wanted).group_by(of.client, theirs)
    of_several = several.having(sa.func.count(of.user_id.distinct()) > 1).subquery()
    same = sa.and_(of_several.c.client == of.client, of_several.c.person_id == theirs)
    query = sa.select(*COLUMNS, *NAMES).select_from(joined.join(of_several, same))
    rows = connection.execute(query.order_by(of.client, theirs, of.bound_at, of.id)).mappings().all()
    return [
        PersonConflict(at, [shown(read_row(row), it) for row in group if (it := identities.read(row))])
        for (at, _), group in groupby(rows, lambda row: (row[of.client], row[theirs]))
    ]


async def lines(settings: Settings, *, client: str | None) -> list[str]:
    """Return a line for each conflict of one client or of all.

    Raises:
        StoreUnavailable: the database does not answer, or its tables are not current.
    """
    async with open_database(settings, patient=True) as database:
        identities = Identities(reencryption.cipher(settings))
        found = await database.read(partial(find, identities=identities, client=client))
    return [str(one) for one in found]


def report(
    connection: sa.Connection, identities: Identities, person: int, *, clock: Callable[[], datetime]
) -> None:
    """Write the conflicts of a person to the audit log, and tell the clients.

    Within the transaction that made one person of several.
    """
    try:
        found = find(connection, identities, person=person)
    except StoreUnavailable:
        return  # a row that none of the keys decrypts must not keep the person from signing in
    now = clock()
    entries = [
        AuditEntry(
            now,
            AuditEvent.PERSON_CONFLICT,
            it.client,
            it.account,
            openid=shortened(it.openid),
            user_id=it.user_id,
        )
        for one in found
        for it in one.bindings
    ]
    with appending(connection) as rows:
        for entry in entries:
            append_entry(rows, entry)
        for one in found:
            told = [{"user_id": it.user_id, **identity_fields(it)} for it in one.bindings]
            data = {"user_ids": list(dict.fromkeys(it.user_id for it in one.bindings)), "identities": told}
            event, about = WebhookEvent.PERSON_CONFLICT, About(person=person)
            identities.outbox.add(rows, event, client=one.client, data=data, at=now, about=about)
