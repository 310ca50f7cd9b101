"""Endpoints of bindings: made with a registration, listed and deleted, separately for each client.

Covers: handlers.bindings.routes, handlers.bindings.schemas.
"""

import re
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientResponse
from harness import ACCOUNT, SECOND, World, basic, client, problem
from yarl import URL

EXACT = [
    "x" * 128, "😀" * 128, "a", "Ab", "aB", " ", "42 ", " 42", "...", ".a", "a.", "..a", "é", "e\u0301", "ﬁ", "K",
    "\u212a", "ß", "a/b", "/", "../x", "a%2Fb", "%", "%25", "%2e%2e", "a+b", "a b", "a?b", "a#b", "a;b", "a&b=c",
    "用户", "a\\b", "'; drop table bindings; --", '"', "<b>", "{user_id}", "null", "0", "👩🏽", "qrscene_1", "-_-",
    "A" * 36, "A" * 37,
]  # fmt: skip
"""User ids that something on the way might fold, cut, decode or resolve."""


async def source(
    world: World, method: str, user_id: str, query: str = "", *, client: str = "shop"
) -> ClientResponse:
    """Call a binding's address exactly as written: every byte that is not unreserved is escaped."""
    address = URL(f"{world.url}/v1/bindings/{quote(user_id, safe='')}{query}", encoded=True)
    response = await world.http.request(method, address, headers=basic(client))
    await response.read()
    return response


async def registration(world: World, person: Any, *, client: str = "shop") -> str:
    """Return a registration for *person*, who is not bound yet."""
    page = await world.login(client=client)
    await world.scan(person, page)
    code = (await page.until("confirmed"))["code"]
    told = await (await world.exchange(code, client=client)).json()
    assert told["outcome"] == "register"
    return str(told["registration"])


async def register(world: World, user_id: str, token: str, *, client: str = "shop") -> ClientResponse:
    return await world.site("POST", "/v1/bindings", {"user_id": user_id, "registration": token}, client=client)


