"""A store that fails says why and where, and prints no password: by real servers.

Red when `StoreUnavailable` carries no reason, and for the password when `_redis_said` keeps quoted arguments.
"""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis
from tls import own_certificate

from models.errors import StoreUnavailable
from service.config.database_url import database_url
from service.config.redis_url import redis_url
from service.storage import database, sqlite
from service.storage import redis as storage_redis

PASSWORD = "Xk9Vw3Jq8Zp5"


async def said_by_redis(url: str) -> str:
    async with storage_redis.connect(redis_url(url)) as client:
        with pytest.raises(StoreUnavailable) as caught, storage_redis.redis_errors():
            await client.set("key", "")
    return checked(caught.value)


async def said_by_database(url: str, data_dir: Path) -> str:
    async with database.connect(database_url(url), data_dir=data_dir) as opened:
        with pytest.raises(StoreUnavailable) as caught:
            async with opened.writing() as connection:
                await connection.execute(sa.text("CREATE TABLE unused (id INTEGER)"))
    return checked(caught.value)


def checked(error: StoreUnavailable) -> str:
    assert error.detail in ("Redis does not answer", "the database does not answer"), "callers get no more"
    assert not any(PASSWORD[start : start + 4] in str(error) for start in range(len(PASSWORD) - 3))
    assert str(error).isprintable()
    return error.reason


@pytest.fixture
def http_port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.RequestHandlerClass.log_message = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@asynccontextmanager
async def answering(
    answer: bytes, *, first: bool = False, context: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Send *answer* after the first byte of the client, or before it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not first:
            await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_redis_that_refuses_the_password(redis: Redis, redis_url: str) -> None:
    path = redis_url.removeprefix("unix://")
    said = await said_by_redis(f"unix://someone:{PASSWORD}@{path}")
    assert said == f"{path}: invalid username-password pair or user is disabled"


async def test_a_redis_that_requires_a_password() -> None:
    noauth = b"-NOAUTH HELLO must be called with the client already authenticated, otherwise ...\r\n"
    async with answering(noauth) as port:
        said = await said_by_redis(f"redis://127.0.0.1:{port}/0")
    assert said == f"127.0.0.1:{port}/0: the server requires a password"


async def test_a_redis_that_lets_the_user_do_nothing(redis: Redis, redis_url: str) -> None:
    path = redis_url.removeprefix("unix://")
    await redis.execute_command("ACL", "SETUSER", "someone", "reset", "on", f">{PASSWORD}")
    try:
        said = await said_by_redis(f"unix://someone:{PASSWORD}@{path}")
    finally:
        await redis.execute_command("ACL", "DELUSER", "someone")
    assert said.startswith(f"{path}: ")
    assert "no permissions" in said


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("127.0.0.1:1/0", "the connection is refused: nothing listens there"),
        ("nohost.invalid:6379/0", "the host is not known (Name or service not known)"),
    ],
)
async def test_a_redis_that_is_not_there(place: str, why: str) -> None:
    assert await said_by_redis(f"redis://:{PASSWORD}@{place}") == f"{place}: {why}"


async def test_sentinels_and_clusters_that_are_not_there() -> None:
    assert await said_by_redis(f"redis+sentinel://:{PASSWORD}@127.0.0.1:1/there/0") == (
        "127.0.0.1:1/there/0: no sentinel names the master"
    )
    assert await said_by_redis(f"redis+cluster://:{PASSWORD}@127.0.0.1:1") == (
        "127.0.0.1:1: the connection is refused: nothing listens there"
    )


async def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    why = "the socket or a file that the URL names: no such file"
    assert await said_by_redis(f"unix://{tmp_path}/none.sock") == f"{tmp_path}/none.sock: {why}"


