"""Servers of pictures that answer as each test says, and a DNS for their names."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from picture_files import halves, written

from service.wechat.picture_download import PictureDownload, open_picture_download

PICTURE = written(halves())
PATH = "/mmopen/secret-path/132"
OK = "HTTP/1.1 200 OK\n"
API = "https://api.weixin.qq.com"
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """A server of pictures that answers each request as its script says, and keeps the requests' heads."""

    script: Script
    base: str = ""
    asked: list[str] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    running: set["asyncio.Task[None]"] = field(default_factory=set)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.running.add(asyncio.create_task(self.answer(reader, writer)))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            async with closing(writer):
                self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
                await self.script(writer)
                await writer.drain()
        self.gone.set()


@asynccontextmanager
async def closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    server = Server(script)
    async with await asyncio.start_server(server.take, "127.0.0.1", 0) as listening:
        server.base = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
        for task in server.running:
            task.cancel()
        await asyncio.gather(*server.running, return_exceptions=True)


def saying(head: str, body: bytes = b"") -> Script:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    return script


def ok(body: bytes, *headers: str) -> Script:
    return saying("\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]), body)


async def dripping(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def endless(writer: asyncio.StreamWriter) -> None:
    """Send a body without end and without a length."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


async def silent(_writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def downloading() -> AsyncIterator[PictureDownload]:
    """Open the download, with patience for a busy machine."""
    async with open_picture_download() as pictures:
        pictures.time_limit = 30
        yield pictures


async def fetched(pictures: PictureDownload, server: Server) -> bytes | None:
    return await pictures.fetch(server.base + PATH, api_base=server.base)
