"""A commit whose answer was lost is looked up before the request is answered."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import ClientResponse
from database_proxy import Cut, DatabaseProxy, database_proxy
from harness import World

from models.tables.columns import metadata
from service.app_keys import AUDIT
from service.storage.database import Database, connect


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> str:
    """The address of a server; SQLite has no answer that could be lost."""
    address: str = request.getfixturevalue(request.param)
    return address


@pytest.fixture
async def proxy(server: str) -> AsyncIterator[DatabaseProxy]:
    async with database_proxy(server) as running:
        yield running


@pytest.fixture
async def database(proxy: DatabaseProxy, tmp_path: Path) -> AsyncIterator[Database]:
    async with connect(proxy.url, data_dir=tmp_path) as opened:
        await opened.upgrade()
        async with opened.writing() as connection:
            for table in metadata.sorted_tables:
                await connection.execute(sa.delete(table))
            await connection.execute(sa.text("DROP TABLE IF EXISTS counter"))
        async with opened.writing() as connection:
            await connection.execute(sa.text("CREATE TABLE counter (n INTEGER)"))
            await connection.execute(sa.text("INSERT INTO counter VALUES (0)"))
        try:
            yield opened
        finally:
            async with opened.writing() as connection:
                await connection.execute(sa.text("DROP TABLE counter"))


def count_one(connection: sa.Connection) -> int:
    connection.execute(sa.text("UPDATE counter SET n = n + 1"))
    return int(connection.execute(sa.text("SELECT n FROM counter")).scalar_one())


@pytest.mark.parametrize(
    "cuts", [[Cut.AFTER], [Cut.BEFORE], [Cut.BEFORE, Cut.BEFORE, Cut.AFTER]], ids=["after", "before", "thrice"]
)
async def test_work_is_done_once_when_an_answer_around_its_commit_is_lost(
    database: Database, proxy: DatabaseProxy, cuts: list[Cut]
) -> None:
    """Red when `once` leaves no mark (2 for 1), and when `_Retries` never has an unsettled commit (no answer)."""
    proxy.cuts = list(cuts)
    assert await database.once(count_one) == 1
    assert proxy.done == len(cuts)
    async with database.reading() as connection:
        assert await connection.scalar(sa.text("SELECT n FROM counter")) == 1


Call = Callable[[World], Awaitable[ClientResponse]]


async def _code(world: World) -> str:
    page = await world.login()
    await world.scan(world.people[0] if world.people else await world.person(), page)
    return str((await page.until("confirmed"))["code"])


async def _exchange(world: World) -> Call:
    await world.bound("42")
    code = await _code(world)
    return lambda world: world.exchange(code)


async def _register(world: World) -> Call:
    told = await (await world.exchange(await _code(world))).json()
    body = {"user_id": "42", "registration": told["registration"]}
    return lambda world: world.site("POST", "/v1/bindings", body)


async def _disconnect(world: World) -> Call:
    await world.bound("42")
    return lambda world: world.site("DELETE", "/v1/bindings/42")


async def _cancel(world: World) -> Call:
    page = await world.login()
    return lambda _: page.raw("DELETE")


async def _start_bind(_: World) -> Call:
    return lambda world: world.site("POST", "/v1/tickets", {"purpose": "bind", "user_id": "42"})


async def _start_portal(_: World) -> Call:
    return lambda world: world.site("POST", "/v1/portal-sessions", {"user_id": "42"})


async def _open_portal(world: World) -> Call:
    token = (await (await (await _start_portal(world))(world)).json())["token"]
    headers = {"Authorization": f"Bearer {token}"}
    session = token.partition(".")[0]
    return lambda world: world.call("POST", f"/v1/portal-sessions/{session}/open", headers=headers)


@pytest.mark.parametrize("cut", [Cut.AFTER, Cut.BEFORE], ids=["after", "before"])
@pytest.mark.parametrize(
    ("prepare", "status"),
    [
        (_exchange, 200),
        (_register, 201),
        (_disconnect, 204),
        (_cancel, 204),
        (_start_bind, 201),
        (_start_portal, 201),
        (_open_portal, 200),
    ],
    ids=lambda it: it.__name__.strip("_") if callable(it) else str(it),
)
@pytest.mark.usefixtures("database")
async def test_a_call_is_answered_as_if_nothing_had_been_lost(
    proxy: DatabaseProxy, make: Any, prepare: Any, status: int, cut: Cut
) -> None:
    """Red for all when no commit is unsettled, and for each but `cancel` and `start_bind` when `attempt` runs it.

    Their rows have the ticket as their key: `start_bind` is red with a plain insert.
    """
    world: World = await make(database_url=proxy.url)
    call: Call = await prepare(world)
    await world.app[AUDIT].flush()
    proxy.cuts = [cut]
    answer = await call(world)
    assert (answer.status, proxy.done) == (status, 1)


@pytest.mark.parametrize("cut", [Cut.AFTER, Cut.BEFORE], ids=["after", "before"])
@pytest.mark.usefixtures("database")
async def test_a_scan_binds_when_an_answer_around_its_commit_is_lost(
    proxy: DatabaseProxy, make: Any, cut: Cut
) -> None:
    world: World = await make(database_url=proxy.url)
    person, page = await world.person(), await world.bind("42")
    await world.app[AUDIT].flush()
    proxy.cuts = [cut]
    assert "now bound" in (await world.scan(person, page) or "")
    assert proxy.done == 1
    assert (await page.poll())["outcome"] == "bound"
