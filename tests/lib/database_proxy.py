"""A TCP proxy before a database server's Unix socket that breaks connections around a commit."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import sqlalchemy as sa

from service.concurrency.tasks import cancel_and_wait

_COMMIT: Final = re.compile(rb"COMMIT(;|$)")  # as asyncpg and asyncmy send it
_BEGIN: Final = re.compile(rb"BEGIN( |;)")  # as asyncpg sends it
_EXECUTE: Final = re.compile(rb"E\0\0\0\x09\0")
"""PostgreSQL's message that runs a prepared statement. Outside of a transaction it also commits that."""
_ASKED_FOR: Final = re.compile(
    rb"UPDATE (counter|endings|portal_sessions)|DELETE FROM bindings"
    rb"|INSERT INTO (bind_requests|endings|portal_sessions)"
)
"""What is written in the background, or on connecting, is committed undisturbed."""
_PIECE: Final = 64 * 1024


class Cut(Enum):
    """Where the connection breaks."""

    BEFORE = auto()
    """The server never hears of the commit."""
    AFTER = auto()
    """The server has committed and answered; the answer is lost."""


@dataclass
class DatabaseProxy:
    """Cuts the connections of the next commits as `cuts` says; `done` counts them."""

    url: str
    _path: str
    cuts: list[Cut] = field(default_factory=list)
    done: int = 0
    connections: "set[asyncio.Task[None]]" = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self.connections.add(task)
        task.add_done_callback(self.connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_unix_connection(self._path)
        except OSError:
            writer.transport.abort()
            return
        answers = asyncio.create_task(_pass(server, writer))
        wrote = begun = prepared = False
        try:
            while piece := await reader.read(_PIECE):
                asks, commits = bool(_ASKED_FOR.search(piece)), bool(_COMMIT.search(piece))
                wrote, prepared = wrote or asks, prepared or asks
                begun = (begun or bool(_BEGIN.search(piece))) and not commits
                if prepared and _EXECUTE.search(piece):
                    prepared, commits = False, not begun
                cut = self.cuts.pop(0) if wrote and commits and self.cuts else None
                if cut:
                    self.done += 1
                    await cancel_and_wait(answers)
                if cut is not Cut.BEFORE:
                    to_server.write(piece)
                    await to_server.drain()
                if cut is Cut.AFTER:
                    await server.read(_PIECE)
                if cut:
                    break
        except OSError:
            pass  # either side has gone
        finally:
            writer.transport.abort()
            to_server.transport.abort()
            await cancel_and_wait(answers)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def database_proxy(url: str) -> AsyncIterator[DatabaseProxy]:
    """Run a proxy before the database at *url*, whose server listens on a Unix socket."""
    address = sa.make_url(url)
    query = dict(address.query)
    path = str(query.pop("unix_socket", "")) or f"{query.pop('host')}/.s.PGSQL.5432"
    proxy = DatabaseProxy("", path)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    proxy.url = address.set(host=host, port=port, query=query).render_as_string(hide_password=False)
    async with server:
        yield proxy
    await cancel_and_wait(*proxy.connections)
