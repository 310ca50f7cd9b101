"""Finds bindings whose openids belong to an appid that their account or app no longer has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from models.tables.bindings import bindings
from models.tables.identities import followers
from service.identities.repository import UNKNOWN
from service.storage.database import Database

REMEDY: Final = (
    "if the change is a mistake, put the former appid back; after an account migration run "
    "`scanbind bindings migrate` within 15 days; else see docs/operations.md#when-an-accounts-appid-changes"
)


@dataclass(frozen=True, slots=True)
class FormerAppid:
    """An appid that an account or app had before, and how many bindings were made under it."""

    account: str
    appid: str
    now: str
    bindings: int

    def __str__(self) -> str:
        return (
            f"is {self.now} now; bindings made under {self.appid}: {self.bindings:,}. "
            f"Under another appid people have other openids, so these people cannot log in"
        )


def of_former_appids(account: str, now: str) -> sa.ColumnElement[bool]:
    """Return the condition of the followers of an account whose known appid is not *now*."""
    of = followers.c
    # Two ranges of the index, which leave out the many rows of the present appid.
    others = sa.or_(sa.and_(of.appid > UNKNOWN, of.appid < now), of.appid > now)
    return sa.and_(of.account == account, others)


async def former_appids(database: Database, appids: Mapping[str, str]) -> list[FormerAppid]:
    """Return the former appids of the configured accounts and apps that still have bindings.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    of = followers.c

    def work(connection: sa.Connection) -> list[FormerAppid]:
        found = list[FormerAppid]()
        for account, now in appids.items():
            query = (
                sa.select(of.appid, sa.func.count())
                .join_from(followers, bindings, bindings.c.follower_id == of.id)
                .where(of_former_appids(account, now))
                .group_by(of.appid)
                .order_by(of.appid)
            )
            found += [FormerAppid(account, appid, now, count) for appid, count in connection.execute(query)]
        return found

    return await database.read(work)


async def unconfigured(database: Database, accounts: Mapping[str, str]) -> dict[str, int]:
    """Return how many bindings belong to accounts and apps that are not among *accounts*.

    Raises:
        StoreUnavailable: the database does not answer.
    """
    of = bindings.c
    query = sa.select(of.account, sa.func.count()).where(of.account.not_in(list(accounts))).group_by(of.account)
    counts = await database.read(lambda connection: connection.execute(query).all())
    return {row[0]: row[1] for row in counts}
