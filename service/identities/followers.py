"""Repository of followers, in SQL. Contains only what WeChat returns about them.

A follower who unsubscribes is erased unless configured otherwise (wechat-protocol.md 3.3: WeChat demands it).
A late answer of WeChat about an erased follower does not add them again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from models.events import OpenId
from models.language import Lang
from models.tables.identities import followers
from service.identities.repository import NAMES, Identities
from service.storage.database import Database


@dataclass(frozen=True, slots=True)
class Follower:
    """A follower of one account."""

    account: str
    openid: OpenId
    subscribed: bool
    unionid: str | None = None
    lang: Lang | None = None
    asked_at: datetime | None = None
    """When their data was last fetched; None if never since they subscribed."""
    appid: str | None = None
    """The appid that the openid belongs to; None if not known."""


@dataclass(slots=True)
class Followers:
    database: Database
    identities: Identities

    async def get(self, account: str, openid: OpenId) -> Follower | None:
        """Return a follower; None if unknown."""
        query = sa.select(*NAMES, followers.c.lang, followers.c.asked_at)
        async with self.database.read() as connection:
            rows = await connection.execute(query.where(self.identities.them(account, openid)))
            row = rows.mappings().first()
        person = self.identities.read(row) if row else None
        if row is None or person is None:
            return None
        return Follower(
            account, openid, person.subscribed, person.unionid, row["lang"], row["asked_at"], person.appid
        )

    async def seen(self, account: str, openid: OpenId, *, at: datetime, followed: bool = False) -> Follower:
        """Store that a person follows the account, as of WeChat's CreateTime *at*; return the follower.

        *followed*: they subscribed at that moment, not earlier. Writes only if something changed.
        """
        known = await self.get(account, openid)
        if known and known.subscribed and not followed:
            return known
        # Fetch their data again: it may have changed while they were not subscribed.
        news = {"subscribed": True, "asked_at": None, "followed_at": at}
        older = sa.or_(followers.c.subscribed.is_(sa.false()), followers.c.followed_at < at)

        def work(connection: sa.Connection) -> None:
            if not known and self.identities.add(connection, account, openid, **news):
                return
            # Known already, or just added by another push.
            if person := self.identities.find(connection, account, openid, hold=True):
                this = followers.c.id == person.id
                connection.execute(sa.update(followers).where(this, older).values(news))

        await self.database.attempt(work)
        return replace(known or Follower(account, openid, subscribed=True), subscribed=True, asked_at=None)

    async def learned(
        self, account: str, openid: OpenId, *, unionid: str | None, lang: Lang | None, asked_at: datetime | None
    ) -> None:
        """Update a follower with WeChat's data (wechat-protocol.md 4); does nothing if they were erased.

        None keeps the stored value: WeChat returned none or, of *asked_at*, is to be asked again. Whether they
        follow the account is not updated: signed pushes report that, and `user/info` lags behind them.
        """
        news: dict[str, Any] = {"asked_at": asked_at} if asked_at else {}
        news |= self.identities.names(account, openid, unionid) if unionid else {}
        news |= {"lang": lang} if lang else {}
        if not news:
            return

        def work(connection: sa.Connection) -> None:
            them = self.identities.them(account, openid)
            connection.execute(sa.update(followers).where(them).values(news))

        await self.database.attempt(work)

    async def gone(self, account: str, openid: OpenId, *, since: datetime) -> None:
        """Store that a person does not follow the account, whose unsubscribe was missed.

        Does nothing if they subscribed after *since*.
        """
        earlier = sa.and_(self.identities.them(account, openid), followers.c.followed_at <= since)

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.update(followers).where(earlier).values(subscribed=False))

        await self.database.attempt(work)
