"""A sealed call runs as its client's own, with the checks and limits of any other, and its answer is sealed.

Red when the inner call is not marked as proven, when an answer leaves without a seal, or when Basic is accepted of
a client that must seal its calls.

Covers: handlers.sealed_calls.inner_request, handlers.sealed_calls.routes, handlers.sealed_calls.schemas.
"""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from harness import ACCOUNT, ORIGIN, SECRETS, World, basic, client, problem
from sealed import KEYS, Back, unsealed
from yarl import URL

from handlers.http.authentication import CLIENT, CLIENT_OR_PAGE
from handlers.routes import ALL
from handlers.sealed_calls.inner_request import InnerRequest
from service.observability.logs import REQUEST_ID

BIND = {"purpose": "bind", "user_id": "42", "refresh": True}
NEWER = "bmV3ZXIta2V5LW9mLTMyLWJ5dGVzLWZvci10ZXN0cy4"
FOR_BACK_ENDS = {
    ("POST", "/v1/tickets"): BIND,
    ("POST", "/v1/exchange"): {"code": "x"},
    ("POST", "/v1/bindings"): {"user_id": "42", "registration": "x"},
    ("GET", "/v1/bindings/42"): None,
    ("DELETE", "/v1/bindings/42"): None,
    ("GET", "/v1/accounts/main/access-token"): None,
    ("POST", "/v1/accounts/main/access-token/invalid"): {"access_token": "x"},
    ("POST", "/v1/portal-sessions"): {"user_id": "42"},
    ("DELETE", "/v1/portal-sessions"): None,
}


@pytest.fixture
async def shop(make: Callable[..., Any]) -> Back:
    return Back(await make(clients={"shop": client("shop", sealing_key=KEYS["shop"]), "club": client("club")}))


async def test_the_three_calls_of_a_back_end_work_sealed(shop: Back) -> None:
    made = await shop.ask("POST", "/v1/tickets", BIND, status=201)
    person = await shop.world.person()
    await shop.world.sandbox.scan(person, made["qr_url"])
    told = await shop.ask("GET", "/v1/bindings/42")
    assert [one["openid"] for one in told["bindings"]] == [person.openid(ACCOUNT.appid)]
    gone = await shop.call("DELETE", "/v1/bindings/42", query={"account": "main"})
    assert (gone.status, await gone.read(), gone.headers.get("Content-Type")) == (204, b"", None)
    assert (await shop.ask("GET", "/v1/bindings/42"))["bindings"] == []


async def test_the_answer_has_the_status_of_the_call_and_may_not_be_stored(shop: Back) -> None:
    first = await shop.ask("POST", "/v1/tickets", BIND | {"refresh": False}, status=201)
    again = await shop.ask("POST", "/v1/tickets", BIND | {"refresh": False}, status=200)
    assert again["ticket"] == first["ticket"]
    response = await shop.call("GET", "/v1/bindings/42")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in response.headers
    first_member = unsealed(await response.text(), key=KEYS["shop"])[1]
    assert first_member.startswith(b'{"jti":"')


async def test_a_login_that_came_sealed_is_the_back_ends(shop: Back) -> None:
    made = await shop.ask("POST", "/v1/tickets", {"purpose": "login", "state": "xyz"}, status=201)
    await shop.world.sandbox.scan(await shop.world.person(), made["qr_url"])
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    state = await (await shop.world.call("GET", f"/v1/tickets/{made['ticket']}", headers=bearer)).json()
    told = await shop.ask("POST", "/v1/exchange", {"code": state["code"]})
    assert (told["outcome"], told["via"], told["state"]) == ("register", "backend", "xyz")


async def test_members_without_content_may_be_null_or_left_out(shop: Back) -> None:
    for empty in ({"query": None, "body": None}, {"query": {}, "body": {}}):
        await shop.ask("GET", "/v1/bindings/42", **empty)
    fields = shop.wanted("GET", "/v1/bindings/42") | {"query": None, "body": None}
    await shop.told(await shop.send(shop.seal(fields)), fields["jti"])


