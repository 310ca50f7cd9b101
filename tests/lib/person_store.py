"""The operations of person_model.py, performed by the service on a database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Self

import sqlalchemy as sa
from decided import claim
from migrated import empty_tables, put_migrated
from person_model import Identity

from models.binding import ChangeSource, Conflict, Policy, UserId
from models.events import OpenId
from models.method import Method
from models.tables.columns import metadata
from models.ticket import Ending
from service.bindings import conflicts
from service.bindings.repository import Bindings
from service.bindings.rows import Changes, select_rows
from service.bindings.rules import resolve
from service.crypto.field_encryption import FieldCipher
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.privacy.erasure import FollowerErasure, forget_person
from service.privacy.export import persons
from service.storage.database import Database, connect
from service.tickets.decisions import TicketDecisions
from service.tickets.endings import Endings

_BEGIN: Final = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(slots=True)
class Store:
    """A database that is used as the service uses it. The caller turns the clock."""

    database: Database
    followers: Followers
    decisions: TicketDecisions
    now: datetime = _BEGIN
    tickets: int = 0

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, folder: Path, platforms: dict[str, str | None]) -> AsyncIterator[Self]:
        if url.startswith("sqlite"):
            put_migrated(Path(url.partition("///")[2]))
        async with connect(url, data_dir=folder, patient=True) as database:
            identities = Identities(FieldCipher.of(()), open_platforms=platforms)
            followers = Followers(database, identities)
            decisions = TicketDecisions(database, identities, followers, Endings(database, identities))
            store = cls(await empty_tables(database), followers, decisions)
            followers.on_joined = partial(conflicts.report, clock=lambda: store.now)
            yield store

    async def empty(self) -> None:
        def work(connection: sa.Connection) -> None:
            for table in metadata.sorted_tables:
                connection.execute(sa.delete(table))

        await self.database.once(work)

    # -- what the model does, too -------------------------------------------------------------------------------

    async def follow(self, identity: Identity) -> None:
        await self.followers.seen(self._sender(identity))

    async def learn(self, identity: Identity, unionid: str) -> None:
        account, openid = identity.account, OpenId(identity.openid)
        await self.followers.learned(account, openid, unionid=unionid, lang=None, asked_at=self.now)

    async def unfollow(self, identity: Identity) -> None:
        erasure = FollowerErasure(self.database, self.followers.identities)
        account, openid = identity.account, OpenId(identity.openid)
        await erasure.unfollowed(account, openid, at=self.now, erase=True, now=self.now)

    async def erase(self, identity: Identity) -> None:
        """Erase a person as `scanbind privacy erase --openid` does."""
        mine, how = self.followers.identities, {"source": ChangeSource.PRIVACY, "now": self.now}

        def work(connection: sa.Connection) -> None:
            whole = persons(connection, mine, openid=OpenId(identity.openid), account=None, user=None)
            for account, openid in sorted((it.account, it.openid) for it in whole):
                forget_person(connection, mine, account, openid, **how)

        await self.database.once(work)

    async def log_in(self, client: str, identity: Identity) -> str | None:
        return (await self._confirm(client, None, identity, Policy())).user_id

    async def bind(self, client: str, user: str, identity: Identity, *, replace: bool, move: bool) -> str:
        policy = Policy(rebind_replaces=replace, takeover_moves=move)
        ending = await self._confirm(client, user, identity, policy)
        return str(ending.reason or ending.outcome)

    async def sign_up(self, client: str, user: str, identity: Identity, *, replace: bool) -> str:
        ending = await self._confirm(client, None, identity, Policy())
        if ending.user_id is not None:
            return ending.user_id
        await self.decisions.redeem(ending.ticket, answered_after=_BEGIN - timedelta(1), now=self.now)
        how: dict[str, Any] = {"client": client, "user_id": UserId(user), "method": Method.SCAN, "now": self.now}
        result = await self.decisions.register(ending.ticket, policy=Policy(rebind_replaces=replace), **how)
        return str(result.reason) if isinstance(result, Conflict) else "bound"

    async def disconnect(self, client: str, user: str, account: str | None) -> int:
        bindings = Bindings(self.database, self.followers.identities)
        return await bindings.disconnect(client, UserId(user), account=account, now=self.now)

    async def _confirm(self, client: str, user: str | None, identity: Identity, policy: Policy) -> Ending:
        self.tickets += 1
        wanted = claim(f"t{self.tickets}", user, client=client, account=identity.account)
        how: dict[str, Any] = {"policy": policy, "state": None, "now": self.now}
        return (await self.decisions.confirm_arrival(wanted, self._sender(identity), **how))[0]

    def _sender(self, identity: Identity) -> Sender:
        return Sender(identity.account, OpenId(identity.openid), self.now)

    async def answers(self, client: str) -> dict[Identity, str | None]:
        """Return the user that each identity would be logged in to, without doing so."""
        mine = self.followers.identities

        def work(connection: sa.Connection) -> dict[Identity, str | None]:
            told: dict[Identity, str | None] = {}
            for it in mine.select(connection, sa.true()):
                point = connection.begin_nested()
                found = resolve(connection, it, rows=Changes(), client=client, method=Method.SCAN, now=self.now)
                told[Identity(it.account, it.openid)] = found and found.user_id
                point.rollback()
            return told

        return await self.database.attempt(work)

    # -- what can be seen of it ---------------------------------------------------------------------------------

    async def state(self) -> dict[str, Any]:
        """Return what is stored, in the form of the model's state."""
        return await self.database.read(self._state)

    def _state(self, connection: sa.Connection) -> dict[str, Any]:
        mine = self.followers.identities
        known = {it.id: it for it in mine.select(connection, sa.true())}
        named = {number: Identity(it.account, it.openid) for number, it in known.items()}
        joined = {it.person for it in known.values() if it.person}
        rows = sorted(select_rows(connection, sa.true()), key=lambda row: row.client)
        found = conflicts.find(connection, mine)
        primary = [(row.client, row.person) for row in rows if row.primary_of == row.person is not None]
        assert len(primary) == len(set(primary)), "a person has two primary bindings at a client"
        return {
            "unionids": {named[number]: it.unionid for number, it in known.items()},
            "persons": {frozenset(named[it.id] for it in known.values() if it.person == one) for one in joined},
            "bindings": {
                client: [(named[row.follower_id], row.user_id) for row in its]
                for client, its in groupby(rows, lambda row: row.client)
            },
            "conflicts": {
                (one.client, frozenset((Identity(it.account, it.openid), it.user_id) for it in one.bindings))
                for one in found
            },
        }
