"""Repository of identities: the only access to openids and unionids in SQL. Other tables contain an id."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from models.events import OpenId
from models.tables.columns import APPID, Identifier
from models.tables.identities import followers
from models.wecom import forms_of
from service.crypto.field_encryption import BLIND, Column, FieldCipher, StoredValue
from service.outbox.outbox import Outbox
from service.storage.inserting import AppendedRows, Condition, NewId, TakenError, insert_unless_taken
from service.storage.prepared import Prepared

_IT: Final = followers.c
UNKNOWN: Final = ""
"""The appid of a row from before it was stored: that of its account, until it is known (docs/adr/0023)."""
Row = Mapping[Any, Any]
"""A row by its columns."""
NAMES: Final = (
    *(_IT.id, _IT.account, _IT.appid, _IT.openid, _IT.openid_sealed, _IT.unionid, _IT.unionid_sealed),
    *(_IT.sealed_by, _IT.subscribed, _IT.person_id, _IT.open_platform),
)
"""The columns that `Identities.read` needs."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person in one account or app: the id used in other tables, and the openid and unionid."""

    id: int
    account: str
    openid: OpenId
    unionid: str | None
    subscribed: bool
    appid: str | None = None
    """The appid that the openid belongs to; None if not known."""
    person: int | None = None
    """The person that all identities with this unionid belong to; None until the unionid was joined."""
    open_platform: str | None = None
    """Where the unionid was joined."""


