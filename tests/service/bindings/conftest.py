"""Bind and resolve, each call in a transaction of its own; migrate an account."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from binding_rows import NOW, Bind, Resolve, bind_in
from migrating import Begin, Migration, migrating
from redis.asyncio import Redis

from models.binding import (
    Binding,
    BindResult,
    Policy,
)
from models.events import OpenId
from models.method import Method
from service.bindings.changes import changing
from service.bindings.rules import resolve
from service.identities.followers import Followers, Sender
from service.identities.repository import Identities
from service.storage.database import Database


@pytest.fixture
def binding(database: Database, identities: Identities, followers: Followers) -> Bind:
    """Bind a user to a follower in a transaction of its own."""

    async def run(
        user_id: str, openid: str, policy: Policy | None = None, *, account: str = "main", **changes: Any
    ) -> BindResult:
        if await followers.get(account, OpenId(openid)) is None:
            await followers.seen(Sender(account, OpenId(openid), NOW))
        how = {"account": account, "policy": policy or Policy()} | changes
        result = await database.attempt(lambda it: bind_in(it, identities, openid, user_id, **how))
        assert result is not None
        return result

    return run


@pytest.fixture
def resolving(database: Database, identities: Identities) -> Resolve:
    async def run(account: str, openid: str) -> Binding | None:
        def work(connection: sa.Connection) -> Binding | None:
            person = identities.find(connection, account, OpenId(openid))
            assert person is not None
            with changing(connection, identities) as rows:
                return resolve(connection, person, rows=rows, client="shop", method=Method.SCAN, now=NOW)

        return await database.attempt(work)

    return run


@pytest.fixture
def begin(database: Database, url: str, redis_url: str, redis: Redis, tmp_path: Path) -> Begin:
    return partial(migrating, database, url, redis_url, tmp_path)


@pytest.fixture(params=["main", "second"], ids=["same name", "new name"])
async def moving(request: pytest.FixtureRequest, begin: Begin) -> AsyncIterator[Migration]:
    async with begin() as one:
        one.account = request.param
        yield one
