"""Names and pictures whose rows two transactions change at once.

Red when a name or picture outlives the last of two bindings that end at once, when the hourly purge deletes
what a login stored meanwhile, or when an erasure and a disconnect wait for each other.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from binding_rows import bind_in
from lock_waits import a_lock_is_waited_for, overlapping

from models.binding import Change, ChangeSource, UserId
from models.events import OpenId
from models.profile import source_of
from models.tables.bindings import bindings as bound
from models.tables.profiles import profiles as table
from service.bindings.changes import changing
from service.bindings.repository import Bindings
from service.bindings.rows import remove_row, select_rows
from service.identities.followers import Authorized, Followers
from service.identities.profiles import Picture, Profiles
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure
from service.storage.database import Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = ("site", OpenId("oAnna"))
PICTURE = Picture(b"\xff\xd8\xff picture", source_of("https://thirdwx.qlogo.cn/mmopen/1/132"))
pytestmark = [
    pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True),
    pytest.mark.parametrize("identities", [()], indirect=True, ids=["clear"]),
]


@pytest.fixture
async def profiles(database: Database, identities: Identities) -> Profiles:
    """The profile of Anna, who is the user 42 of two clients that show profiles."""
    await Followers(database, identities).seen(Authorized(*ANNA, unionid=None))
    stored = Profiles(database=database, identities=identities, showing=("shop", "club"))
    await stored.store(ANNA, "Anna", PICTURE, keep=False, at=NOW)
    for client in stored.showing:
        how = {"client": client, "account": ANNA[0], "identities": identities, "now": NOW}
        await database.attempt(partial(bind_in, openid=ANNA[1], user_id="42", **how))
    return stored


def disconnect(connection: sa.Connection, identities: Identities, client: str) -> None:
    [row] = select_rows(connection, bound.c.client == client)
    with changing(connection, identities) as rows:
        remove_row(connection, row, Change.DISCONNECTED, rows=rows, source=ChangeSource.SITE, now=NOW)


async def test_two_disconnects_at_once_delete_name_and_picture(profiles: Profiles, bindings: Bindings) -> None:
    """Red when each sees the other's binding still: the profile would outlive both."""
    second = bindings.disconnect("shop", UserId("42"), now=NOW)
    assert (
        await overlapping(
            profiles.database, partial(disconnect, identities=profiles.identities, client="club"), second
        )
        == 1
    )
    assert await profiles.of([ANNA]) == {}


async def test_a_disconnect_and_an_erasure_at_once_do_not_deadlock(
    profiles: Profiles, erasure: FollowerErasure
) -> None:
    """Red in MariaDB when the erasure deletes the profile before the binding: a disconnect holds that first."""
    await profiles.database.attempt(partial(disconnect, identities=profiles.identities, client="club"))
    async with profiles.database.writing() as connection:
        await connection.execute(sa.delete(bound))
        erasing = asyncio.ensure_future(erasure.unfollowed(*ANNA, at=NOW, erase=True, now=NOW))
        await a_lock_is_waited_for(profiles.database)
        await connection.execute(sa.delete(table))
    await erasing
    assert await profiles.of([ANNA]) == {}


async def test_a_purge_leaves_what_a_login_stored_meanwhile(profiles: Profiles) -> None:
    """Red when the row is deleted by the key that was read before the login."""

    def login(connection: sa.Connection) -> None:
        connection.execute(sa.update(table).values(at=NOW + timedelta(days=2)))

    await profiles.database.attempt(lambda connection: connection.execute(sa.delete(bound)))
    purge = profiles.purge(NOW + timedelta(days=1))
    assert await overlapping(profiles.database, login, purge) == 0
    assert (await profiles.of([ANNA]))[ANNA].nickname == "Anna"
