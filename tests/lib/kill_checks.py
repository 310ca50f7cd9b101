"""What must hold after a kill: in the database as the process left it, and in the answers of the next one."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from harness import basic
from kill_traffic import Traffic, Visit
from sqlalchemy.ext.asyncio import AsyncEngine

from models.tables.audit import audit
from models.tables.bindings import bindings, history
from models.tables.tickets import endings

Rows = list[Any]


async def check_database(engine: AsyncEngine, visits: Sequence[Visit]) -> set[str]:
    """Check each visit: what was told is there, and each ticket's effects are there once, all or none of them.

    Return the tickets that ended without being told.
    """
    async with engine.connect() as connection:  # one snapshot: a transaction in hand may still be committed
        ended, bound, changes, entries = [
            (await connection.execute(sa.select(table))).all() for table in (endings, bindings, history, audit)
        ]
    ending = {row.ticket: row for row in ended}
    assert len(ending) == len(ended)
    binding, changed, audited = _by_user(bound), _by_user(changes), defaultdict[str, Counter[str]](Counter)
    for row in entries:
        audited[row.ticket][row.event] += 1
    people = Counter((row.client, row.account, row.follower_id) for row in bound)
    assert set(people.values()) <= {1}, "a person is bound to two users"
    binders = {visit.user: visit for visit in visits if visit.expected != "login"}
    for visit in visits:
        row, events = ending.get(visit.ticket), audited[visit.ticket]
        _check_ending(visit, row, events)
        if visit is binders[visit.user]:
            _check_binding(visit, row, binding[visit.site, visit.user], changed[visit.site, visit.user])
    return {visit.ticket for visit in visits if visit.told is None and visit.ticket in ending}


def _by_user(rows: Iterable[Any]) -> defaultdict[tuple[str, str], Rows]:
    found = defaultdict[tuple[str, str], Rows](list)
    for row in rows:
        found[row.client, row.user_id].append(row)
    return found


def _check_ending(visit: Visit, row: Any, events: Counter[str]) -> None:
    assert row or visit.told is None, f"{visit}: lost, though it was acknowledged"
    assert events["answered"] == bool(row), f"{visit}: {events} and the ending {row}"
    if row:
        assert (row.outcome or row.reason) == visit.expected, f"{visit}: {row}"
    used = bool(row and row.code_used_at)
    assert events["exchanged"] == used, f"{visit}: {events} and the ending {row}"
    assert used >= visit.exchanged, f"{visit}: the exchanged code is unused again"
    assert used <= (visit.exchanged or visit.exchange_unsure), f"{visit}: nothing has used the code"


def _check_binding(visit: Visit, row: Any, bound: Rows, changes: Rows) -> None:
    """Compare the binding and its history with the ending or the registration that made it."""
    if visit.expected == "register":
        due = bool(row and row.registered_to)
        assert due >= visit.registered, f"{visit}: the registration is lost"
        assert due <= (visit.registered or visit.registration_unsure), f"{visit}: nothing has registered it"
    else:
        due = bool(row) and visit.expected == "bound"
    assert len(bound) == due, f"{visit}: the ending {row}, but the bindings {bound}"
    assert [change.change for change in changes] == ["bound"] * due, f"{visit}: {row}, but the history {changes}"
    assert all(one.follower_id == row.follower_id for one in (*bound, *changes)), f"{visit}: another person"


async def check_answers(traffic: Traffic, visits: Iterable[Visit]) -> None:
    """Ask the service about visits of the last minutes."""
    await asyncio.gather(*(_check_answers(traffic, visit) for visit in visits if visit.told))


async def _check_answers(traffic: Traffic, visit: Visit) -> None:
    exchanged = visit.exchanged  # the status may be older than an exchange that ends meanwhile
    status = await traffic.status(visit)
    expected = "rejected" if visit.told == "declined" else "confirmed"
    assert (status["status"], status["outcome"] or status["reason"]) == (expected, visit.told), (
        f"{visit}: {status}"
    )
    if exchanged:
        assert status["code"] is None, f"{visit}: the exchanged code is shown again"
        assert (await traffic.exchange(visit)).status == 400, f"{visit}: the code was exchanged twice"
    if visit.registered or visit.told in ("bound", "login"):
        path = f"/v1/bindings/{visit.user}"
        told = (await traffic.call("GET", path, headers=basic(visit.site))).told
        assert [one["openid"] for one in told["bindings"]] == [visit.contact.openid], f"{visit}: {told}"
