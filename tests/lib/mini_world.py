"""Worlds whose shop signs in by the mini program `mini`."""

from collections.abc import Callable
from typing import Any

from harness import MINI, World, client


async def mini_world(make: Callable[..., Any], *, limits: dict[str, int] | None = None, **shop: Any) -> World:
    """Start a world; *shop* changes the client, which asks for the page's number."""
    wanted = {"accounts": [], "apps": ["mini"], "methods": ["miniprogram"], "confirm": "match"} | shop
    more = {"limits": limits} if limits else {}
    world: World = await make(apps={"mini": MINI}, clients={"shop": client("shop", **wanted)}, **more)
    return world
