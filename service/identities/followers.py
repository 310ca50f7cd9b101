"""Repository of followers, and of others who signed in, in SQL. Contains only what WeChat returns about them.

A follower who unsubscribes is erased unless configured otherwise (wechat-protocol.md 3.3: WeChat demands it).
A late answer of WeChat about an erased follower does not add them again.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final, Self

import sqlalchemy as sa

from models.errors import StoreUnavailable
from models.events import OpenId, Scan, Subscribed, TextMessage
from models.language import Lang
from models.tables.identities import NEVER, followers
from service.identities import persons
from service.identities.repository import Identities, Identity
from service.storage.database import Database
from service.storage.inserting import AppendedRows

_ABOUT: Final = (followers.c.lang, followers.c.asked_at)
_ROUNDS: Final = 4
"""A round fails only if another transaction added or erased the same person in between."""


@dataclass(frozen=True, slots=True)
class Follower:
    """A person in one account or app, who follows it if `subscribed`."""

    account: str
    openid: OpenId
    subscribed: bool
    unionid: str | None = None
    lang: Lang | None = None
    asked_at: datetime | None = None
    """When their data was last fetched; None if never since they subscribed."""
    appid: str | None = None
    """The appid that the openid belongs to; None if not known."""


Joined = Callable[[sa.Connection, Identities, int], None]
"""Called in the transaction that made one person of several, with that person."""
Follow = Callable[[sa.Connection, Identities, Identity, datetime], None]
"""Called in the transaction in which a known identity began to follow an account again, or ceased to; and when."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a push, who follows the account at that moment, WeChat's CreateTime."""

    account: str
    openid: OpenId
    at: datetime
    followed: bool = False
    """They subscribed at that moment, not earlier."""

    @classmethod
    def of(cls, account: str, push: Scan | Subscribed | TextMessage) -> Self:
        followed = isinstance(push, Subscribed) or (isinstance(push, Scan) and push.followed)
        return cls(account, push.openid, datetime.fromtimestamp(push.created, UTC), followed)

    @property
    def created(self) -> int:
        """CreateTime, in whole seconds since 1970."""
        return int(self.at.timestamp())


@dataclass(frozen=True, slots=True)
class Authorized:
    """A person whom a web authorization named (docs/wechat-protocol.md 5, 6). Says nothing about following."""

    account: str
    """The name of an account or app."""
    openid: OpenId
    unionid: str | None
    """None: WeChat did not say."""


Arrival = Sender | Authorized
"""A person who signs in, as WeChat named them."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What WeChat returned about a person, beside the unionid (docs/wechat-protocol.md 4).

    None keeps the stored value: WeChat returned none or, of `asked_at`, is to be asked again.
    """

    account: str
    openid: OpenId
    lang: Lang | None
    asked_at: datetime | None


