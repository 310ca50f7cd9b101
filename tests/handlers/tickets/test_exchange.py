"""A login code is exchanged once, by its client, within a minute."""

import asyncio
from typing import Any

from harness import ACCOUNT, Page, World, client, problem

IDENTITY = {"method", "kind", "account", "appid", "openid", "unionid", "userid", "profile"}
PERSON = {"outcome", "subscribed", "state", "via"} | IDENTITY


async def confirmed(world: World, person: Any, **fields: Any) -> str:
    """Return the code of a login that *person* confirmed."""
    page = await world.login(**fields)
    await world.scan(person, page)
    return str((await page.until("confirmed"))["code"])


async def test_a_login_is_told_whole(world: World) -> None:
    person = await world.bound("42")
    state = "a b\n\u202e<😀>é\u0301"
    response = await world.exchange(await confirmed(world, person, state=state))
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    told = await response.json()
    assert told.keys() == PERSON | {"user_id", "bound_at"}
    bound = (await world.bindings("42"))[0]
    wanted: dict[str, Any] = {
        "outcome": "login",
        "user_id": "42",
        "unionid": None,
        "userid": None,
        "profile": None,
        "method": "scan",
        "kind": "official_account",
        "account": "main",
        "appid": ACCOUNT.appid,
    }
    wanted |= {"subscribed": True, "state": state, "via": "page"}
    wanted |= {"openid": bound["openid"], "bound_at": bound["bound_at"]}
    assert told == wanted
    assert bound["last_login_at"] >= bound["bound_at"]


async def test_a_registration_is_told_whole(world: World) -> None:
    person = await world.person(unionid="u-1", following=False)
    told = await (await world.exchange(await confirmed(world, person))).json()
    assert told.keys() == PERSON | {"registration", "expires_in"}
    openid = world.sandbox.contact(person).openid
    assert (told["outcome"], told["openid"], told["unionid"]) == ("register", openid, "u-1")
    assert (told["expires_in"], told["state"], told["subscribed"]) == (900, None, True)


async def test_a_login_of_a_back_end_says_so(world: World) -> None:
    response = await world.site("POST", "/v1/tickets", {"purpose": "login", "state": "s"})
    page = Page(world, await response.json(), response.status)
    await world.scan(await world.person(), page)
    told = await (await world.exchange((await page.until("confirmed"))["code"])).json()
    assert (told["via"], told["state"]) == ("backend", "s")


async def test_twenty_exchanges_at_once_are_one(world: World) -> None:
    code = await confirmed(world, await world.bound("42"))
    answers = await asyncio.gather(*(world.exchange(code) for _ in range(20)))
    assert sorted(one.status for one in answers) == [200] + [400] * 19
    for one in answers:
        if one.status != 200:
            await problem(one, 400, "invalid-code")


async def test_a_code_is_gone_from_the_page_once_it_was_exchanged(world: World) -> None:
    page = await world.login()
    await world.scan(await world.person(), page)
    code = (await page.until("confirmed"))["code"]
    tag = (await page.raw()).headers["ETag"]
    assert (await world.exchange(code)).status == 200
    state = await (await page.raw(If_None_Match=tag, Prefer="wait=5")).json()
    assert (state["status"], state["outcome"], state["code"]) == ("confirmed", "register", None)
    await problem(await world.exchange(code), 400, "invalid-code")


async def test_a_code_lives_a_minute(world: World) -> None:
    world.clock.hold()
    person = await world.bound("42")
    early, late = await confirmed(world, person), await confirmed(world, person)
    world.clock.advance(58)
    assert (await world.exchange(early)).status == 200
    world.clock.advance(3)
    await problem(await world.exchange(late), 400, "invalid-code")


async def test_a_code_is_its_own_clients_alone_and_a_theft_uses_nothing_up(world: World) -> None:
    code = await confirmed(world, await world.bound("42"))
    await problem(await world.exchange(code, client="club"), 400, "invalid-code")
    assert (await world.exchange(code)).status == 200


async def test_every_changed_character_of_a_code_is_noticed(world: World) -> None:
    code = await confirmed(world, await world.bound("42"))
    for at in range(len(code)):
        changed = code[:at] + ("A" if code[at] != "A" else "B") + code[at + 1 :]
        await problem(await world.exchange(changed), 400, "invalid-code")
    assert (await world.exchange(code)).status == 200


async def test_what_never_was_a_code_is_an_invalid_code(world: World) -> None:
    page = await world.login()
    code = await confirmed(world, await world.bound("42"))
    head, mac = code.split(".")
    garbage = [
        "", ".", "x", "\0", f"{code}\0", f"\0{code}", f" {code}", f"{code} ", f"{code}.", head, f"{head}.",
        f".{mac}", f"{head}.{mac[:-1]}", f"{head}.{mac}A", f"{page.id}.{mac}", page.id, page.made["secret"],
        "😀" * 100, "x" * 60_000, "." * 60_000, code.upper(), "é", "../..",
    ]  # fmt: skip
    for text in garbage:
        told = await problem(await world.exchange(text), 400, "invalid-code")
        assert code not in told["detail"]
    assert (await world.exchange(code)).status == 200


async def test_a_body_without_a_code_is_not_valid(world: World) -> None:
    bodies: list[Any] = [
        {},
        [],
        {"code": None},
        {"code": 1},
        {"code": ["x"]},
        {"code": "x", "more": 1},
        {"Code": "x"},
    ]
    for body in bodies:
        await problem(await world.site("POST", "/v1/exchange", body), 400, "invalid-request")
    response = await world.site("POST", "/v1/exchange", {"code": "\ud800"})
    await problem(response, 400, "invalid-request")


async def test_a_bind_gives_no_code(world: World) -> None:
    page = await world.bind("42")
    await world.scan(await world.person(), page)
    assert (await page.until("confirmed"))["code"] is None


async def test_the_code_of_a_binding_that_ended_since_is_worth_nothing(world: World) -> None:
    code = await confirmed(world, await world.bound("42"))
    assert (await world.site("DELETE", "/v1/bindings/42")).status == 204
    await problem(await world.exchange(code), 400, "invalid-code")


async def test_the_state_is_lost_with_redis_and_then_null(make: Any) -> None:
    world = await make(clients={"shop": client("shop", confirm="tap"), "club": client("club")})
    person = await world.bound("9", client="club")
    page = await world.login(state="s")
    await world.redis.flushall()
    chat = await world.scan(person, page)
    assert chat
    assert "Firefox" not in chat
    await world.sandbox.tap(person, "Yes, that is me")
    told = await (await world.exchange((await page.until("confirmed"))["code"])).json()
    assert told["state"] is None
