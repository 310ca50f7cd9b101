"""Read and expect rows of bindings."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from models.binding import Binding, BindResult, Change, ChangeSource, Policy, UserId
from models.events import OpenId
from models.method import Method
from models.tables.columns import to_millisecond
from service.bindings.changes import changing
from service.bindings.repository import Bindings
from service.bindings.rules import bind
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities

NOW = datetime(2026, 3, 1, 12, 0, 0, 987654, tzinfo=UTC)
REPLACE = Policy(rebind_replaces=True)
MOVE = Policy(takeover_moves=True)

Bind = Callable[..., Awaitable[BindResult]]


def bind_in(
    connection: sa.Connection,
    identities: Identities,
    openid: str,
    user_id: str,
    *,
    account: str = "main",
    **how: Any,
) -> BindResult | None:
    """Bind a user to a follower within a transaction, as `bind` does; None if there is no such follower."""
    person = identities.find(connection, account, OpenId(openid), hold=True)
    given = {
        "client": "shop",
        "policy": Policy(),
        "method": Method.SCAN,
        "source": ChangeSource.TICKET,
        "now": NOW,
    }
    given |= how
    if person is None:
        return None
    with changing(connection, identities) as rows:
        return bind(connection, person, rows=rows, user_id=UserId(user_id), **given)


def bound(user_id: str, openid: str, **changes: Any) -> Binding:
    given = {"client": "shop", "account": "main", "bound_at": to_millisecond(NOW)} | changes
    return Binding(user_id=UserId(user_id), openid=OpenId(openid), **given)


async def pairs(bindings: Bindings, *users: str, client: str = "shop") -> list[tuple[str, str]]:
    found = [it for user in users for it in await bindings.of_user(client, UserId(user))]
    return [(it.user_id, it.openid) for it in found]


async def changes(bindings: Bindings, user: str) -> list[tuple[Change, ChangeSource, str | None]]:
    """Return what happened to a user, oldest first."""
    return [(it.change, it.source, it.openid) for it in reversed(await bindings.history("shop", UserId(user)))]


async def known_follower(followers: Followers, account: str, openid: str, unionid: str) -> None:
    await followers.seen(Sender(account, OpenId(openid), NOW))
    await followers.learned(account, OpenId(openid), unionid=unionid, lang=None, asked_at=NOW)


Resolve = Callable[[str, str], Awaitable[Binding | None]]
