"""An account without API permissions beside one that has them: WeChat is never called for it.

Red when a ticket is for the first account, though it has no permissions, and when the portal offers to bind it.
"""

from typing import Any

import pytest
from harness import ACCOUNT, SECOND, World, client, problem
from portal_client import visit

PATH = "/v1/tickets"


@pytest.fixture
async def own(make: Any) -> World:
    """A shop with a person's account, which comes first, and one with permissions."""
    started: World = await make(
        official={"own": ACCOUNT, "main": SECOND},
        accounts={"own": {"api": False, "secret": ""}},
        clients={"shop": client("shop", accounts=["own", "main"])},
    )
    return started


async def test_a_ticket_is_for_the_first_account_that_creates_qr_codes(own: World) -> None:
    page = await own.login()
    person = await own.person()
    await own.scan(person, page)
    code = (await page.poll())["code"]
    assert (await (await own.exchange(code)).json())["account"] == "main"


@pytest.mark.parametrize("fields", [{"purpose": "login"}, {"purpose": "bind", "user_id": "42"}])
async def test_a_ticket_for_the_other_is_refused_with_the_reason(own: World, fields: dict[str, str]) -> None:
    response = await own.site("POST", PATH, {**fields, "account": "own"})
    told = await problem(response, 400, "invalid-request")
    assert told["detail"] == "account: has no API permissions, which the method scan needs"


async def test_the_portal_offers_the_accounts_that_can_be_bound(own: World) -> None:
    assert (await (await visit(own)).view())["accounts"] == ["main"]
