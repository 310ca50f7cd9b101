"""Worlds and the OpenAPI document for tests of endpoints."""

from typing import Any

import pytest
from harness import ACCOUNT, SECOND, World, client
from openapi_document import Contract, Json
from portal_client import CLUB


@pytest.fixture
async def two(make: Any) -> World:
    """A world with two accounts, both the shop's, and two clients with origins of their own."""
    started: World = await make(
        official={"main": ACCOUNT, "second": SECOND},
        clients={
            "shop": client("shop", accounts=["main", "second"]),
            "club": client("club", origins=[CLUB], lang="zh"),
        },
    )
    return started


@pytest.fixture
async def document(world: World) -> Json:
    response = await world.call("GET", "/openapi.json")
    assert (response.status, response.content_type) == (200, "application/json")
    return dict(await response.json())


@pytest.fixture
async def contract(document: Json) -> Contract:
    return Contract(document)