async def test_a_binding_is_told_whole(world: World) -> None:
    person = await world.bound("42")
    response = await source(world, "GET", "42")
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    told = await response.json()
    (binding,) = told.pop("bindings")
    assert told == {"user_id": "42"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", binding.pop("bound_at"))
    openid = world.sandbox.contact(person).openid
    wanted = {"account": "main", "appid": ACCOUNT.appid, "openid": openid, "unionid": None}
    wanted |= {"method": "scan", "kind": "official_account", "userid": None, "profile": None}
    assert binding == {**wanted, "subscribed": True, "last_login_at": None, "consent": None}


async def test_an_unknown_user_has_an_empty_list(world: World) -> None:
    told = await (await source(world, "GET", "nobody")).json()
    assert told == {"user_id": "nobody", "bindings": []}


async def test_every_user_id_is_kept_exactly(make: Any) -> None:
    world = await make(limits={"tickets_per_address": 0, "tickets_per_client": 0})
    people = {user_id: await world.bound(user_id) for user_id in EXACT}
    for user_id, person in people.items():
        told = await (await source(world, "GET", user_id)).json()
        assert told.get("user_id") == user_id, told
        assert [one["openid"] for one in told["bindings"]] == [world.sandbox.contact(person).openid], user_id
        page = await world.login()
        await world.scan(person, page)
        code = (await page.until("confirmed"))["code"]
        assert (await (await world.exchange(code)).json())["user_id"] == user_id
    for user_id in EXACT:
        assert (await source(world, "DELETE", user_id)).status == 204, user_id
        assert (await (await source(world, "GET", user_id)).json())["bindings"] == []


async def test_a_user_id_in_an_address_is_refused_as_in_a_body(world: World) -> None:
    for user_id in ("x" * 129, "a\nb", "\0", "\u200b", "\u202e", "\u00a0"):
        for method in ("GET", "DELETE"):
            told = await problem(await source(world, method, user_id), 400, "invalid-request")
            assert told["detail"].startswith("user_id: "), user_id
    for raw in ("%ED%A0%80", "%FF", "%C3", "%00"):
        address = URL(f"{world.url}/v1/bindings/{raw}", encoded=True)
        async with world.http.get(address, headers=basic()) as response:
            assert response.status == 400 or (await response.json())["bindings"] == []
    for raw in (".", "..", "%2e", "%2e%2e", ""):
        address = URL(f"{world.url}/v1/bindings/{raw}", encoded=True)
        async with world.http.get(address, headers=basic()) as response:
            assert response.status in (400, 404)


async def test_a_registration_binds_once_and_again_for_the_same_user(world: World) -> None:
    person = await world.person(unionid="u-1")
    token = await registration(world, person)
    first = await register(world, "77", token)
    assert first.status == 201
    made = await first.json()
    assert made.keys() == {
        "user_id", "method", "kind", "account", "appid", "openid", "unionid", "userid", "profile", "subscribed",
        "bound_at", "last_login_at", "consent",
    }  # fmt: skip
    assert (made["user_id"], made["account"], made["unionid"]) == ("77", "main", "u-1")
    again = await register(world, "77", token)
    assert (again.status, await again.json()) == (200, made)
    assert await world.bindings("77") == [{name: made[name] for name in made if name != "user_id"}]


async def test_a_used_registration_is_no_other_users(world: World) -> None:
    token = await registration(world, await world.person())
    assert (await register(world, "77", token)).status == 201
    for user_id in ("78", "77 ", "Anna"):
        await problem(await register(world, user_id, token), 400, "invalid-code")
        assert await world.bindings(quote(user_id)) == []
    assert (await source(world, "DELETE", "77")).status == 204
    await problem(await register(world, "77", token), 400, "invalid-code")


async def test_a_conflict_says_why_and_uses_nothing_up(world: World) -> None:
    await world.bound("42")
    newcomer = await world.person()
    token, older = await registration(world, newcomer), await registration(world, newcomer)
    told = await problem(await register(world, "42", token), 409, "binding-conflict")
    assert told["reason"] == "user_taken"
    assert (await register(world, "43", token)).status == 201
    told = await problem(await register(world, "44", older), 409, "binding-conflict")
    assert told["reason"] == "wechat_taken"
    assert (await source(world, "DELETE", "43")).status == 204
    assert (await register(world, "44", older)).status == 201


async def test_a_registration_replaces_only_where_that_is_allowed_and_never_takes_over(make: Any) -> None:
    world = await make(clients={"shop": client("shop", rebind="replace", takeover="move")})
    await world.bound("42")
    newcomer = await world.person()
    token, older = await registration(world, newcomer), await registration(world, newcomer)
    assert (await register(world, "42", token)).status == 201
    assert [one["openid"] for one in await world.bindings("42")] == [world.sandbox.contact(newcomer).openid]
    told = await problem(await register(world, "43", older), 409, "binding-conflict")
    assert told["reason"] == "wechat_taken"


async def test_a_registration_lives_a_quarter_of_an_hour(world: World) -> None:
    world.clock.hold()
    early, late = [await registration(world, await world.person()) for _ in range(2)]
    world.clock.advance(898)
    assert (await register(world, "77", early)).status == 201
    world.clock.advance(3)
    await problem(await register(world, "78", late), 400, "invalid-code")
    await problem(await register(world, "77", early), 400, "invalid-code")


async def test_a_registration_is_its_own_clients_alone(world: World) -> None:
    token = await registration(world, await world.person())
    await problem(await register(world, "77", token, client="club"), 400, "invalid-code")
    assert (await register(world, "77", token)).status == 201


async def test_what_never_was_a_registration_is_an_invalid_code(world: World) -> None:
    person = await world.person()
    page = await world.login()
    await world.scan(person, page)
    code = (await page.until("confirmed"))["code"]
    await problem(await register(world, "77", code), 400, "invalid-code")
    token = (await (await world.exchange(code)).json())["registration"]
    await problem(await world.exchange(token), 400, "invalid-code")
    flipped = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(0, len(token), 3)]
    for text in (*flipped, code, "", "\0", "x" * 60_000, token[:-1], token + "A", token.split(".")[0], "😀"):
        await problem(await register(world, "77", text), 400, "invalid-code")
    assert (await register(world, "77", token)).status == 201


async def test_a_body_that_does_not_fit_is_not_valid(world: World) -> None:
    token = await registration(world, await world.person())
    good = {"user_id": "77", "registration": token}
    bodies: list[Any] = [
        {}, [], {"user_id": "77"}, {"registration": token}, {**good, "account": "main"},
        {**good, "user_id": 77}, {**good, "user_id": ""}, {**good, "user_id": ".."},
        {**good, "user_id": "x" * 129}, {**good, "registration": None}, {**good, "registration": [token]},
    ]  # fmt: skip
    for body in bodies:
        await problem(await world.site("POST", "/v1/bindings", body), 400, "invalid-request")
    assert (await world.site("POST", "/v1/bindings", good)).status == 201


