"""What is known of the people who follow an account, in SQL: no more than WeChat tells, no longer than it lets.

A follower who unsubscribes is erased unless configured otherwise (wechat-protocol.md 3.3: WeChat demands it),
and what WeChat answers late about somebody erased brings nobody back.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from models.events import OpenId
from models.language import Lang
from models.tables.identities import followers
from service.identities.repository import NAMES, Identities
from service.storage.database import Database


@dataclass(frozen=True, slots=True)
class Follower:
    """One person, as one account knows them."""

    account: str
    openid: OpenId
    subscribed: bool
    unionid: str | None = None
    lang: Lang | None = None
    asked_at: datetime | None = None
    """When WeChat was last asked about them; None: since they came, never."""


@dataclass(slots=True)
class Followers:
    database: Database
    identities: Identities

    async def get(self, account: str, openid: OpenId) -> Follower | None:
        """Return what is known of a person; None if nothing is."""
        query = sa.select(*NAMES, followers.c.lang, followers.c.asked_at)
        async with self.database.read() as connection:
            rows = await connection.execute(query.where(self.identities.them(account, openid)))
            row = rows.mappings().first()
        person = self.identities.read(row) if row else None
        if row is None or person is None:
            return None
        return Follower(account, openid, person.subscribed, person.unionid, row["lang"], row["asked_at"])

    async def seen(self, account: str, openid: OpenId, *, at: datetime, followed: bool = False) -> Follower:
        """Note that a person follows, by WeChat's CreateTime *at*; return what is known of them.

        *followed* says that they did so just then; anyone who scans follows already. Writes only what is news.
        """
        known = await self.get(account, openid)
        if known and known.subscribed and not followed:
            return known
        # Whoever comes back may have changed, so WeChat is to be asked again.
        news = {"subscribed": True, "asked_at": None, "followed_at": at}
        older = sa.or_(followers.c.subscribed.is_(sa.false()), followers.c.followed_at < at)

        async def work(connection: AsyncConnection) -> None:
            if not known and await self.identities.add(connection, account, openid, **news):
                return
            # They were known, or another push of theirs was faster.
            if person := await self.identities.find(connection, account, openid, hold=True):
                this = followers.c.id == person.id
                await connection.execute(sa.update(followers).where(this, older).values(news))

        await self.database.attempt(work)
        return replace(known or Follower(account, openid, subscribed=True), subscribed=True, asked_at=None)

    async def learned(
        self,
        account: str,
        openid: OpenId,
        *,
        subscribed: bool,
        unionid: str | None,
        lang: Lang | None,
        now: datetime,
    ) -> None:
        """Keep what WeChat told of a person (wechat-protocol.md 4), if they are still known here.

        None for *unionid* or *lang* means that WeChat did not say, which takes nothing away.
        """
        news: dict[str, Any] = {"subscribed": subscribed, "asked_at": now}
        news |= self.identities.names(account, openid, unionid) if unionid else {}
        news |= {"lang": lang} if lang else {}

        async def work(connection: AsyncConnection) -> None:
            them = self.identities.them(account, openid)
            await connection.execute(sa.update(followers).where(them).values(news))

        await self.database.attempt(work)