@pytest.mark.parametrize(
    ("user", "written"), [("张三/3", "%E5%BC%A0%E4%B8%89%2F3"), ("a b?", "a%20b%3F"), ("%41{x}", "%2541%7Bx%7D")]
)
async def test_a_path_is_read_as_that_of_any_request(shop: Back, user: str, written: str) -> None:
    await shop.ask("POST", "/v1/tickets", BIND | {"user_id": user}, status=201)
    assert (await shop.ask("GET", f"/v1/bindings/{written}"))["user_id"] == user


async def test_a_problem_is_answered_as_it_is_with_the_one_request_id(shop: Back) -> None:
    compact = shop.seal(shop.wanted("DELETE", "/v1/bindings/unbound"))
    response = await shop.send(compact)
    await problem(response, 404, "binding-not-found")
    compact = shop.seal(shop.wanted("POST", "/v1/bindings", {"user_id": "42", "registration": "x"}))
    response = await shop.send(compact, **{"X-Request-Id": "given-id-1"})
    assert (await problem(response, 400, "invalid-code"))["instance"] == "given-id-1"


async def test_the_fields_of_the_inner_body_are_checked_as_strictly(shop: Back) -> None:
    response = await shop.call("POST", "/v1/tickets", BIND | {"colour": "red"})
    assert "colour: unknown field" in (await problem(response, 400, "invalid-request"))["detail"]
    response = await shop.call("DELETE", "/v1/bindings/42", query={"colour": "red"})
    assert "colour" in (await problem(response, 400, "invalid-request"))["detail"]


async def test_the_limits_of_calls_hold_for_sealed_ones(make: Callable[..., Any]) -> None:
    shop = Back(
        await make(clients={"shop": client("shop", sealing_key=KEYS["shop"])}, limits={"tickets_per_user": 1})
    )
    await shop.ask("POST", "/v1/tickets", BIND, status=201)
    response = await shop.call("POST", "/v1/tickets", BIND)
    await problem(response, 429, "rate-limited")
    assert int(response.headers["Retry-After"]) > 0


async def test_a_long_body_is_not_longer_within(shop: Back) -> None:
    """Red when the inner body is written with escapes: it would exceed the limit that the outer one keeps."""
    fields = shop.wanted("POST", "/v1/tickets", BIND | {"user_id": "张" * 14_000})
    compact = shop.seal(json.dumps(fields, ensure_ascii=False).encode())
    assert "user_id: " in (await problem(await shop.send(compact), 400, "invalid-request"))["detail"]


async def test_a_body_over_64_kib_is_refused(shop: Back) -> None:
    fields = shop.wanted("POST", "/v1/tickets", {"user_id": "x" * 50_000})
    await problem(await shop.send(shop.seal(fields)), 413, "payload-too-large")


async def test_a_body_that_is_longer_once_read_is_refused(shop: Back) -> None:
    """Red when the inner request cannot hold it: `1e15` is written as 1000000000000000.0."""
    fields = json.dumps(shop.wanted("POST", "/v1/tickets", {"a": 0})).replace(
        '"a": 0', f'"a": [{"1e15," * 9000}0]'
    )
    await problem(await shop.send(shop.seal(fields.encode())), 413, "payload-too-large")


async def test_another_media_type_or_a_compressed_body_is_refused(shop: Back) -> None:
    compact = shop.seal(shop.wanted("GET", "/v1/bindings/42"))
    for headers in ({"Content-Type": "application/json"}, {"Content-Encoding": "gzip"}):
        response = await shop.send(compact, **headers)
        await problem(response, 415, "unsupported-media-type")


async def test_the_seal_counts_and_not_what_stands_around_it(shop: Back) -> None:
    fields = shop.wanted("GET", "/v1/bindings/42")
    around = {**basic(secret="wrong"), "Origin": ORIGIN, "If-None-Match": "*", "Prefer": "wait=9"}
    await shop.told(await shop.send(shop.seal(fields), **around), fields["jti"])