@pytest.fixture
async def two(make: Any) -> World:
    """A world whose shop has two accounts."""
    started: World = await make(
        official={"main": ACCOUNT, "second": SECOND},
        clients={"shop": client("shop", accounts=["main", "second"]), "club": client("club")},
    )
    return started


async def test_a_user_is_disconnected_from_one_account_or_from_all(two: World) -> None:
    person = await two.person()
    for account in ("main", "second"):
        await two.scan(person, await two.bind("42", account=account))
    assert {one["appid"] for one in await two.bindings("42")} == {ACCOUNT.appid, SECOND.appid}
    assert (await source(two, "DELETE", "42", "?account=second")).status == 204
    assert [one["account"] for one in await two.bindings("42")] == ["main"]
    await problem(await source(two, "DELETE", "42", "?account=second"), 404, "binding-not-found")
    await two.scan(person, await two.bind("42", account="second"))
    response = await source(two, "DELETE", "42")
    assert (response.status, await response.read()) == (204, b"")
    assert await two.bindings("42") == []
    await problem(await source(two, "DELETE", "42"), 404, "binding-not-found")


async def test_an_account_that_there_is_not_ends_nothing(two: World) -> None:
    await two.bound("42")
    for query in ("third", "", "MAIN", "main%00", "%00", "%ED%A0%80", "%FF", "main%20", "main'--"):
        await problem(await source(two, "DELETE", "42", f"?account={query}"), 404, "binding-not-found")
    assert len(await two.bindings("42")) == 1


async def test_who_disconnects_can_be_bound_again_and_logs_in_no_more(world: World) -> None:
    person = await world.bound("42")
    assert (await source(world, "DELETE", "42")).status == 204
    page = await world.login()
    await world.scan(person, page)
    assert (await page.until("confirmed"))["outcome"] == "register"
    page = await world.bind("43")
    await world.scan(person, page)
    assert (await page.until("confirmed"))["outcome"] == "bound"


async def test_clients_know_nothing_of_each_other(world: World) -> None:
    person = await world.bound("42")
    assert await world.bindings("42", client="club") == []
    await problem(await source(world, "DELETE", "42", client="club"), 404, "binding-not-found")
    page = await world.login(client="club")
    await world.scan(person, page)
    assert (await page.until("confirmed"))["outcome"] == "register"
    page = await world.bind("other", client="club")
    await world.scan(person, page)
    assert (await page.until("confirmed"))["outcome"] == "bound"
    assert len(await world.bindings("42")) == 1
    assert (await source(world, "DELETE", "other", client="club")).status == 204
    assert len(await world.bindings("42")) == 1


async def test_a_taken_user_and_a_taken_wechat_are_told_apart(world: World) -> None:
    person, other = await world.bound("42"), await world.person()
    reasons = []
    for scanner, user_id in ((other, "42"), (person, "43")):
        page = await world.bind(user_id)
        await world.scan(scanner, page)
        reasons.append((await page.until("rejected"))["reason"])
    assert reasons == ["user_taken", "wechat_taken"]
    page = await world.bind("42")
    await world.scan(person, page)
    assert (await page.until("confirmed"))["outcome"] == "already_bound"


async def test_an_id_that_is_not_utf_8_belongs_to_no_user(world: World) -> None:
    await world.bound("%FF")
    assert len(await world.bindings("%25FF")) == 1
    async with world.http.get(URL(f"{world.url}/v1/bindings/%FF", encoded=True), headers=basic()) as response:
        assert (await problem(response, 400, "invalid-request"))["detail"] == "user_id: must be UTF-8"


async def test_a_misspelt_account_deletes_no_binding(world: World) -> None:
    await world.bound("42")
    told = await problem(await source(world, "DELETE", "42", "?acount=main"), 400, "invalid-request")
    assert "acount" in told["detail"]
    assert len(await world.bindings("42")) == 1


async def test_what_people_agreed_to_is_told_with_the_binding(make: Any) -> None:
    """Red when a stage or a registration leaves the client's consent out of its policy."""
    world = await make(clients={"shop": client("shop", consent="2026-01"), "club": client("club")})
    await world.bound("42")
    token = await registration(world, await world.person())
    assert (await (await register(world, "77", token)).json())["consent"] == "2026-01"
    assert [(await world.bindings(user))[0]["consent"] for user in ("42", "77")] == ["2026-01", "2026-01"]
    await world.bound("42", client="club")
    assert (await world.bindings("42", client="club"))[0]["consent"] is None
