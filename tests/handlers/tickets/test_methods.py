"""A client may offer several methods: a ticket is made by one of them, and says by which.

Red when a ticket is not of the client's first method unless asked otherwise, when a method that the client does
not have is taken, when another method's bind ticket is returned again, when another method shows it, and when the
method is lost with Redis.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from arriving import redirecting
from harness import ACCOUNT, SECOND, WEBSITE, Page, World, client, problem
from linking import asked
from portal_client import visit
from streams import event, stream

from models.events import OpenId
from models.scene import read_ticket
from sandbox.codes import Code
from sandbox.people import Person
from service.app_keys import TICKET_STATUS

LOGIN = {"purpose": "login"}
BIND = {"purpose": "bind", "user_id": "42"}


@pytest.fixture
async def linking(make: Callable[..., Any]) -> World:
    """A world whose shop offers a link of the account `second`, then a scan; the club offers a scan alone."""
    shop = client("shop", accounts=["main", "second"], methods=["link", "scan"])
    started: World = await make(
        official={"main": ACCOUNT, "second": replace(SECOND, oauth="base")},
        clients={"shop": shop, "club": client("club")},
    )
    return started


async def confirm(world: World, person: Person, page: Page) -> None:
    """Confirm by a scan, which asks nothing, or by a link."""
    if page.made["method"] == "scan":
        await world.scan(person, page)
        return
    async with asked(page, person) as browser:
        await browser.submit(answer=(await page.until("scanned"))["match"] or "yes")


async def refused(world: World, body: dict[str, Any], *, client: str = "shop") -> str:
    """Return why *body* is refused; a refusal makes no code."""
    before = len(world.sandbox.codes())
    told = await problem(await world.site("POST", "/v1/tickets", body, client=client), 400, "invalid-request")
    assert len(world.sandbox.codes()) == before
    return str(told["detail"])


def named(made: dict[str, Any]) -> tuple[str, str]:
    return made["method"], made["account"]


async def test_the_clients_first_method_and_its_first_account_are_the_default(linking: World) -> None:
    pages = [await linking.login(), await linking.login(method=None), await linking.bind("42")]
    pages.append(await (await visit(linking)).bind())
    assert [named(page.made) for page in pages] == [("link", "second")] * 4
    assert linking.sandbox.codes() == []


async def test_another_method_of_the_client_can_be_asked_for(linking: World) -> None:
    pages = [await linking.login(method="scan"), await linking.bind("42", method="scan")]
    pages.append(await linking.bind("43", method="scan", account="second"))
    assert [named(page.made) for page in pages] == [("scan", "main"), ("scan", "main"), ("scan", "second")]


@pytest.mark.parametrize("body", [LOGIN, BIND], ids=["login", "bind"])
async def test_a_method_that_is_not_the_clients_is_refused(linking: World, body: dict[str, Any]) -> None:
    expected = "method: not one of this client's methods"
    assert await refused(linking, {**body, "method": "link"}, client="club") == expected
    assert await refused(linking, {**body, "method": "passcode"}) == expected
    for unknown in ("face", "SCAN", "", 1, ["scan"]):
        assert (await refused(linking, {**body, "method": unknown})).startswith("method: ")


async def test_an_account_that_the_method_cannot_use_is_refused(linking: World) -> None:
    reason = "account: has no oauth base or userinfo, which the method link needs"
    assert await refused(linking, {**BIND, "account": "main"}) == reason


@pytest.mark.parametrize("method", ["link", "scan"])
async def test_a_ticket_says_its_method_to_the_end_also_without_redis(linking: World, method: str) -> None:
    page, person = await linking.login(method=method), await linking.person()
    await linking.redis.flushall()
    assert [(await page.poll())["method"] for _ in range(3)] == [method] * 3
    async with stream(page) as response:
        assert (await event(response))["data"]["method"] == method
    await confirm(linking, person, page)
    ended = await page.until("confirmed")
    await linking.redis.flushall()
    told = await (await linking.exchange(ended["code"])).json()
    assert (ended["method"], told["method"], told["outcome"]) == (method, method, "register")
    body = {"user_id": "42", "registration": told["registration"]}
    made = await linking.site("POST", "/v1/bindings", body)
    assert (made.status, (await made.json())["method"]) == (201, method)


async def test_the_tag_of_a_state_is_the_same_for_all_methods(linking: World) -> None:
    pages = [await linking.login(method=method) for method in ("link", "scan")]
    assert len({(await page.raw()).headers["ETag"] for page in pages}) == 1


async def test_a_bind_ticket_is_given_out_again_for_its_own_method_alone(linking: World) -> None:
    first = await linking.bind("42", session="s", account="second")
    again = await linking.bind("42", session="s", account="second", method="link")
    assert (again.status, again.id) == (200, first.id)
    other = await linking.bind("42", session="s", account="second", method="scan")
    assert (other.status, other.made["method"]) == (201, "scan")
    assert [(await page.poll())["status"] for page in (first, other)] == ["cancelled", "pending"]


async def test_a_bind_by_another_method_keeps_the_user_id_out_of_the_code(linking: World) -> None:
    page, person = await linking.bind("42"), await linking.person()
    assert (page.id in page.made["qr_url"], len(page.id)) == (True, 32)
    await confirm(linking, person, page)
    assert (await page.poll())["outcome"] == "bound"
    assert [named(one) for one in await linking.bindings("42")] == [("link", "second")]


@pytest.mark.parametrize("purpose", ["login", "bind"])
async def test_a_scan_confirms_no_ticket_of_another_method(linking: World, purpose: str) -> None:
    """Red when the dispatcher takes every scene of our own for that of a scan."""
    page = await (linking.login() if purpose == "login" else linking.bind("42"))
    code = Code("02x", SECOND.appid, "gQ", "http://weixin.qq.com/q/02x", page.id, linking.clock.seconds(), None)
    scan = await linking.sandbox.scan(await linking.person(), code)
    assert scan.delivery
    assert scan.delivery.reply is None
    assert (await page.poll())["status"] == "pending"
    assert await linking.bindings("42") == []


async def scanned(world: World, page: Page) -> str | None:
    """Mark the ticket of *page* scanned; return the number that it shows."""
    head = read_ticket(page.id)
    assert head
    await world.app[TICKET_STATUS].mark_scanned(head, OpenId("oAnna"))
    return (await page.poll())["match"]


async def test_the_number_is_shown_where_it_is_asked_for(linking: World) -> None:
    """Red when `view` asks of all methods what is configured: here, of none."""
    assert await scanned(linking, await linking.login()) is None
    assert await scanned(linking, await linking.bind("42")) is not None


async def test_a_redirect_shows_no_number(make: Callable[..., Any]) -> None:
    both = {"methods": ["scan", "website"], "return_urls": ["https://shop.example/login/done"]}
    shop = client("shop", confirm="match", apps=["site"], **both)
    world = await make(apps={"site": WEBSITE}, clients={"shop": shop})
    assert await scanned(world, await redirecting(world, "site")) is None
    assert await scanned(world, await world.login()) is not None