@dataclass(slots=True)
class Followers:
    database: Database
    identities: Identities
    on_joined: Joined = lambda *_: None
    on_follow: Follow = lambda *_: None

    async def get(self, account: str, openid: OpenId) -> Follower | None:
        """Return a follower; None if unknown."""
        found = await self.database.read(lambda connection: self._find(connection, account, openid))
        return found[1] if found else None

    async def seen(self, arrival: Arrival) -> Follower:
        """Store a person as `store` does, and return them. Writes only if something changed."""
        known = await self.get(arrival.account, arrival.openid)
        if known and _tells_nothing_new(arrival, known):
            return known
        return (await self.database.attempt(lambda it: self.store(it, arrival, AppendedRows())))[1]

    def store(self, connection: sa.Connection, arrival: Arrival, rows: AppendedRows) -> tuple[Identity, Follower]:
        """Store a person within the caller's transaction, and lock their row.

        The sender of a push follows the account. A web authorization says nothing about that, but may tell a
        unionid, which is joined. A new person without one is written with late *rows*.

        Raises:
            StoreUnavailable: concurrent transactions add and erase this person, or join the same persons.
        """
        if isinstance(arrival, Sender) or not arrival.unionid:
            return self._stored(connection, arrival, rows)
        person, follower = self._stored(connection, arrival, AppendedRows())
        person = self._learn(connection, person, arrival.unionid)
        return person, replace(follower, unionid=arrival.unionid)

    def add_unread(self, arrival: Arrival, rows: AppendedRows) -> tuple[Identity, Follower]:
        """Add a person to late rows, without reading whether they are known: then the rows are not written.

        Raises:
            TakenError: as `Identities.add_unread`.
        """
        number = self.identities.add_unread(arrival.account, arrival.openid, rows=rows, **_news(arrival))
        return self._new(number, arrival)

    def _stored(
        self, connection: sa.Connection, arrival: Arrival, rows: AppendedRows
    ) -> tuple[Identity, Follower]:
        account, openid, follows = arrival.account, arrival.openid, isinstance(arrival, Sender)
        news = _news(arrival)
        at = news["followed_at"]
        for _ in range(_ROUNDS):
            if found := self._find(connection, account, openid, hold=True):
                person, follower = found
                if not follows or _tells_nothing_new(arrival, follower):
                    return found
                older = sa.or_(followers.c.subscribed.is_(sa.false()), followers.c.followed_at < at)
                connection.execute(sa.update(followers).where(followers.c.id == person.id, older).values(news))
                now = replace(person, subscribed=True)
                if not person.subscribed:
                    self.on_follow(connection, self.identities, now, at)
                return now, replace(follower, subscribed=True, asked_at=None)
            if (number := self.identities.add(connection, account, openid, rows=rows, **news)) is not None:
                return self._new(number, arrival)
        raise StoreUnavailable("the follower is being changed by concurrent requests")

    def _new(self, number: int, arrival: Arrival) -> tuple[Identity, Follower]:
        account, openid, follows = arrival.account, arrival.openid, isinstance(arrival, Sender)
        appid = self.identities.appids.get(account)
        person = Identity(number, account, openid, unionid=None, subscribed=follows, appid=appid)
        return person, Follower(account, openid, subscribed=follows, appid=appid)

    def _find(
        self, connection: sa.Connection, account: str, openid: OpenId, *, hold: bool = False
    ) -> tuple[Identity, Follower] | None:
        row = self.identities.find_row(connection, account, openid, _ABOUT, hold=hold)
        person = self.identities.read(row) if row else None
        if row is None or person is None:
            return None
        about = (row[followers.c.lang], row[followers.c.asked_at])
        return person, Follower(account, openid, person.subscribed, person.unionid, *about, person.appid)

    async def learned(
        self, account: str, openid: OpenId, *, unionid: str | None, lang: Lang | None, asked_at: datetime | None
    ) -> None:
        """Update a follower with WeChat's data, as `note` does; a unionid is joined.

        Raises:
            StoreUnavailable: the database does not answer, or concurrent transactions join the same persons.
        """
        noted = Noted(account, openid, lang, asked_at)
        if unionid:
            await self.database.attempt(partial(self._join_learned, noted=noted, unionid=unionid))
        elif lang or asked_at:
            await self.note([noted])

    async def note(self, noted: Sequence[Noted]) -> None:
        """Update followers with WeChat's data, in one statement for all.

        Changes nothing of those who were erased, or about whom a later answer is stored. Whether they follow the
        account is not updated: signed pushes report that, and `user/info` lags behind them.

        Raises:
            StoreUnavailable: the database does not answer, or a row is locked for too long; nothing was stored.
        """
        rows = defaultdict(list)
        # In one order, so that two processes which lock the same rows do not wait for each other.
        for it in sorted(noted, key=lambda it: (it.account, it.openid)):
            them, values = self.identities.them(it.account, it.openid)
            rows[them].append(values | {"new_lang": it.lang, "new_asked_at": it.asked_at})

        def work(connection: sa.Connection) -> None:
            for them, theirs in rows.items():
                connection.execute(_noting(them), theirs)

        await self.database.attempt(work, single=len(rows) == 1)

    def _join_learned(self, connection: sa.Connection, *, noted: Noted, unionid: str) -> None:
        """Store a unionid, with *noted*; if a later answer is stored, only complete that."""
        if found := self._find(connection, noted.account, noted.openid, hold=True):
            identity, follower = found
            late = noted.asked_at and follower.asked_at and noted.asked_at < follower.asked_at
            if not (late and identity.unionid):
                news = {} if late else {"lang": noted.lang, "asked_at": noted.asked_at}
                self._learn(connection, identity, unionid, {name: it for name, it in news.items() if it})

    def _learn(
        self,
        connection: sa.Connection,
        identity: Identity,
        unionid: str,
        news: Mapping[str, Any] = MappingProxyType({}),
    ) -> Identity:
        """Store the unionid of an identity, whose row the transaction locks, with *news*; return it joined."""
        names = dict(news)
        if unionid != identity.unionid:
            names |= self.identities.names(identity.account, identity.openid, unionid)
            names |= {"open_platform": None, "anchor": None}
            identity = replace(identity, unionid=unionid, open_platform=None)
        return self.join(connection, identity, names=names)

    def join(
        self, connection: sa.Connection, identity: Identity, *, names: Mapping[str, Any] = MappingProxyType({})
    ) -> Identity:
        """Return the identity with its person, within the caller's transaction, which locks its row.

        *names* are columns to store with it. Raises: as `persons.join`.
        """
        joined, others = persons.join(connection, self.identities, identity, names=names)
        if others and joined.person is not None:
            self.on_joined(connection, self.identities, joined.person)
        return joined

    async def gone(self, account: str, openid: OpenId, *, since: datetime) -> None:
        """Store that a person does not follow the account, whose unsubscribe was missed.

        Does nothing if they subscribed after *since*.
        """

        def work(connection: sa.Connection) -> None:
            if left := unfollow(connection, self.identities, account, openid, until=since):
                self.on_follow(connection, self.identities, left, since)

        await self.database.attempt(work)