@dataclass(slots=True)
class Identities:
    """Reads and writes openids and unionids, encrypted with the configured keys."""

    cipher: FieldCipher
    appids: Mapping[str, str] = field(default_factory=dict)
    """The configured appid of each account and app. Of one that is not listed, people of any appid are found."""
    open_platforms: Mapping[str, str | None] = field(default_factory=dict)
    """The Open Platform account of each account and app; None of those whose unionids join nothing."""
    outbox: Outbox = field(default_factory=lambda: Outbox(FieldCipher.of([])))
    """Where events about these identities are written; by default none hears of them."""

    def them(self, account: str, openid: OpenId) -> tuple[sa.ColumnElement[bool], dict[str, Any]]:
        """Return the condition that finds a person, with any of the keys, and its parameters.

        It does not find a person of an appid of before.
        """
        forms, appid = self.cipher.forms(openid, Column.OPENID), self.appids.get(account)
        values = {"their_account": account} | {f"their_form_{at}": form for at, form in enumerate(forms)}
        values |= {"their_appid": appid} if appid else {}
        return _them(len(forms), any_appid=appid is None), values

    def with_openid(self, openid: OpenId) -> sa.ColumnElement[bool]:
        """Return the condition that finds an openid in any account, where it is unique, or a member's userid."""
        forms = [form for one in forms_of(openid) for form in self.cipher.forms(one, Column.OPENID)]
        return _among(_IT.openid, forms)

    def with_unionid(self, unionid: str, open_platform: str) -> sa.ColumnElement[bool]:
        """Return the condition that finds all identities with a unionid inside one Open Platform account."""
        sharing = [name for name, word in self.open_platforms.items() if word == open_platform]
        inside = [_IT.account.in_(sharing), _IT.open_platform == open_platform]
        if not open_platform:
            inside.append(sa.and_(_IT.open_platform.is_(None), self.not_configured))
        return sa.and_(_among(_IT.unionid, self.cipher.forms(unionid, Column.UNIONID)), sa.or_(*inside))

    @property
    def not_configured(self) -> sa.ColumnElement[bool]:
        """The condition of followers whose account is not configured: their unionids join as without a word."""
        return _IT.account.not_in(list(self.open_platforms))

    def anchors(self, unionid: str) -> list[str]:
        """Return the lookup values of a unionid to claim, one after the other: see `add`."""
        forms = self.cipher.forms(unionid, Column.UNIONID)
        return list(dict.fromkeys([_agreed(forms, unionid), forms[0]]))

    def select(self, connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[Identity]:
        """Return the identities that *where* selects, ordered by id."""
        rows = connection.execute(sa.select(*NAMES).where(where).order_by(_IT.id)).mappings()
        return [identity for row in rows if (identity := self.read(row))]

    def persons(
        self, connection: sa.Connection, where: sa.ColumnElement[bool], *, lock: bool = False
    ) -> list[Identity]:
        """Return all identities of the persons that have one of *where*; *lock* locks them."""
        some = connection.execute(sa.select(_IT.id, _IT.person_id).where(where)).all()
        whole = sa.or_(
            _IT.id.in_([row.id for row in some]),
            _IT.person_id.in_({row.person_id for row in some if row.person_id}),
        )
        if lock:
            hold(connection, connection.scalars(sa.select(_IT.id).where(whole)).all())
        return self.select(connection, whole)

    def read(self, row: Row) -> Identity | None:
        """Decrypt a row with the columns `NAMES`; None if an outer join found no person.

        Raises:
            StoreUnavailable: none of the configured keys decrypts the row.
        """
        if row[_IT.id] is None:
            return None
        account, by = row[_IT.account], row[_IT.sealed_by]
        appid = row[_IT.appid] or self.appids.get(account)

        def text(column: Column) -> str:
            kept = StoredValue(row[_IT[column]], row[_IT[f"{column}_sealed"]])
            return self.cipher.open(kept, column, account=account, by=by)

        unionid = None if row[_IT.unionid] is None else text(Column.UNIONID)
        return Identity(
            id=row[_IT.id],
            account=account,
            openid=OpenId(text(Column.OPENID)),
            unionid=unionid,
            subscribed=row[_IT.subscribed],
            appid=appid,
            person=row[_IT.person_id],
            open_platform=row[_IT.open_platform],
        )

    def names(self, account: str, openid: OpenId, unionid: str | None) -> dict[str, str | None]:
        """Return the columns of openid and unionid, encrypted with the newest key. Write all of them."""
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

    def find(
        self, connection: sa.Connection, account: str, openid: OpenId, *, hold: bool = False
    ) -> Identity | None:
        """Return a person; None if unknown. *hold* locks the row until the transaction ends."""
        row = self.find_row(connection, account, openid, hold=hold)
        return self.read(row) if row else None

    def find_row(
        self,
        connection: sa.Connection,
        account: str,
        openid: OpenId,
        more: Sequence[sa.Column[Any]] = (),
        *,
        hold: bool = False,
    ) -> Row | None:
        """Return a person's row with the columns `NAMES` and *more*, as `find` does."""
        them, values = self.them(account, openid)
        query = _finding(them, tuple(more), hold=hold)
        # Try twice: MariaDB and MySQL search one form after the other, and a locking read can miss a row that is
        # re-encrypted from a later form to an earlier one meanwhile (observed: one of 4,000).
        for _ in range(min(2, self.cipher.forms_each)):
            if rows := query.rows(connection, values):
                return dict(zip((*NAMES, *more), rows[0], strict=True))
        return None

    def add(
        self, connection: sa.Connection, account: str, openid: OpenId, *, rows: AppendedRows, **values: Any
    ) -> int | None:
        """Insert a person and return their id; None, with nothing changed, if another transaction was first.

        With late *rows* the person may be written at the end of the transaction.

        The unique constraint decides between transactions with the same key. During a rotation some use an older
        key. So all insert the same blind form first, which makes one wait for the other, and only then check
        whether the person exists under another form.
        """
        row = self._row(account, openid, values)
        if self.cipher.forms_each == 1:
            return rows.insert_unless_taken(connection, followers, row)
        first = _agreed(self.cipher.forms(openid, Column.OPENID), openid)
        with connection.begin_nested() as point:
            number: int | None = insert_unless_taken(connection, followers, row | {"openid": first})
            them, values = self.them(account, openid)
            others = sa.select(_IT.id).where(them, _IT.openid != first).limit(1)
            if number is None or connection.scalar(others, values):
                point.rollback()
                return None
            if first != row["openid"]:
                this = sa.update(followers).where(_IT.id == number)
                connection.execute(this.values(openid=row["openid"]))
        return number

    def add_unread(self, account: str, openid: OpenId, *, rows: AppendedRows, **values: Any) -> NewId:
        """Add a person to late rows, which are not written if the person is known; return their id.

        Raises:
            TakenError: with several keys one statement cannot tell whether the person is known: see `add`.
        """
        if self.cipher.forms_each > 1:
            raise TakenError
        known = Condition(*self.them(account, openid))
        return rows.add_late(followers, self._row(account, openid, values), unless=known)

    def _row(self, account: str, openid: OpenId, values: Mapping[str, Any]) -> dict[str, Any]:
        appid = self.appids.get(account, UNKNOWN)
        return {"account": account, "appid": appid, **self.names(account, openid, None), **values}

    def rename(
        self, connection: sa.Connection, identity: Identity, account: str, openid: OpenId, **values: Any
    ) -> bool:
        """Give an identity, whose row the transaction locks, another account and openid, and other *values*.

        The appid becomes that of the account. False, with the row changed, if another identity has this openid
        under another key: the caller rolls back. As in `add`, all transactions write the same blind form first.

        Raises:
            IntegrityError: another identity has this openid.
        """
        names = self.names(account, openid, identity.unionid)
        row = {"account": account, "appid": self.appids[account], **names, "anchor": None, **values}
        this, forms = sa.update(followers).where(_IT.id == identity.id), self.cipher.forms(openid, Column.OPENID)
        if len(forms) == 1:
            connection.execute(this.values(row))
            return True
        connection.execute(this.values(row | {"openid": _agreed(forms, openid)}))
        them, theirs = self.them(account, openid)
        if connection.scalar(sa.select(_IT.id).where(them, _IT.id != identity.id).limit(1), theirs):
            return False
        connection.execute(this.values(openid=names["openid"]))
        return True


def hold(connection: sa.Connection, numbers: Iterable[int]) -> None:
    """Lock identities in the order of their ids, until the transaction ends."""
    for number in sorted(numbers):
        # One by one: for several, MariaDB may read the whole table and wait for every row that is locked.
        connection.execute(sa.select(_IT.id).where(_IT.id == number).with_for_update())


@cache
def _them(forms: int, *, any_appid: bool) -> sa.ColumnElement[bool]:
    """Return the condition of `them`, built once: to build it anew takes longer than a lookup."""
    names: list[sa.BindParameter[str]] = [sa.bindparam(f"their_form_{at}") for at in range(forms)]
    appids = [sa.literal(UNKNOWN, Identifier(APPID)), sa.bindparam("their_appid")]
    return sa.and_(
        _IT.account == sa.bindparam("their_account"),
        sa.true() if any_appid else _IT.appid.in_(appids),
        _IT.openid == names[0] if forms == 1 else _IT.openid.in_(names),
    )


@cache
def _finding(them: sa.ColumnElement[bool], more: tuple[sa.Column[Any], ...], *, hold: bool) -> Prepared:
    query = sa.select(*NAMES, *more).where(them)
    return Prepared(query.with_for_update() if hold else query)


def _agreed(forms: Sequence[str], plain: str) -> str:
    return min((form for form in forms if form.startswith(BLIND)), default=plain)


def _among(column: sa.Column[str], forms: Sequence[str]) -> sa.ColumnElement[bool]:
    return column == forms[0] if len(forms) == 1 else column.in_(forms)  # `=` is cheaper, and the usual case
