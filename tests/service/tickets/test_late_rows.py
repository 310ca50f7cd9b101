"""Decisions whose rows are written late end as those that write each row when it is made.

Red when the two ways leave different rows, or return different endings.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from decided import ANNA, BEN, NOW, cancelled, claim
from migrated import empty_tables
from typing_extensions import override

from models.binding import Policy
from models.events import OpenId
from models.tables.audit import audit
from models.tables.bindings import bindings, history
from models.tables.identities import followers
from models.tables.outbox import outbox
from models.tables.tickets import endings
from models.ticket import Ending, TicketId
from models.webhook import WebhookEvent
from service.bindings.rows import Changes
from service.identities.followers import Arrival, Authorized, Followers, Sender
from service.identities.repository import Identities
from service.outbox.outbox import Outbox, Subscription
from service.storage.database import Database
from service.storage.group_commit import Work
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

T = TypeVar("T")
Step = tuple[str, str | None, OpenId]
"""A ticket, its user for a bind, and the person who scans it."""
Arrive = Callable[[OpenId], Arrival]
ARRIVALS: dict[str, Arrive] = {
    "by a scan": lambda openid: Sender("main", openid, NOW),
    "by following": lambda openid: Sender("main", openid, NOW, followed=True),
    "by a web authorization": lambda openid: Authorized("main", openid, "uAnna"),
}
STORED = (followers, bindings, history, endings, audit, outbox)
RANDOM = {"id", "follower_id", "person_id", "primary_of", "message", "payload", "openid_sealed", "unionid_sealed"}
MOVING = Policy(rebind_replaces=True, takeover_moves=True)

SITUATIONS: dict[str, tuple[Sequence[Step], Policy]] = {
    "a new person binds": ([("t1", "42", ANNA)], Policy()),
    "a new person has no user yet": ([("t1", None, ANNA)], Policy()),
    "a known person binds another time": ([("t1", None, ANNA), ("t2", "42", ANNA)], Policy()),
    "a bound person logs in": ([("t1", "42", ANNA), ("t2", None, ANNA)], Policy()),
    "a binding exists already": ([("t1", "42", ANNA), ("t2", "42", ANNA)], Policy()),
    "the user has another WeChat": ([("t1", "42", ANNA), ("t2", "42", BEN)], Policy()),
    "the WeChat has another user": ([("t1", "42", ANNA), ("t2", "43", ANNA)], Policy()),
    "another WeChat takes the place": ([("t1", "42", ANNA), ("t2", "42", BEN)], MOVING),
    "the WeChat moves": ([("t1", "42", ANNA), ("t2", "43", ANNA)], MOVING),
    "user and WeChat move": ([("t1", "42", ANNA), ("t2", "43", BEN), ("t3", "43", ANNA)], MOVING),
    "the ticket has ended": ([("t1", "42", ANNA), ("t1", "42", BEN)], Policy()),
    "a ticket was cancelled": ([("cancelled", "42", ANNA)], Policy()),
}


class _Plain(TicketDecisions):
    @override
    async def _decide_late(
        self, ticket: TicketId, work: Callable[[sa.Connection, Changes], T], *, unread: Work[T] | None = None
    ) -> T | Ending:
        return await self._decide(ticket, lambda connection: work(connection, Changes()))


async def _left(
    database: Database, decisions: TicketDecisions, steps: Sequence[Step], policy: Policy, arrive: Arrive
) -> tuple[list[Any], dict[str, list[Any]]]:
    """Let each person scan; return what was returned, and all rows without ids."""
    await empty_tables(database)
    await decisions.close(cancelled("cancelled"))
    returned = list[Any]()
    for ticket, user, openid in steps:
        given = {"policy": policy, "state": "s", "now": NOW}
        returned.append(await decisions.confirm_arrival(claim(ticket, user), arrive(openid), **given))
        returned.append(await decisions.confirm(claim(f"{ticket} again", user), openid, **given))
    return returned, {
        table.name: await database.read(lambda it, table=table: _rows(it, table)) for table in STORED
    }


def _rows(connection: sa.Connection, table: sa.Table) -> list[Any]:
    shown = [column for column in table.c if column.name not in RANDOM]
    if "follower_id" in table.c:
        whose = sa.select(followers.c.openid).where(followers.c.id == table.c.follower_id)
        shown.append(whose.scalar_subquery().label("whose"))
    return sorted(map(repr, connection.execute(sa.select(*shown)).all()))


def _decisions(kind: type[TicketDecisions], database: Database, identities: Identities) -> TicketDecisions:
    heard = [Subscription(target, frozenset(WebhookEvent)) for target in ("first", "second")]
    told = replace(identities, outbox=Outbox(identities.cipher, {"shop": heard}), open_platforms={"main": ""})
    return kind(database, told, Followers(database, told), Endings(database, told))


@pytest.mark.parametrize("arrival", ARRIVALS)
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_late_rows_are_those_of_the_plain_way(
    database: Database, identities: Identities, situation: str, arrival: str
) -> None:
    steps, policy = SITUATIONS[situation]
    late, plain = [
        await _left(database, _decisions(kind, database, identities), steps, policy, ARRIVALS[arrival])
        for kind in (TicketDecisions, _Plain)
    ]
    assert late == plain