async def test_of_the_outer_headers_those_of_proxies_alone_are_the_calls() -> None:
    """Red when `_KEPT` has `Authorization`, `Origin` or `Cookie`."""
    way = {
        "Host": "login.example",
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "Forwarded": "x",
    }
    others = {**basic(), "Origin": ORIGIN, "Cookie": "a=b", "Prefer": "wait=9", "Content-Encoding": "gzip"}
    REQUEST_ID.set("given-id-1")
    outer = make_mocked_request("POST", "/v1/sealed?a=b", headers={**way, **others})
    inner = InnerRequest(outer, "GET", URL("/v1/bindings/42"), {})
    assert dict(inner.headers) == {**way, "Content-Type": "application/json", "X-Request-Id": "given-id-1"}
    assert (inner.method, str(inner.rel_url), await inner.read()) == ("GET", "/v1/bindings/42", b"{}")


async def test_while_keys_change_both_open_and_the_answer_has_the_key_of_the_call(
    make: Callable[..., Any],
) -> None:
    world: World = await make(clients={"shop": client("shop", sealing_key=[NEWER, KEYS["shop"]])})
    for key in (NEWER, KEYS["shop"]):
        await Back(world, keys={"shop": key}).ask("GET", "/v1/bindings/42")


async def test_a_client_that_must_seal_is_refused_with_its_password_everywhere(make: Callable[..., Any]) -> None:
    """Red when `basic_client` does not look at `require_sealed`."""
    must = client("shop", sealing_key=KEYS["shop"], require_sealed=True)
    shop = Back(await make(clients={"shop": must, "club": client("club")}))
    for (method, path), body in FOR_BACK_ENDS.items():
        told = await problem(await shop.world.site(method, path, body), 401, "unauthorized")
        assert "require_sealed" in told["detail"]
        wrong = await shop.world.call(method, path, json=body, headers=basic(secret="wrong"))
        assert "require_sealed" not in (await problem(wrong, 401, "unauthorized"))["detail"]
    assert (await shop.world.site("GET", "/v1/bindings/42", client="club")).status == 200
    await shop.ask("GET", "/v1/bindings/42")
    assert (await shop.world.login()).status == 201, "pages start logins as before"


async def test_a_client_that_must_seal_needs_no_password(make: Callable[..., Any]) -> None:
    without = {name: it for name, it in client("shop").items() if name != "secret"}
    shop = Back(await make(clients={"shop": {**without, "sealing_key": KEYS["shop"], "require_sealed": True}}))
    await shop.ask("GET", "/v1/bindings/42")
    for secret in ("", SECRETS["shop"]):
        response = await shop.world.call("GET", "/v1/bindings/42", headers=basic(secret=secret))
        assert "require_sealed" not in (await problem(response, 401, "unauthorized"))["detail"]


async def test_both_endpoints_are_counted_and_logged(shop: Back, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="scanbind.access"):
        await shop.ask("POST", "/v1/tickets", BIND, status=201)
        await problem(await shop.call("DELETE", "/v1/bindings/7"), 404, "binding-not-found")
        text = await (await shop.world.call("GET", "/metrics")).text()
    for method, route, status in (
        ("POST", "/v1/sealed", 201),
        ("POST", "/v1/tickets", 201),
        ("POST", "/v1/sealed", 404),
        ("DELETE", "/v1/bindings/{user_id}", 404),
    ):
        assert f'_count{{method="{method}",route="{route}",status="{status}"}} 1.0' in text
        assert f"{method} {route} {status}" in caplog.messages


def test_the_calls_of_these_tests_are_all_that_take_a_password() -> None:
    """Red when a new endpoint for back ends is not named here: `require_sealed` has to hold for it."""
    taking = {(it.method, it.path) for it in ALL if it.caller in (CLIENT, CLIENT_OR_PAGE)}
    paths = {(method, re.sub("main", "{account}", path)) for method, path in FOR_BACK_ENDS}
    assert {(method, re.sub(r"/\{user_id.*", "/42", path)) for method, path in taking} == paths


async def test_every_call_for_back_ends_can_be_sealed(shop: Back) -> None:
    for (method, path), body in FOR_BACK_ENDS.items():
        query = {"user_id": "42"} if (method, path) == ("DELETE", "/v1/portal-sessions") else {}
        response = await shop.call(method, path, body, query=query)
        if response.status != 204 and response.content_type != "application/jose":
            known = ("invalid-code", "binding-not-found", "forbidden")
            assert (await response.json())["type"].removeprefix("/problems/") in known, path
