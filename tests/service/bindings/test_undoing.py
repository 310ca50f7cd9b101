"""An undo removes one bind and what relied on it: red when it removes a later or an earlier binding."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from binding_rows import MOVE, NOW, Bind, Resolve, changes, known_follower, pairs

from models.binding import Change, ChangeSource
from models.tables.bindings import bindings as table
from models.tables.columns import to_millisecond
from service.bindings.repository import Bindings
from service.bindings.undoing import BindingUndo
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import Database

LATER = NOW + timedelta(minutes=1)
AT = to_millisecond(NOW)


@pytest.fixture
def undoing(database: Database, identities: Identities) -> BindingUndo:
    return BindingUndo(database, identities)


@pytest.fixture
async def joined(followers: Followers) -> None:
    """Anna, whose identities in two accounts are known to be one person's."""
    for account, openid in (("main", "oA"), ("other", "oB")):
        await known_follower(followers, account, openid, "u-anna")


async def bound_as(database: Database, account: str = "main") -> tuple[str, int, datetime]:
    """Return what an undo names the binding in an account by."""
    query = sa.select(table.c.client, table.c.follower_id, table.c.bound_at).where(table.c.account == account)
    row = await database.read(lambda connection: connection.execute(query).one())
    return row[0], row[1], row[2]


async def test_an_undo_removes_the_bind_once(
    binding: Bind, undoing: BindingUndo, database: Database, bindings: Bindings
) -> None:
    await binding("42", "oA")
    this = await bound_as(database)
    assert this[2] == AT
    assert await undoing.stands(*this)
    assert [await undoing.undo(*this, now=LATER) for _ in range(2)] == [True, False]
    assert not await undoing.stands(*this)
    assert await pairs(bindings, "42") == []
    assert await changes(bindings, "42") == [
        (Change.BOUND, ChangeSource.TICKET, "oA"),
        (Change.DISCONNECTED, ChangeSource.UNDO, "oA"),
    ]


async def test_a_later_bind_of_the_same_wechat_stays(
    binding: Bind, undoing: BindingUndo, database: Database, bindings: Bindings
) -> None:
    """Red when the moment is not compared."""
    await binding("42", "oA")
    this = await bound_as(database)
    await undoing.undo(*this, now=NOW)
    await binding("42", "oA", now=LATER)
    assert not await undoing.stands(*this)
    assert not await undoing.undo(*this, now=LATER)
    assert await pairs(bindings, "42") == [("42", "oA")]


async def test_an_earlier_bind_that_was_moved_since_undoes_nothing(
    binding: Bind, undoing: BindingUndo, database: Database, bindings: Bindings
) -> None:
    await binding("42", "oA")
    this = await bound_as(database)
    await binding("43", "oA", MOVE, now=LATER)
    assert not await undoing.undo(*this, now=LATER)
    assert await pairs(bindings, "42", "43") == [("43", "oA")]


async def test_another_client_undoes_nothing(
    binding: Bind, undoing: BindingUndo, database: Database, bindings: Bindings
) -> None:
    await binding("42", "oA")
    _, follower, at = await bound_as(database)
    assert not await undoing.undo("club", follower, at, now=LATER)
    assert await pairs(bindings, "42") == [("42", "oA")]


@pytest.mark.usefixtures("joined")
async def test_a_login_that_relied_on_the_bind_is_undone_with_it(
    binding: Bind,
    resolving: Resolve,
    undoing: BindingUndo,
    database: Database,
    bindings: Bindings,
) -> None:
    await binding("42", "oA")
    assert await resolving("other", "oB")
    assert await undoing.undo(*await bound_as(database), now=LATER)
    assert await pairs(bindings, "42") == []
    assert await resolving("other", "oB") is None


@pytest.mark.usefixtures("joined")
async def test_an_earlier_bind_of_the_person_stays_and_does_not_bring_the_other_back(
    binding: Bind,
    resolving: Resolve,
    undoing: BindingUndo,
    database: Database,
    bindings: Bindings,
) -> None:
    await binding("42", "oA")
    await binding("42", "oB", account="other", now=LATER)
    assert await undoing.undo(*await bound_as(database, "other"), now=LATER)
    assert await pairs(bindings, "42") == [("42", "oA")]
    assert await resolving("other", "oB") is None
