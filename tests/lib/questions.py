"""Ask a phone to confirm a ticket, and read the question's links."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from harness import Page, World, client

from sandbox.people import Person

Make = Callable[..., Any]


async def asking(make: Make, confirm: str, **changes: Any) -> World:
    started: World = await make(clients={"shop": client("shop", confirm=confirm, **changes)})
    return started


def links(text: str | None) -> list[str]:
    """What tapping each link of a reply would say."""
    return [unquote(said) for said in re.findall(r"msgmenucontent=([^&\"]*)&", text or "")]


def numbers(text: str | None) -> list[str]:
    return [said for said in links(text) if re.fullmatch(r"[0-9]{2}", said)]


async def scanned(world: World, **fields: Any) -> tuple[Page, Person, str, dict[str, Any]]:
    page, person = await world.login(**fields), await world.person()
    asked = await world.scan(person, page)
    assert asked is not None
    state = await page.poll()
    assert state["status"] == "scanned"
    return page, person, asked, state
