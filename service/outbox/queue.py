"""Claims events by lease and settles them, in SQL. Several processes may do so at once.

Events of one person go to a target in their order: one that is not settled holds back the later ones. A claim that
is not settled, because its process died, ends with its lease.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from models.errors import StoreUnavailable
from models.outbox import NOTICES, State
from models.tables.outbox import outbox
from service.crypto.field_encryption import FieldCipher
from service.outbox.outbox import answer_to, payload_of

LEASE: Final = timedelta(seconds=24)
"""Longer than any try takes. With the sender's poll, what a crash interrupted is tried again within 30 seconds."""

_UNREADABLE: Final = timedelta(hours=1)
"""Between two claims of an event that cannot be decrypted, until its key is configured again."""
_TOGETHER: Final = 200
"""Targets that one query asks about."""
_IT: Final = outbox.c
_EARLIER: Final = outbox.alias("earlier")
_READ: Final = (
    *(_IT.id, _IT.message, _IT.target, _IT.event, _IT.at, _IT.tries, _IT.payload, _IT.sealed_by),
    _IT.follower_id,
)
"""The columns of a Message."""
SEALED: Final = (_IT.id, _IT.message, _IT.sealed_by, _IT.payload, _IT.answer, _IT.tries, _IT.erased)
"""The columns that `reseal` needs."""
_PENDING: Final = sa.func.coalesce(_IT.state, _IT.state, type_=_IT.state.type) == State.PENDING
"""Written so that no index is used for it: SQLite would choose it, and go through all events that wait."""
_UNNAMED: Final[dict[str, Any]] = dict.fromkeys(("payload", "answer", "user_id", "follower_id", "person_id"))
"""The columns of an event whose person was erased."""


@dataclass(frozen=True, slots=True)
class Message:
    """An event to deliver to one target."""

    number: int
    id: str
    target: str
    event: str
    at: datetime
    tries: int
    """How many failed before."""
    payload: bytes = field(repr=False)
    sealed_by: str | None
    """The id of the key that encrypts it in the database."""
    follower_id: int | None = None
    """Whose event it is; None once they were erased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a try."""

    state: State
    at: datetime
    due_at: datetime | None = None
    """When to try again, if it is pending."""
    counts: bool = True
    """Whether the try counts among those of the schedule."""
    status: int | None = None
    fault: str | None = None
    answer: bytes = b""


def due_targets(connection: sa.Connection, targets: Sequence[str], *, now: datetime) -> list[str]:
    """Return those of *targets* that have events due, leased ones among them."""
    found: list[str] = []
    for at in range(0, len(targets), _TOGETHER):
        some = tuple(targets[at : at + _TOGETHER])
        due = connection.execute(_due(some), {"now": now}).one()
        found += [name for name, is_due in zip(some, due, strict=True) if is_due]
    return found


def claimable(connection: sa.Connection, target: str, *, now: datetime, limit: int) -> list[int]:
    """Return the numbers of at most *limit* events that may be tried now, those that are due longest first."""
    return list(connection.scalars(_claimable(), {"now": now, "target": target, "most": limit}))


def claim(
    connection: sa.Connection, numbers: Collection[int], *, lease: str, now: datetime, cipher: FieldCipher
) -> list[Message]:
    """Lease those of *numbers* that no other process has leased or tried meanwhile; return them, the oldest first.

    One whose payload cannot be decrypted is put off, so that it takes no room from others.
    """
    leasing, leased = _claiming()
    by: dict[str, Any] = {"numbers": list(numbers), "by": lease}
    connection.execute(leasing, by | {"now": now, "until": now + LEASE})
    found = {row.id: _read(row, cipher) for row in connection.execute(leased, by)}
    if unreadable := [number for number, message in found.items() if message is None]:
        later = {"due_at": now + _UNREADABLE, "fault": "cannot be decrypted", "lease": None, "leased_until": None}
        connection.execute(sa.update(outbox).where(_IT.id.in_(unreadable)).values(later))
    return [message for message in found.values() if message]


def settle(
    connection: sa.Connection, message: Message, settled: Settlement, *, lease: str, cipher: FieldCipher
) -> bool:
    """Store what became of a try; False if its lease ended before, and another process may have tried."""
    held, erased = _settling()
    values: dict[str, Any] = {
        "state": settled.state,
        "tries": message.tries + settled.counts,
        "lease": None,
        "leased_until": None,
        "tried_at": settled.at,
        "status": settled.status,
        "fault": settled.fault,
        "answer": cipher.seal(settled.answer, about=answer_to(message.id)) if settled.answer else None,
        "due_at": settled.due_at or settled.at,
    }
    if message.sealed_by != cipher.newest:  # the answer and the payload have one key
        values |= _sealed(cipher, message.id, message.payload, settled.answer)
    if not connection.execute(held, values | {"number": message.number, "by": lease}).rowcount:
        return False
    if settled.state is not State.PENDING:
        connection.execute(erased, _UNNAMED | {"number": message.number})
    return True


def release(connection: sa.Connection, numbers: Collection[int], *, lease: str) -> None:
    """End the lease of events: another process may try them at once."""
    held = sa.update(outbox).where(_IT.id.in_(numbers), _IT.lease == lease)
    connection.execute(held.values(lease=None, leased_until=None))


