"""The stream of a ticket, as a page reads it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse
from harness import Page


@asynccontextmanager
async def stream(page: Page) -> AsyncIterator[ClientResponse]:
    address = f"{page.world.url}/v1/tickets/{page.id}/events"
    async with asyncio.timeout(60), page.world.http.get(address, headers=page.bearer) as response:
        yield response


async def block(response: ClientResponse) -> str:
    """Return the next block of the stream, '' at its end."""
    lines = []
    while line := (await response.content.readline()).decode():
        if line == "\n":
            break
        lines.append(line)
    return "".join(lines)


async def event(response: ClientResponse) -> dict[str, Any]:
    """Return the next event's fields, its data as JSON; comments are passed over."""
    while (text := await block(response)).startswith(":"):
        pass
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    return {**fields, "data": json.loads(fields["data"])}
