"""The world of the portal's browser tests."""

from collections.abc import Callable
from typing import Any

from browser_fixture import browser_fixture
from harness import ACCOUNT, SECOND, World, client
from pages import Site


@browser_fixture
async def world(make: Callable[..., Any], site: Site) -> World:
    """A shop that asks for the number, and a club with two accounts that asks nothing but in the portal."""
    clients = {
        "shop": client("shop", origins=[site.origin], confirm="match"),
        "club": client("club", origins=[site.origin], accounts=["main", "second"]),
    }
    started: World = await make(clients=clients, official={"main": ACCOUNT, "second": SECOND})
    site.service = started.url
    site.put("<p>Settings</p>", path="/settings", head="")
    return started
