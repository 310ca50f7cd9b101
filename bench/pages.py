"""Pages that wait for the end of a ticket, by an event stream or by polls, each over one connection of its own."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from bench import load

_EVERY: Final = 1.0
"""Seconds between a response and the next poll."""
_END: Final = b'"confirmed"'


class Ask(Protocol):
    """Returns the request for a ticket, with *tag* as the state that the page knows."""

    def __call__(self, *, tag: str | None = None) -> bytes: ...


async def stream(port: int, ask: Ask) -> None:
    """Wait for the event of the ticket's end."""
    async with _connected(port) as (reader, writer):
        writer.write(ask())
        await reader.readuntil(_END)


async def poll(port: int, ask: Ask) -> None:
    """Poll until the ticket has ended."""
    tag, content = None, b""
    async with _connected(port) as (reader, writer):
        while _END not in content:
            writer.write(ask(tag=tag))
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 304 " not in head[: head.index(b"\r\n")]:
                content = await reader.readexactly(int(load.header(head, "Content-Length")))
                tag = load.header(head, "ETag")
            await asyncio.sleep(_EVERY)


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
