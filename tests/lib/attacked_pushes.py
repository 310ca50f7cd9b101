"""Send seen or changed pushes again, and check that nothing in Redis or SQL changed."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import ACCOUNT, Page, World, client
from posting import snapshot

from sandbox.crypto import Sealer
from sandbox.envelope import Request
from sandbox.people import Person

Make = Callable[..., Any]

MODES = pytest.mark.parametrize("mode", ["safe", "compatible", "plain"])
SEALED = pytest.mark.parametrize("mode", ["safe", "compatible"])


async def in_mode(make: Make, mode: Any, *, confirm: str = "none", **account: Any) -> World:
    changes = {"mode": mode, "allow_unsigned_body": mode == "plain", **account}
    started: World = await make(
        official={"main": replace(ACCOUNT, mode=mode)},
        accounts={"main": changes},
        clients={"shop": client("shop", confirm=confirm)},
    )
    return started


@asynccontextmanager
async def untouched(world: World) -> AsyncIterator[None]:
    """Fail if anything in Redis or SQL differs at the end."""
    before = await snapshot(world)
    yield
    assert await snapshot(world) == before


async def again(world: World, request: Request, **changes: Any) -> ClientResponse:
    """Send what was seen once more; *changes* are of the query."""
    return await world.call(
        "POST",
        "/wechat/main",
        params={**request.query, **changes},
        data=request.body,
        headers={"Content-Type": request.content_type},
    )


async def asked(world: World) -> tuple[Page, Person, Request]:
    """Scan a bind code; return the page, the person and the push."""
    page, person = await world.bind("42"), await world.person()
    scan = await world.sandbox.scan(person, page.made["qr_url"])
    assert scan.delivery is not None
    return page, person, scan.delivery.request


def told(answer: bytes, mode: str) -> str:
    """Return what an answer says, opened where it is sealed."""
    if mode == "plain":
        return answer.decode()
    sealed = answer.decode().split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    return Sealer.of(ACCOUNT.aes_key, appid=ACCOUNT.appid).open(sealed).decode()
