"""While no QR code of WeChat can be had, a link takes its place (contract.md 8.2).

Red when `TicketFactory.fallbacks` begins at the front of the list, takes a redirect or leaves the account that the
caller named, and when a bind of a session does not find the ticket of another method that took its place.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from harness import ACCOUNT, ORIGIN, SECOND, World, client, problem
from limits import counted
from linking import asked
from redirecting import BACK

from models.method import Method
from service.app_keys import TICKET_ISSUER

Make = Callable[..., Any]


async def scarce(make: Make, **changes: Any) -> World:
    """Start a world whose shop offers a scan, then a link; WeChat makes one QR code a day for each account."""
    shop = {"methods": ["scan", "h5", "link"], "return_urls": [BACK], **changes}
    world: World = await make(
        official={"main": replace(ACCOUNT, oauth="base"), "second": SECOND},
        accounts={name: {"codes_per_day": 1, "codes_for_binds": 0} for name in ("main", "second")},
        clients={"shop": client("shop", **shop)},
    )
    return world


async def test_a_link_takes_the_place_of_a_code_that_is_used_up(make: Make) -> None:
    world = await scarce(make)
    assert (await world.login()).made["method"] == "scan"
    page = await world.login(method="scan")
    assert await counted(world, "codes_per_day") == 1
    assert (page.made["method"], (await page.poll())["method"]) == ("link", "link")
    async with asked(page, await world.person()) as browser:
        await browser.submit(answer="yes")
    told = await (await world.exchange((await page.poll())["code"])).json()
    assert (told["outcome"], told["method"]) == ("register", "link")


async def test_a_link_takes_the_place_of_a_code_that_wechat_does_not_make(make: Make) -> None:
    world: World = await make(
        official={"main": replace(ACCOUNT, oauth="base")},
        accounts={"main": {"secret": "not the secret"}},
        clients={"shop": client("shop", methods=["scan", "link"])},
    )
    pages = [await world.login(), await world.bind("42")]
    assert [page.made["method"] for page in pages] == ["link", "link"]


async def test_two_tabs_of_one_session_show_the_same_link(make: Make) -> None:
    world = await scarce(make)
    await world.login()
    one, other = [await world.bind("42", session="s") for _ in range(2)]
    assert (one.made["method"], one.status, other.status) == ("link", 201, 200)
    assert (one.id, one.made["qr_url"]) == (other.id, other.made["qr_url"])
    async with asked(other, await world.person()) as browser:
        await browser.submit(answer=(await one.until("scanned"))["match"])
    assert (await one.poll())["outcome"] == "bound"


async def test_no_code_takes_the_place_of_a_link(make: Make) -> None:
    world = await scarce(make)
    factory = world.app[TICKET_ISSUER].factory
    assert list(factory.fallbacks("shop", Method.LINK, None)) == []
    assert list(factory.fallbacks("shop", Method.SCAN, None)) == [(Method.LINK, "main")]


async def test_without_a_link_for_the_named_account_the_refusal_stands(make: Make) -> None:
    world = await scarce(make, accounts=["second", "main"])
    made = [(await world.login()).made for _ in range(2)]
    assert [(one["method"], one["account"]) for one in made] == [("scan", "second"), ("link", "main")]
    body = {"purpose": "login", "client_id": "shop", "account": "second"}
    refused = await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
    await problem(refused, 429, "rate-limited")


@pytest.mark.parametrize("methods", [["scan"], ["scan", "h5"], ["link", "scan"]])
async def test_only_a_later_method_for_another_device_takes_its_place(make: Make, methods: list[str]) -> None:
    world = await scarce(make, methods=methods)
    await world.login(method="scan")
    body = {"purpose": "login", "client_id": "shop", "method": "scan"}
    refused = await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
    await problem(refused, 429, "rate-limited")
