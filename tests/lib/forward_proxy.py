"""A forward proxy, as HTTPS_PROXY names one, that records what it is asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from yarl import URL


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to the proxy; `authorization` is its Proxy-Authorization."""

    method: str
    target: str
    authorization: str | None


@dataclass
class ForwardProxy:
    """Passes requests on and opens tunnels."""

    address: str = ""
    tunnels_to: URL | None = None
    """The host and port that each CONNECT is tunnelled to, instead of the requested one."""
    refuses: bytes | None = None
    """Answers every request with these bytes."""
    asked: list[Asked] = field(default_factory=list)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
            method, target, _ = line.split()
            given = dict(header.split(": ", 1) for header in headers)
            self.asked.append(Asked(method, target, given.pop("Proxy-Authorization", None)))
            if self.refuses is not None:
                writer.write(self.refuses)
            elif method == "CONNECT":
                await self._tunnel(reader, writer, self.tunnels_to or URL(f"https://{target}"))
            else:
                url = URL(target)
                passed = "".join(f"{name}: {value}\r\n" for name, value in given.items())
                # Closed after one answer, so that each request comes as a connection of its own.
                head = f"{method} {url.raw_path_qs} HTTP/1.1\r\n{passed}Connection: close\r\n\r\n"
                await _pass_on(reader, writer, url, head.encode())
        writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: URL) -> None:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _pass_on(reader, writer, to)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: URL, first: bytes = b""
) -> None:
    theirs, ours = await asyncio.open_connection(to.host, to.port)
    ours.write(first)
    async with asyncio.TaskGroup() as ways:
        ways.create_task(_copy(reader, ours))
        ways.create_task(_copy(theirs, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def forward_proxy(**about: object) -> AsyncIterator[ForwardProxy]:
    proxy = ForwardProxy(**about)  # type: ignore[arg-type]
    async with await asyncio.start_server(proxy.take, "127.0.0.1", 0) as server:
        proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy
