"""Joins followers whose unionid was stored before persons were, or under another Open Platform account."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from models.errors import StoreUnavailable
from models.tables.identities import followers as table
from service.crypto.field_encryption import Column
from service.identities.followers import Followers
from service.identities.persons import PERSON
from service.identities.repository import NAMES, Identities, Identity, hold

_BATCH: Final = 50  # rows per transaction

_IT: Final = table.c
_CLAIM: Final = (
    sa.update(table)
    .where(_IT.id == sa.bindparam("this"))
    .values(person_id=PERSON, anchor=sa.bindparam("held", type_=_IT.anchor.type))
)


async def join_all(followers: Followers, account: str, open_platform: str) -> int:
    """Join all followers of an account whose unionid was not joined there; return how many.

    Leaves half of the time to other writers. A row that none of the keys decrypts is left out.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    clock, joined, last = asyncio.get_running_loop().time, 0, 0
    elsewhere = sa.or_(_IT.open_platform.is_(None), _IT.open_platform != open_platform)
    apart = sa.and_(_IT.account == account, _IT.unionid.is_not(None), elsewhere)
    while True:
        query = sa.select(_IT.id).where(apart, _IT.id > last).order_by(_IT.id).limit(_BATCH)
        ids = await followers.database.read(partial(_ids, query=query))
        if not ids:
            return joined
        began, last = clock(), ids[-1]
        joined += await followers.database.attempt(
            partial(_join, followers=followers, ids=ids, open_platform=open_platform)
        )
        await asyncio.sleep(clock() - began)


def _ids(connection: sa.Connection, *, query: sa.Select[Any]) -> Sequence[int]:
    return connection.scalars(query).all()


def _join(connection: sa.Connection, *, followers: Followers, ids: Sequence[int], open_platform: str) -> int:
    hold(connection, ids)
    found = list[Identity]()
    for row in connection.execute(sa.select(*NAMES).where(_IT.id.in_(ids)).order_by(_IT.id)).mappings():
        with suppress(StoreUnavailable):
            found += filter(None, [followers.identities.read(row)])
    apart = {it.id: it.unionid for it in found if it.unionid and it.open_platform != open_platform}
    joined = _join_alone(connection, followers.identities, apart, open_platform)
    for identity in found:
        if identity.id not in joined:
            followers.join(connection, identity)
    return len(found)


def _join_alone(
    connection: sa.Connection, identities: Identities, apart: Mapping[int, str], open_platform: str
) -> set[int]:
    """Make each identity a person of its own that no other shares the unionid with; return which.

    Five statements for all. `Followers.join` executes eight for each.
    """
    alone = _alone(connection, identities, apart, open_platform)
    claims = [{"this": number, "held": identities.anchor(apart[number])} for number in alone]
    try:
        with connection.begin_nested():
            if claims:
                connection.execute(_CLAIM.values(open_platform=open_platform), claims)
    except IntegrityError:
        return set()
    # Again: another identity that was stored meanwhile may have looked for others before this claim.
    return _alone(connection, identities, {number: apart[number] for number in alone}, open_platform)


def _alone(
    connection: sa.Connection, identities: Identities, apart: Mapping[int, str], open_platform: str
) -> set[int]:
    forms = {form: it for it in apart.values() for form in identities.cipher.forms(it, Column.UNIONID)}
    same = identities.with_unionid(*apart.values(), open_platform=open_platform)
    count = Counter(forms[it] for it in connection.scalars(sa.select(_IT.unionid).where(same)))
    return {number for number, unionid in apart.items() if count[unionid] == 1}
