"""Persons bound to several users of a client are found, and reported when they turn out to be one.

Red when `find` counts bindings instead of users, or looks across clients, or `report` writes nothing.
"""

from functools import partial

from binding_rows import NOW, Bind, known_follower

from models.audit import AuditEvent
from models.binding import UserId
from models.events import shortened
from models.tables.audit import audit
from service.bindings import conflicts
from service.bindings.repository import Bindings
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import Database


async def found(database: Database, identities: Identities, *, client: str | None = None) -> list[tuple[str, ...]]:
    them = await database.read(lambda connection: conflicts.find(connection, identities, client=client))
    return [(one.client, *(f"{it.user_id} {it.openid}" for it in one.bindings)) for one in them]


async def test_two_users_of_one_person_are_a_conflict_of_their_client_and_reported_at_once(
    binding: Bind, bindings: Bindings, followers: Followers, identities: Identities, database: Database
) -> None:
    followers.on_joined = partial(conflicts.report, clock=lambda: NOW)
    for client, users in (("shop", ("42", "43")), ("forum", ("1", "1")), ("blog", ("2",))):
        for user, (account, openid) in zip(users, (("main", "oA"), ("second", "oB")), strict=False):
            await binding(user, openid, account=account, client=client)
    await known_follower(followers, "main", "oA", "uAnna")
    assert await found(database, identities) == []
    await known_follower(followers, "second", "oB", "uAnna")
    expected = ("shop", "42 oA", "43 oB")
    assert await found(database, identities) == await found(database, identities, client="shop") == [expected]
    assert await found(database, identities, client="forum") == []
    query = audit.select().order_by(audit.c.id)
    rows = await database.read(lambda connection: connection.execute(query).mappings().all())
    assert [(row["event"], row["client"], row["account"], row["openid"], row["user_id"]) for row in rows] == [
        (AuditEvent.PERSON_CONFLICT, "shop", "main", shortened("oA"), "42"),
        (AuditEvent.PERSON_CONFLICT, "shop", "second", shortened("oB"), "43"),
    ]
    await bindings.disconnect("shop", UserId("43"), now=NOW)
    assert await found(database, identities) == []