def unfollow(
    connection: sa.Connection, identities: Identities, account: str, openid: OpenId, *, until: datetime
) -> Identity | None:
    """Store, within the caller's transaction, that a person does not follow the account any more; return them.

    None, with nothing changed, if they did not before, or subscribed after *until*.
    """
    person = identities.find(connection, account, openid, hold=True)
    if person is None or not person.subscribed:
        return None
    earlier = sa.and_(followers.c.id == person.id, followers.c.followed_at <= until)
    changed = connection.execute(sa.update(followers).where(earlier).values(subscribed=False)).rowcount
    return replace(person, subscribed=False) if changed else None


@cache
def _noting(them: sa.ColumnElement[bool]) -> sa.Update:
    """Return the statement of `Followers.note`, with the parameters of *them*, `new_lang` and `new_asked_at`."""
    lang, at = followers.c.lang, followers.c.asked_at
    new_lang, new_at = sa.bindparam("new_lang", type_=lang.type), sa.bindparam("new_asked_at", type_=at.type)
    values = {"lang": sa.func.coalesce(new_lang, lang), "asked_at": sa.func.coalesce(new_at, at)}
    return sa.update(followers).where(them, sa.or_(at.is_(None), at <= new_at)).values(values)


def _news(arrival: Arrival) -> dict[str, Any]:
    """Return the columns that an arrival tells of a person."""
    follows, at = (True, arrival.at) if isinstance(arrival, Sender) else (False, NEVER)
    # Fetch their data again: it may have changed while they were not subscribed.
    return {"subscribed": follows, "asked_at": None, "followed_at": at}


def _tells_nothing_new(arrival: Arrival, known: Follower) -> bool:
    if isinstance(arrival, Sender):
        return known.subscribed and not arrival.followed
    return arrival.unionid in (None, known.unionid)
