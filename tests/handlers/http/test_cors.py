"""CORS headers name configured origins alone, on every response, errors too.

Red when `_reader` returns the origin that was sent, or `require_origin` narrows the readers before it refuses.
"""

from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import ORIGIN, Page, World, basic, client, problem

CLUB = "https://club.example"
OTHERS = ("https://elsewhere.example", "null", ORIGIN + ".evil.example", "http://shop.example", ORIGIN + "/")
EXPOSED = {"etag", "retry-after", "x-request-id"}


@pytest.fixture
async def two(make: Any) -> World:
    """A world of two clients, each with an origin of its own."""
    started: World = await make(
        clients={"shop": client("shop"), "club": client("club", origins=[CLUB])},
        limits={"tickets_per_address": 1, "tickets_per_client": 0},
    )
    return started


def readable(response: ClientResponse) -> str | None:
    """Return the origin that may read *response*, None when none may; check all that goes with it."""
    assert response.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in response.headers
    origin = response.headers.get("Access-Control-Allow-Origin")
    exposed = response.headers.get("Access-Control-Expose-Headers", "").lower()
    assert set(filter(None, exposed.split(", "))) == (EXPOSED if origin else set())
    return origin


async def every_answer(page: Page, origin: str) -> list[ClientResponse]:
    """Return one answer of each kind that the page of a ticket can get."""
    tag = (await page.raw(Origin=origin)).headers["ETag"]
    answers = [
        await page.raw(Origin=origin),
        await page.raw(Origin=origin, If_None_Match=tag),
        await page.raw("DELETE", Origin=origin),
        await page.raw("DELETE", Origin=origin),
        await page.raw(suffix="/events", Origin=origin),
    ]
    assert [one.status for one in answers] == [200, 304, 204, 409, 200]
    return answers


async def test_a_preflight_is_answered_for_every_listed_origin(two: World) -> None:
    page = await two.bind("42")
    for path in ("/v1/tickets", f"/v1/tickets/{page.id}", "/v1/tickets/unknown", f"/v1/tickets/{page.id}/events"):
        for origin in (ORIGIN, CLUB):
            asked = {"Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "authorization"}
            response = await two.call("OPTIONS", path, headers={"Origin": origin, **asked})
            assert (response.status, await response.read()) == (204, b"")
            assert readable(response) == origin
            methods = set(response.headers["Access-Control-Allow-Methods"].split(", "))
            allowed = set(response.headers["Access-Control-Allow-Headers"].lower().split(", "))
            assert methods >= {"GET", "POST", "DELETE"}
            assert allowed >= {"authorization", "content-type", "if-none-match", "prefer"}


async def test_a_preflight_of_any_other_origin_allows_nothing(two: World) -> None:
    for origin in OTHERS:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        response = await two.call("OPTIONS", "/v1/tickets", headers=headers)
        assert readable(response) is None
        assert not any(name.lower().startswith("access-control") for name in response.headers)


async def test_only_the_tickets_clients_pages_may_read_of_it(two: World) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), (CLUB, None), *((one, None) for one in OTHERS)):
        page = await two.bind("42", refresh=True)
        assert {readable(one) for one in await every_answer(page, origin)} == {allowed}
    page = await two.bind("42", client="club")
    assert {readable(one) for one in await every_answer(page, CLUB)} == {CLUB}


async def test_a_started_login_is_for_its_clients_page(two: World) -> None:
    body = {"purpose": "login", "client_id": "club"}
    response = await two.call("POST", "/v1/tickets", json=body, headers={"Origin": CLUB})
    assert (response.status, readable(response)) == (201, CLUB)
    limited = await two.call("POST", "/v1/tickets", json=body, headers={"Origin": CLUB})
    assert (limited.status, readable(limited)) == (429, CLUB)
    foreign = await two.call("POST", "/v1/tickets", json=body, headers={"Origin": OTHERS[0]})
    assert (foreign.status, readable(foreign)) == (403, None)
    backend = await two.call("POST", "/v1/tickets", json={"purpose": "login"}, headers={**basic(), "Origin": CLUB})
    assert (backend.status, readable(backend)) == (201, None)


async def test_errors_before_the_client_is_known_are_for_every_listed_origin(two: World) -> None:
    for origin, allowed in ((ORIGIN, ORIGIN), (CLUB, CLUB), *((one, None) for one in OTHERS)):
        answers = [
            await two.call("POST", "/v1/tickets", data=b"{", headers={"Origin": origin}),
            await two.call("POST", "/v1/tickets", data=b"x" * 65_537, headers={"Origin": origin}),
            await two.call("GET", "/v1/tickets/x", headers={"Origin": origin}),
            await two.call("GET", "/v1/tickets/x", headers={"Origin": origin, "Authorization": "Bearer x"}),
        ]
        assert [one.status for one in answers] == [415, 415, 401, 404]
        assert {readable(one) for one in answers} == {allowed}


async def test_no_origin_names_none(two: World) -> None:
    page = await two.bind("42")
    assert readable(await page.raw()) is None
    assert readable(await two.call("OPTIONS", "/v1/tickets")) is None


async def test_endpoints_of_back_ends_allow_no_cross_origin_reads(two: World) -> None:
    for method, path in (("POST", "/v1/exchange"), ("GET", "/v1/bindings/42"), ("GET", "/readyz")):
        response = await two.call(method, path, headers={**basic(), "Origin": ORIGIN})
        assert not any(name.lower().startswith("access-control") for name in response.headers)
        preflight = await two.call("OPTIONS", path, headers={"Origin": ORIGIN})
        assert preflight.status == 405
        assert not any(name.lower().startswith("access-control") for name in preflight.headers)


@pytest.mark.parametrize("name", ["shop", "shopp", "SHOP", "", "x" * 64])
async def test_a_page_that_some_client_lists_reads_that_its_client_is_the_wrong_one(two: World, name: str) -> None:
    body = {"purpose": "login", "client_id": name}
    refused = await two.call("POST", "/v1/tickets", json=body, headers={"Origin": CLUB})
    assert readable(refused) == CLUB
    assert (await problem(refused, 403, "forbidden-origin"))["detail"].startswith("client_id: ")
    for origin in OTHERS:
        unlisted = await two.call("POST", "/v1/tickets", json=body, headers={"Origin": origin})
        assert (unlisted.status, readable(unlisted)) == (403, None)
