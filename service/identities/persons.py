"""Joins identities with one unionid to one person (contract.md 8.5, docs/adr/0029).

A person has no row: it is a number that all its identities have, the id of the first of them. Two rules: persons
are joined and never split; a unionid counts only inside the Open Platform account that made it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.errors import StoreUnavailable
from models.tables.identities import followers
from models.tables.outbox import outbox
from service.identities.repository import Identities, Identity, hold

_ROUNDS: Final = 16

_IT: Final = followers.c
_PERSON: Final = sa.func.coalesce(_IT.person_id, _IT.id).label("person")


def join(
    connection: sa.Connection, identities: Identities, identity: Identity, *, names: Mapping[str, str | None]
) -> tuple[Identity, frozenset[int]]:
    """Join an identity, whose row the transaction locks, to the others with its unionid; store *names* with it.

    Return it with its person, and the persons that are one with it now and were not before. Does nothing else
    without a unionid, or if it was joined before.

    Raises:
        StoreUnavailable: concurrent transactions keep joining the same persons.
    """
    word = identities.open_platforms.get(identity.account, "")
    joins = word is not None and identity.unionid is not None and identity.open_platform != word
    if not joins and not names:
        return identity, frozenset()
    this = _IT.id == identity.id
    if word is None or identity.unionid is None or identity.open_platform == word:
        connection.execute(sa.update(followers).where(this).values(names))
        return identity, frozenset()
    anchors = identities.anchors(identity.unionid)
    anchored = sa.select(_IT.id).where(_IT.open_platform == word, _IT.anchor.in_(anchors)).limit(1)
    claim = {**names, "person_id": _PERSON, "open_platform": word}
    claimed = connection.scalar(anchored) is None and _claim(connection, this, claim, anchors)
    if names and not claimed:
        connection.execute(sa.update(followers).where(this).values(names))
    same = sa.and_(~this, identities.with_unionid(identity.unionid, word))
    numbers = connection.scalars(sa.select(_IT.id).where(same)).all()
    if claimed and not numbers:
        return replace(identity, person=identity.person or identity.id, open_platform=word), frozenset()
    hold(connection, numbers)
    query = sa.select(_IT.id, _PERSON, _IT.open_platform).where(_IT.id.in_([identity.id, *numbers]))
    rows = connection.execute(query).all()
    person, *others = sorted({row.person for row in rows})
    if joining := [row.id for row in rows if row.open_platform != word]:
        these = sa.update(followers).where(_IT.id.in_(joining))
        connection.execute(these.values(person_id=person, open_platform=word, anchor=None))
    if others:
        unite(connection, others, person)
    return replace(identity, person=person, open_platform=word), frozenset(others)


def _claim(
    connection: sa.Connection, this: sa.ColumnElement[bool], values: Mapping[str, Any], anchors: Sequence[str]
) -> bool:
    """Make this the row with the unionid's anchor; False, after its transaction, if another row became it."""
    try:
        with connection.begin_nested():
            for anchor in anchors:
                connection.execute(sa.update(followers).where(this).values({**values, "anchor": anchor}))
    except IntegrityError:
        return False
    return True


def unite(connection: sa.Connection, others: list[int], person: int) -> None:
    """Let all identities of *others* belong to *person*. Raises: as `join`."""
    # Of events that wait, so that theirs go on in order, and of all, so that an erasure finds them.
    events = sa.update(outbox).where(outbox.c.person_id.in_(others))
    connection.execute(events.values(person_id=person))
    theirs = sa.update(followers).where(_IT.person_id.in_(others)).values(person_id=person)
    for _ in range(_ROUNDS):
        # Again: while this waited for a row, another transaction may have joined one more identity to them.
        if not connection.execute(theirs).rowcount:
            return
    raise StoreUnavailable("the person is being changed by concurrent requests")