async def test_a_server_of_another_protocol(http_port: int, tmp_path: Path) -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        said = await said_by_redis(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
        assert said == f"127.0.0.1:{port}/0: the server is not Redis"
        said = await said_by_database(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/d", tmp_path)
        assert said == f'127.0.0.1:{port}/d: PostgreSQL server at "127.0.0.1:{port}" rejected SSL upgrade'
        said = await said_by_redis(f"rediss://:{PASSWORD}@127.0.0.1:{port}")
        assert said == f"127.0.0.1:{port}: TLS fails: wrong version number"
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n", first=True) as port:
        said = await said_by_database(f"mysql://u:{PASSWORD}@127.0.0.1:{port}/d", tmp_path)
        assert said == f"127.0.0.1:{port}/d: the server is not MySQL"
    assert (await said_by_redis(f"redis://:{PASSWORD}@127.0.0.1:{http_port}/0")).startswith("127.0.0.1:")


async def test_a_command_that_is_quoted_with_the_password() -> None:
    """A proxy without AUTH quotes what it was sent."""
    quoting = f"-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' '{PASSWORD}'\r\n".encode()
    async with answering(quoting) as port:
        said = await said_by_redis(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
    assert said == f"127.0.0.1:{port}/0: unknown command 'HELLO'"


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    async with answering(b"", context=own_certificate(tmp_path)) as port:
        said = await said_by_redis(f"rediss://:{PASSWORD}@127.0.0.1:{port}")
    assert said == f"127.0.0.1:{port}: the TLS certificate is refused: self-signed certificate"


async def test_an_sqlite_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but long enough to be read as the head of one " * 4)
    for name, why in (("none/a", "unable to open database file"), ("text", "file is not a database")):
        assert await said_by_database(f"sqlite:///{tmp_path}/{name}", tmp_path) == f"{tmp_path}/{name}: {why}"


async def test_an_sqlite_file_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pragmas = (*sqlite._PRAGMAS, "PRAGMA max_page_count=1")
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)
    why = "database or disk is full"
    assert await said_by_database(f"sqlite:///{tmp_path}/a", tmp_path) == f"{tmp_path}/a: {why}"


@pytest.fixture
async def role(postgresql: str, tmp_path: Path) -> AsyncIterator[str]:
    """A role of PostgreSQL that needs a password; give where its server is."""
    folder = postgresql.partition("host=")[2]
    rules = Path(folder) / "pg_hba.conf"
    before = rules.read_text()

    async def execute(*statements: str) -> None:
        async with database.connect(postgresql, data_dir=tmp_path) as opened, opened.writing() as connection:
            for statement in statements:
                await connection.execute(sa.text(statement))

    rules.write_text(f"local all someone scram-sha-256\n{before}")
    await execute("CREATE ROLE someone LOGIN PASSWORD 'another'", "SELECT pg_reload_conf()")
    try:
        yield folder
    finally:
        rules.write_text(before)
        await execute("DROP ROLE someone", "SELECT pg_reload_conf()")


async def test_the_reasons_of_postgresql(role: str, tmp_path: Path) -> None:
    async def said(user: str, name: str) -> str:
        return await said_by_database(f"postgresql://{user}@/{name}?host={role}", tmp_path)

    async with asyncio.timeout(10):
        while (why := await said(f"someone:{PASSWORD}", "postgres")).endswith("does not exist"):
            await asyncio.sleep(0.05)  # until it has read its rules again
    assert why == f'{role}/postgres: password authentication failed for user "someone"'
    assert await said("postgres", "none") == f'{role}/none: database "none" does not exist'


async def test_the_reasons_of_mariadb(mariadb: str, tmp_path: Path) -> None:
    place = mariadb.partition("unix_socket=")[2]

    async def said(user: str, name: str) -> str:
        return await said_by_database(f"mariadb://{user}@localhost/{name}?unix_socket={place}", tmp_path)

    assert await said("root", "none") == "localhost/none: Unknown database 'none' (1049)"
    denied = "Access denied for user 'someone'@'localhost' (using password: YES) (1045)"
    assert await said(f"someone:{PASSWORD}", "scanbind") == f"localhost/scanbind: {denied}"


async def test_mariadb_accepts_a_password_in_utf_8(mariadb: str, tmp_path: Path) -> None:
    """Red when asyncmy encodes it, which takes Latin-1 and knows no Chinese."""
    place = mariadb.partition("unix_socket=")[2]
    async with database.connect(mariadb, data_dir=tmp_path) as opened, opened.writing() as connection:
        for statement in (
            "CREATE USER someone@localhost IDENTIFIED BY 'é密 %'",
            "GRANT ALL ON scanbind.* TO someone@localhost",
        ):
            await connection.exec_driver_sql(statement.replace("%", "%%"))
    url = database_url(f"mariadb://someone:%C3%A9%E5%AF%86%20%25@localhost/scanbind?unix_socket={place}")
    try:
        async with database.connect(url, data_dir=tmp_path) as opened:
            await opened.ping()
    finally:
        async with database.connect(mariadb, data_dir=tmp_path) as opened, opened.writing() as connection:
            await connection.execute(sa.text("DROP USER someone@localhost"))
