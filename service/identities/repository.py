"""Who is who: the one way to the columns that name people, sealed or in the clear. Elsewhere they are numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from models.events import OpenId
from models.tables.identities import followers
from service.crypto.field_encryption import BLIND, Column, FieldCipher, StoredValue

_IT: Final = followers.c
NAMES: Final = (
    *(_IT.id, _IT.account, _IT.openid, _IT.openid_sealed, _IT.unionid, _IT.unionid_sealed),
    *(_IT.sealed_by, _IT.subscribed),
)
"""What `Identities.read` needs of a row."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One person, as one account knows them: their number, and what WeChat calls them."""

    id: int
    account: str
    openid: OpenId
    unionid: str | None
    subscribed: bool


@dataclass(slots=True)
class Identities:
    """Reads and writes the names of people, with the keys that there are."""

    cipher: FieldCipher

    def them(self, account: str, openid: OpenId) -> sa.ColumnElement[bool]:
        """Return the condition that finds a person, whichever key their row is sealed with."""
        return sa.and_(_IT.account == account, self.with_openid(openid))

    def with_openid(self, openid: OpenId) -> sa.ColumnElement[bool]:
        """Return the condition that finds a person of any account: openids are unlike in all of them."""
        return _among(_IT.openid, self.cipher.forms(openid, Column.OPENID))

    def with_unionid(self, unionid: str) -> sa.ColumnElement[bool]:
        """Return the condition that finds a person in every account."""
        return _among(_IT.unionid, self.cipher.forms(unionid, Column.UNIONID))

    def read(self, row: RowMapping) -> Identity | None:
        """Return whom a row with the columns `NAMES` is about; None if it joined nobody.

        Raises:
            StoreUnavailable: the row is sealed, and not by the keys that there are.
        """
        if row[_IT.id] is None:
            return None
        account, by = row[_IT.account], row[_IT.sealed_by]

        def text(column: Column) -> str:
            kept = StoredValue(row[_IT[column]], row[_IT[f"{column}_sealed"]])
            return self.cipher.open(kept, column, account=account, by=by)

        unionid = None if row[_IT.unionid] is None else text(Column.UNIONID)
        return Identity(row[_IT.id], account, OpenId(text(Column.OPENID)), unionid, row[_IT.subscribed])

    def names(self, account: str, openid: OpenId, unionid: str | None) -> dict[str, str | None]:
        """Return the columns that name a person, under the newest key. All of them: a row has one key."""
        openid_kept = self.cipher.keep(openid, Column.OPENID, account=account)
        unionid_kept = (
            self.cipher.keep(unionid, Column.UNIONID, account=account) if unionid else StoredValue("", None)
        )
        return {
            "openid": openid_kept.lookup,
            "openid_sealed": openid_kept.sealed,
            "unionid": unionid_kept.lookup or None,
            "unionid_sealed": unionid_kept.sealed,
            "sealed_by": self.cipher.newest,
        }

    async def find(
        self, connection: AsyncConnection, account: str, openid: OpenId, *, hold: bool = False
    ) -> Identity | None:
        """Return a person; None if they are not known. *hold* keeps them here until the transaction ends."""
        query = sa.select(*NAMES).where(self.them(account, openid))
        query = query.with_for_update() if hold else query
        # Twice: MariaDB and MySQL look for one form after the other, and now and then a locking read misses a row
        # that goes from a later one to an earlier one at that moment (seen: one of 4,000).
        for _ in range(2):
            if row := (await connection.execute(query)).mappings().first():
                return self.read(row)
        return None

    async def add(self, connection: AsyncConnection, account: str, openid: OpenId, **values: Any) -> bool:
        """Insert a person; False, and nothing is done, if somebody else has just done so.

        The constraint decides between those who write under the same key. While a key is being rotated some may
        still write under the older: all of them take the same blind form first, so that one waits for the other,
        and only then look whether the person stands under another form.
        """
        names = self.names(account, openid, None)
        forms = self.cipher.forms(openid, Column.OPENID)
        first = min((form for form in forms if form.startswith(BLIND)), default=openid)
        row = {"account": account, **names, "openid": first, **values}
        try:
            async with connection.begin_nested() as point:  # a refused insert must not cost the whole transaction
                await connection.execute(sa.insert(followers).values(row))
                others = sa.and_(self.them(account, openid), _IT.openid != first)
                if len(forms) > 1 and await connection.scalar(sa.select(_IT.id).where(others).limit(1)):
                    await point.rollback()
                    return False
                if first != names["openid"]:
                    this = sa.update(followers).where(_IT.account == account, _IT.openid == first)
                    await connection.execute(this.values(openid=names["openid"]))
        except IntegrityError:
            return False
        return True


def _among(column: sa.Column[str], forms: Sequence[str]) -> sa.ColumnElement[bool]:
    return column == forms[0] if len(forms) == 1 else column.in_(forms)  # the usual case is the cheaper one
