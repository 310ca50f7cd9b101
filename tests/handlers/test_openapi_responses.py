"""Real responses of every endpoint match the OpenAPI document."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from harness import ORIGIN, Page, World, client
from openapi_document import Contract
from portal_client import bearer, follow, link, open_, press, visit

from service import app_keys
from service.rate_limiting.open_waits import STREAMS


@pytest.fixture
async def asked(make: Callable[..., Any]) -> World:
    """A world whose phones are asked to choose a number."""
    return await make(clients={"shop": client("shop", confirm="choose"), "club": client("club")})


async def test_a_login_is_as_described(world: World, contract: Contract) -> None:
    person, page = await world.bound("42"), await world.login(state="xyz")
    contract.validate("TicketMade", page.made)
    pending = await contract.holds(await page.raw())
    await contract.holds(await page.raw(If_None_Match=pending.headers["ETag"]))
    await world.scan(person, page)
    state = await (await contract.holds(await page.raw())).json()
    await contract.holds(await world.exchange(state["code"]))
    await contract.holds(await world.exchange(state["code"]))
    await contract.holds(await page.raw("DELETE"))
    listed = await contract.holds(await world.site("GET", "/v1/bindings/42"))
    assert (await listed.json())["bindings"][0]["last_login_at"]


async def test_a_question_is_as_described(asked: World) -> None:
    contract = Contract(await (await asked.call("GET", "/openapi.json")).json())
    person, page = await asked.person(), await asked.login()
    await asked.scan(person, page)
    state = await (await contract.holds(await page.raw())).json()
    assert state["match"]
    await asked.say(person, "00")
    state = await (await contract.holds(await page.raw())).json()
    assert state["reason"] == "wrong_number"


async def test_a_registration_is_as_described(world: World, contract: Contract) -> None:
    page = await world.login()
    await world.scan(await world.person(), page)
    told = await contract.holds(await world.exchange((await page.poll())["code"]))
    body = {"user_id": "7", "registration": (await told.json())["registration"]}
    for status in (201, 200):
        assert (await contract.holds(await world.site("POST", "/v1/bindings", body))).status == status
    await contract.holds(await world.site("POST", "/v1/bindings", {**body, "user_id": "8"}))
    for status in (204, 404):
        assert (await contract.holds(await world.site("DELETE", "/v1/bindings/7?account=main"))).status == status


async def test_a_conflict_is_as_described(world: World, contract: Contract) -> None:
    await world.bound("7")
    page = await world.login()
    await world.scan(await world.person(), page)
    told = await (await world.exchange((await page.poll())["code"])).json()
    body = {"user_id": "7", "registration": told["registration"]}
    answer = await contract.holds(await world.site("POST", "/v1/bindings", body))
    assert (await answer.json())["reason"] == "user_taken"


async def test_bind_tickets_are_as_described(world: World, contract: Contract) -> None:
    wanted = {"purpose": "bind", "user_id": "9", "session": "s"}
    for status in (201, 200):
        assert (await contract.holds(await world.site("POST", "/v1/tickets", wanted))).status == status
    page = await world.bind("9")
    assert (await contract.holds(await page.raw("DELETE"))).status == 204
    assert (await contract.holds(await page.raw("DELETE"))).status == 409


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b'{"purpose":"steal"}', {"Content-Type": "application/json"}),
        (401, b'{"purpose":"login","client_id":"shop"}', {"Content-Type": "application/json"}),
        (
            403,
            b'{"purpose":"login","client_id":"shop"}',
            {"Content-Type": "application/json", "Origin": "https://evil.example"},
        ),
        (413, b" " * 70_000, {"Content-Type": "application/json"}),
        (415, b"purpose=login", {"Content-Type": "text/plain"}),
    ],
)
async def test_a_refused_ticket_is_as_described(
    world: World, contract: Contract, status: int, body: bytes, headers: dict[str, str]
) -> None:
    response = await world.call("POST", "/v1/tickets", data=body, headers=headers)
    assert (await contract.holds(response)).status == status


async def test_too_many_logins_are_refused_as_described(make: Callable[..., Any]) -> None:
    world: World = await make(limits={"tickets_per_address": 1})
    contract = Contract(await (await world.call("GET", "/openapi.json")).json())
    await world.login()
    body, headers = {"purpose": "login", "client_id": "shop"}, {"Origin": ORIGIN}
    response = await world.call("POST", "/v1/tickets", json=body, headers=headers)
    assert (await contract.holds(response)).status == 429


async def test_following_refuses_as_described(world: World, contract: Contract) -> None:
    page, other = await world.login(), await world.login()
    stranger = Page(world, {**page.made, "secret": other.made["secret"]}, 201)
    for method, suffix in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        assert (await contract.holds(await stranger.raw(method, suffix))).status == 404
        bare = await world.call(method, f"/v1/tickets/{page.id}{suffix}")
        assert (await contract.holds(bare)).status == 401


async def test_a_stream_is_as_described(world: World, contract: Contract) -> None:
    person, page = await world.person(), await world.login()
    await world.scan(person, page)
    response = await contract.holds(await page.raw(suffix="/events"))
    event, tag, data = (await response.text()).strip().splitlines()
    assert event == "event: status"
    assert tag.startswith('id: "')
    contract.validate("TicketState", json.loads(data.removeprefix("data: ")))


async def test_too_many_streams_are_refused_as_described(world: World, contract: Contract) -> None:
    page = await world.login()
    address = f"{world.url}/v1/tickets/{page.id}/events"
    open_streams = [await world.http.get(address, headers=page.bearer) for _ in range(STREAMS)]
    assert (await contract.holds(await page.raw(suffix="/events"))).status == 429
    for stream in open_streams:
        stream.close()


async def test_pictures_are_as_described(world: World, contract: Contract) -> None:
    page = await world.login()
    for path in (page.made["qr_svg"], page.made["qr_png"], f"{page.made['qr_png']}?size=1", "/v1/qr/no.svg"):
        await contract.holds(await world.call("GET", path))


async def test_pushes_are_answered_as_described(world: World, contract: Contract) -> None:
    assert (await contract.holds(await world.call("GET", "/wechat/main"))).status == 403
    assert (await contract.holds(await world.call("POST", "/wechat/main", data=b"<xml/>"))).status == 403
    assert (await contract.holds(await world.call("POST", "/wechat/main", data=b" " * 70_000))).status == 413
    packed = await world.call("POST", "/wechat/main", data=b"x", headers={"Content-Encoding": "gzip"})
    assert (await contract.holds(packed)).status == 415
    assert (await contract.holds(await world.call("GET", "/wechat/nobody"))).status == 404


async def test_health_and_preflights_are_as_described(world: World, contract: Contract) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json"):
        assert (await contract.holds(await world.call("GET", path))).status == 200
    await contract.holds(await world.call("OPTIONS", "/v1/tickets", headers={"Origin": ORIGIN}))
    world.app[app_keys.DRAINING].set()
    assert (await contract.holds(await world.call("GET", "/readyz"))).status == 503


async def test_a_visit_to_the_portal_is_as_described(world: World, contract: Contract) -> None:
    await world.bound("42")
    wanted = {"user_id": "42", "account_name": "anna", "return_url": ORIGIN, "only_login": True}
    assert (await contract.holds(await world.site("POST", "/v1/portal-sessions", wanted))).status == 201
    here = await visit(world, **{**wanted, "lang": "zh"})
    doors = (
        ("GET", "", 200), ("POST", "/tickets", 201), ("POST", "/tickets", 200), ("DELETE", "/bindings/main", 204),
        ("DELETE", "/bindings/main", 404), ("DELETE", "", 204), ("DELETE", "", 404),
    )  # fmt: skip
    for method, path, status in doors:
        how = {"json": {}} if method == "POST" else {}
        assert (await contract.holds(await here.call(method, path, **how))).status == status
    await contract.holds(await (await visit(world)).call())


async def test_the_portals_pages_are_as_described(world: World, contract: Contract) -> None:
    made = await link(world)
    prefetched = await follow(world, made, Sec_Purpose="prefetch")
    for status, response in (
        (403, prefetched),
        (200, await follow(world, made, origin=None)),
        (200, await world.call("POST", f"/portal/open/{made['token']}")),
        (303, await press(world, await link(world))),
        (303, await follow(world, made)),
        (410, await follow(world, made)),
        (404, await world.call("GET", "/portal/open/x")),
        (200, await world.call("GET", "/portal/x?lang=en")),
        (200, style := await world.call("GET", "/portal.css")),
        (304, await world.call("GET", "/portal.css", headers={"If-None-Match": style.headers["ETag"]})),
        (200, icon := await world.call("GET", "/portal.svg")),
        (304, await world.call("GET", "/portal.svg", headers={"If-None-Match": icon.headers["ETag"]})),
    ):
        assert (await contract.holds(response)).status == status


async def test_the_portal_refuses_as_described(world: World, contract: Contract) -> None:
    here = await visit(world)
    wrong = {
        400: {"data": b"{", "headers": {**bearer(here.secret), "Content-Type": "application/json"}},
        401: {"headers": {}},
        403: {"headers": {**here.cookie, "Sec-Fetch-Site": "same-site"}},
        404: {"headers": bearer("x")},
        413: {
            "data": b" " * 70_000,
            "headers": {**bearer(here.secret), "Content-Type": "application/json"},
        },
        415: {"data": b"x", "headers": {**bearer(here.secret), "Content-Type": "text/plain"}},
    }
    for status, how in wrong.items():
        assert (await contract.holds(await here.call("POST", "/tickets", **how))).status == status
    for method, path in (("GET", ""), ("DELETE", ""), ("DELETE", "/bindings/main")):
        for status in (401, 403, 404):
            assert (await contract.holds(await here.call(method, path, **wrong[status]))).status == status
    assert (await contract.holds(await here.call("POST", "/open", headers={}))).status == 401
    assert (await contract.holds(await open_(world, here.token))).status == 404
    for status, body in ((400, {}), (413, {"user_id": "x" * 70_000})):
        assert (await contract.holds(await world.site("POST", "/v1/portal-sessions", body))).status == status
    bare = await world.call("POST", "/v1/portal-sessions", json={"user_id": "42"})
    assert (await contract.holds(bare)).status == 401
    assert (await contract.holds(await world.call("OPTIONS", "/v1/portal-sessions/x"))).status == 204
    for status, query in ((204, "?user_id=42"), (400, "")):
        assert (await contract.holds(await world.site("DELETE", f"/v1/portal-sessions{query}"))).status == status


async def test_too_many_codes_of_the_portal_are_refused_as_described(make: Callable[..., Any]) -> None:
    world: World = await make(limits={"tickets_per_address": 1})
    contract = Contract(await (await world.call("GET", "/openapi.json")).json())
    here = await visit(world)
    for status in (201, 429):
        assert (await contract.holds(await here.call("POST", "/tickets", json={}))).status == status
