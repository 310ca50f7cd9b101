"""What several doors are tried with."""

from typing import Any

import pytest
from harness import ACCOUNT, SECOND, World, client
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
