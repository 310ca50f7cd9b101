"""Who may start tickets: a back end with its password, and a page of a listed origin."""

from typing import Any

import pytest
from harness import ORIGIN, SECRETS, World, basic, client, problem

LOGIN = {"purpose": "login", "client_id": "shop"}
BIND = {"purpose": "bind", "user_id": "42"}
SITE_DOORS = (
    ("POST", "/v1/exchange"),
    ("POST", "/v1/bindings"),
    ("GET", "/v1/bindings/42"),
    ("DELETE", "/v1/bindings/42"),
)
BAD_CREDENTIALS = {
    "wrong password": basic(secret="wrong"),
    "another client's password": basic("shop", SECRETS["club"]),
    "password and more": basic(secret=f"{SECRETS['shop']}x"),
    "password in part": basic(secret=SECRETS["shop"][:-1]),
    "empty password": basic(secret=""),
    "a NUL": basic(secret="\0"),
    "unknown client": basic("nobody", SECRETS["shop"]),
    "unknown client and a NUL": basic("nobody", "\0"),
    "empty client": basic("", ""),
    "client in capitals": basic("SHOP", SECRETS["shop"]),
    "not base64": {"Authorization": "Basic !!!"},
    "not UTF-8": {"Authorization": "Basic //8="},
    "no colon": {"Authorization": "Basic c2hvcA=="},
    "no password": {"Authorization": "Basic"},
    "bearer": {"Authorization": f"Bearer {SECRETS['shop']}"},
    "empty": {"Authorization": ""},
}


@pytest.mark.parametrize("how", BAD_CREDENTIALS)
async def test_wrong_credentials_are_refused_at_every_endpoint_of_back_ends(world: World, how: str) -> None:
    doors = [("POST", "/v1/tickets", BIND), *((*source, {}) for source in SITE_DOORS)]
    for method, path, body in doors:
        response = await world.call(method, path, json=body, headers=BAD_CREDENTIALS[how])
        await problem(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
        assert SECRETS["shop"] not in await response.text()
    assert world.sandbox.codes() == []


async def test_missing_credentials_are_refused_at_every_endpoint_of_back_ends(world: World) -> None:
    for method, path in SITE_DOORS:
        response = await world.call(method, path, json={}, headers={"Origin": ORIGIN})
        await problem(response, 401, "unauthorized")


async def test_wrong_and_unknown_clients_are_the_same_answer(world: World) -> None:
    told = []
    for headers in (basic(secret="wrong"), basic("nobody", "wrong")):
        response = await world.call("GET", "/v1/bindings/42", headers=headers)
        body = await problem(response, 401, "unauthorized")
        told.append({**body, "instance": ""})
    assert told[0] == told[1]


async def test_credentials_win_over_an_origin(world: World) -> None:
    good = {**basic(), "Origin": "https://elsewhere.example"}
    assert (await world.call("POST", "/v1/tickets", json=LOGIN, headers=good)).status == 201
    bad = {**basic(secret="wrong"), "Origin": ORIGIN}
    await problem(await world.call("POST", "/v1/tickets", json=LOGIN, headers=bad), 401, "unauthorized")


async def test_a_login_started_with_both_counts_as_the_back_ends(world: World) -> None:
    both = {**basic(), "Origin": ORIGIN}
    made = await (await world.call("POST", "/v1/tickets", json=LOGIN, headers=both)).json()
    await world.sandbox.scan(await world.person(), made["qr_url"])
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    state = await (await world.call("GET", f"/v1/tickets/{made['ticket']}", headers=bearer)).json()
    assert (await (await world.exchange(state["code"])).json())["via"] == "backend"


async def test_credentials_and_client_id_must_name_the_same_client(world: World) -> None:
    for body in (LOGIN, {**BIND, "client_id": "shop"}, {**BIND, "client_id": "nobody"}):
        response = await world.site("POST", "/v1/tickets", body, client="club")
        assert (await problem(response, 400, "invalid-request"))["detail"].startswith("client_id: ")


async def test_a_page_of_no_listed_origin_starts_nothing(make: Any) -> None:
    world = await make(clients={"shop": client("shop"), "club": client("club", origins=["https://club.example"])})
    strangers = [
        "https://elsewhere.example", "https://club.example", "null", "", "*", ORIGIN + "/", ORIGIN.upper(),
        ORIGIN + ".evil.example", ORIGIN + ":443", "http://shop.example", f"{ORIGIN}, {ORIGIN}",
    ]  # fmt: skip
    for origin in strangers:
        response = await world.call("POST", "/v1/tickets", json=LOGIN, headers={"Origin": origin})
        await problem(response, 403, "forbidden-origin")
    for name in ("nobody", "", "club"):
        body = {"purpose": "login", "client_id": name}
        response = await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
        await problem(response, 403, "forbidden-origin")
    assert world.sandbox.codes() == []


async def test_a_page_must_name_its_client(world: World) -> None:
    for body in ({"purpose": "login"}, {"purpose": "login", "client_id": None}):
        response = await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
        assert (await problem(response, 400, "invalid-request"))["detail"].startswith("client_id: ")


async def test_neither_credentials_nor_origin_is_unauthorized(world: World) -> None:
    for body in (LOGIN, BIND):
        await problem(await world.call("POST", "/v1/tickets", json=body), 401, "unauthorized")


async def test_a_page_cannot_start_a_bind(world: World) -> None:
    body = {**BIND, "client_id": "shop"}
    response = await world.call("POST", "/v1/tickets", json=body, headers={"Origin": ORIGIN})
    await problem(response, 401, "unauthorized")
    assert world.sandbox.codes() == []