def drop_notices(connection: sa.Connection, whose: sa.ColumnElement[bool]) -> int:
    """Delete the notices among the events that *whose* selects, sent or not; return how many."""
    notices = _IT.target.startswith(NOTICES, autoescape=True)
    return connection.execute(sa.delete(outbox).where(whose, notices)).rowcount


def erase_payloads(connection: sa.Connection, whose: sa.ColumnElement[bool]) -> int:
    """Erase the payloads of the events that *whose* selects, those pending once they are settled.

    Return of how many.
    """
    known = sa.update(outbox).where(whose, _IT.erased.is_(sa.false()))
    done = connection.execute(known.where(~_PENDING).values({**_UNNAMED, "erased": True})).rowcount
    return done + connection.execute(known.where(_PENDING).values(erased=True)).rowcount


def reseal(connection: sa.Connection, row: RowMapping, cipher: FieldCipher) -> int:
    """Encrypt the payload and the answer of a row with the newest key, unless it was changed; return how many.

    Raises:
        StoreUnavailable: the row cannot be decrypted.
    """
    message, by = row[_IT.message], row[_IT.sealed_by]
    payload, answer = (
        row[column] and cipher.unseal(row[column], about=about(message), by=by)
        for column, about in ((_IT.payload, payload_of), (_IT.answer, answer_to))
    )
    same = [_IT.id == row[_IT.id], _IT.sealed_by == by, _IT.tries == row[_IT.tries], _IT.erased == row[_IT.erased]]
    values = _sealed(cipher, message, payload, answer)
    return connection.execute(sa.update(outbox).where(*same).values(values)).rowcount


def _sealed(cipher: FieldCipher, message: str, payload: bytes | None, answer: bytes | None) -> dict[str, Any]:
    return {
        "payload": cipher.seal(payload, about=payload_of(message)) if payload else None,
        "answer": cipher.seal(answer, about=answer_to(message)) if answer else None,
        "sealed_by": cipher.newest,
    }


# Statements are built once: to build one costs more than to execute it.


@cache
def _claiming() -> tuple[sa.Update, sa.Select[Any]]:
    """Return the statements that lease events, and that read those leased."""
    ours = _IT.id.in_(sa.bindparam("numbers", expanding=True))
    by, until = sa.bindparam("by", type_=_IT.lease.type), sa.bindparam("until", type_=_IT.leased_until.type)
    leasing = sa.update(outbox).where(ours, _PENDING, _IT.due_at <= _now(), _unleased(_now()))
    leased = sa.select(*_READ).where(_IT.lease == by, ours).order_by(_IT.id)
    return leasing.values(lease=by, leased_until=until), leased


@cache
def _settling() -> tuple[sa.Update, sa.Update]:
    """Return the statements that settle an event, and one whose person was erased; the parameters name columns."""
    one = sa.update(outbox).where(_IT.id == sa.bindparam("number"))
    return one.where(_IT.lease == sa.bindparam("by")), one.where(_IT.erased.is_(sa.true()))


def _now() -> "sa.BindParameter[datetime]":
    return sa.bindparam("now", type_=_IT.due_at.type)


@cache
def _due(targets: tuple[str, ...]) -> sa.Select[Any]:
    """Return a query with a column for each target. To group the events by it would read all that wait."""
    due = sa.and_(_IT.state == State.PENDING, _IT.due_at <= _now())
    columns: list[Any] = [sa.exists().where(due, _IT.target == name).label(name) for name in targets]
    return sa.select(*columns)


@cache
def _claimable() -> sa.Select[Any]:
    now = _now()
    due = sa.and_(_IT.state == State.PENDING, _IT.target == sa.bindparam("target"), _IT.due_at <= now)
    firsts = [_first(name) for name in ("follower_id", "person_id")]
    query = sa.select(_IT.id).where(
        due, _unleased(now), *(sa.func.coalesce(it, _IT.id) == _IT.id for it in firsts)
    )
    return query.order_by(_IT.due_at, _IT.id).limit(sa.bindparam("most", type_=sa.Integer()))


def _first(name: str) -> sa.ScalarSelect[int]:
    """Return the first pending event of the same follower or person; NULL if the event is of none.

    One look into an index for each event. Of NOT EXISTS, PostgreSQL makes a join that compares all events of one
    person with each other; and ordered by the id alone, it might go through all events to find one.
    """
    it = _EARLIER.c
    same = sa.and_(it.target == _IT.target, it.state.between(State.PENDING, State.PENDING), it[name] == _IT[name])
    return sa.select(it.id).where(same).order_by(it.state, it.id).limit(1).correlate(outbox).scalar_subquery()


def _unleased(now: sa.BindParameter[datetime]) -> sa.ColumnElement[bool]:
    return sa.or_(_IT.leased_until.is_(None), _IT.leased_until <= now)


def _read(row: Sequence[Any], cipher: FieldCipher) -> Message | None:
    number, id_, target, event, at, tries, sealed, by, follower = row
    if sealed is None:
        return None
    try:
        payload = cipher.unseal(sealed, about=payload_of(id_), by=by)
    except StoreUnavailable:
        return None
    return Message(number, id_, target, event, at, tries, payload, by, follower)
