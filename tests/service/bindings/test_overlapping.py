"""Two transactions change the bindings of one person or one user, the second while the first is not committed yet.

Red when `_place` locks the primary binding alone, `_remove_with_others` looks once, or `bind` returns a conflict
after it removed a binding.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import MOVE, NOW, REPLACE, Bind, bind_in, known_follower, pairs
from lock_waits import overlapping

from models.binding import Bound, Conflict, ConflictReason, UserId
from models.errors import StoreUnavailable
from models.events import OpenId
from models.method import Method
from service.bindings.changes import changing
from service.bindings.repository import Bindings
from service.bindings.rules import resolve
from service.identities.followers import Followers
from service.identities.repository import Identities
from service.storage.database import Database

ANNA = (("main", "oA"), ("second", "oB"), ("third", "oC"))


def logging_in(identities: Identities, account: str, openid: str) -> Callable[[sa.Connection], Any]:
    def work(connection: sa.Connection) -> None:
        person = identities.find(connection, account, OpenId(openid), hold=True)
        assert person is not None
        with changing(connection, identities) as rows:
            resolve(connection, person, rows=rows, client="shop", method=Method.SCAN, now=NOW)

    return work


@pytest.fixture
async def anna(followers: Followers) -> None:
    for account, openid in ANNA:
        await known_follower(followers, account, openid, "uAnna")


async def test_a_disconnect_waits_for_a_login_that_relies_on_a_binding_from_before_the_unionid_was_known(
    binding: Bind, bindings: Bindings, followers: Followers, identities: Identities, database: Database
) -> None:
    await binding("42", "oA")
    for account, openid in ANNA:
        await known_follower(followers, account, openid, "uAnna")
    disconnecting = bindings.disconnect("shop", UserId("42"), now=NOW)
    assert await overlapping(database, logging_in(identities, "second", "oB"), disconnecting) == 2
    assert await pairs(bindings, "42") == []


@pytest.mark.usefixtures("anna")
async def test_a_takeover_takes_along_what_a_login_adds_at_the_same_time(
    binding: Bind, bindings: Bindings, identities: Identities, database: Database
) -> None:
    await binding("42", "oA")
    result = await overlapping(
        database, logging_in(identities, "second", "oB"), binding("43", "oC", MOVE, account="third")
    )
    assert isinstance(result, Bound)
    assert await pairs(bindings, "42", "43") == [("43", "oC")]


@pytest.mark.usefixtures("anna")
@pytest.mark.parametrize("unionid", ["uBert", None])
async def test_a_replacement_takes_along_what_a_login_adds_at_the_same_time(
    binding: Bind,
    bindings: Bindings,
    followers: Followers,
    identities: Identities,
    database: Database,
    *,
    unionid: str | None,
) -> None:
    await binding("42", "oA")
    if unionid:
        await known_follower(followers, "main", "oBert", unionid)
    result = await overlapping(database, logging_in(identities, "second", "oB"), binding("42", "oBert", REPLACE))
    assert isinstance(result, Bound)
    assert await pairs(bindings, "42") == [("42", "oBert")]


async def test_a_takeover_that_is_refused_in_the_end_takes_nothing(
    binding: Bind, bindings: Bindings, identities: Identities, followers: Followers, database: Database
) -> None:
    await known_follower(followers, "main", "oA", "uAnna")
    await binding("43", "oA")
    await known_follower(followers, "main", "oBert", "uBert")

    def first(connection: sa.Connection) -> Any:
        return bind_in(connection, identities, "oBert", "42")

    with suppress(StoreUnavailable):  # or a conflict: the request can be repeated
        assert await overlapping(database, first, binding("42", "oA", MOVE)) == Conflict(ConflictReason.USER)
    assert await pairs(bindings, "42", "43") == [("42", "oBert"), ("43", "oA")]
