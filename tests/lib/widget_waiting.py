"""Second servers and recorded requests for tests of a waiting widget."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness import World
from playwright.async_api import Page
from proxy import Proxy

from models.ticket import TicketId
from service import app_keys
from service.server.runner import Running, running

BIND = '<scanbind-qr purpose="bind" ticket="{ticket}" secret="{secret}"></scanbind-qr>'
LOST = "Failed to load resource"


@asynccontextmanager
async def serving(world: World, *, port: int = 0) -> AsyncIterator[Running]:
    """Run another process of the service, so to say, at a port of its own."""
    with socket.create_server(("127.0.0.1", port)) as sock:
        async with running(world.settings, sock=sock, clock=world.clock) as service:
            yield service


async def asked_during(between: Proxy, page: Page, seconds: float) -> set[str]:
    """Let *seconds* pass in the browser; return the addresses that it asked meanwhile."""
    before = len(between.asked)
    await page.clock.run_for(round(seconds * 1000))
    # What the page has begun to ask is answered before something that it asks afterwards.
    for _ in range(2):
        await page.evaluate("url => fetch(url, { mode: 'no-cors' }).then(() => null)", f"{between.url}/livez")
    return {one.path for one in between.asked[before:]} - {"/livez"}


async def done(said: bool) -> bool:
    return said


def status_of(world: World, ticket: TicketId) -> str:
    """Return how the service remembers a ticket."""
    known = world.app[app_keys.FEED].cached(ticket)
    return known.status.value if known else ""
