"""A mini program is told what to ask for a scene and a fresh login; its answer ends the ticket (contract.md 8.4).

Red when another question is asked than the client configured, when a login is used for a scene that is not
genuine, when what is no answer uses the ticket up, or when the code's picture can be had by the ticket alone.
Covers: handlers.methods.schemas.
"""

from collections.abc import Callable
from typing import Any

import pytest
from altering import altered
from harness import MINI, ORIGIN, problem
from mini_program_phone import UNKNOWN, Phone, scene_of
from mini_world import mini_world

from sandbox.faults import SnsFault
from service.methods.mini_program_scans import ASKED

Make = Callable[..., Any]
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36"


async def test_the_answer_says_who_asks_for_what(make: Make) -> None:
    world = await mini_world(make)
    visitor = {"ip": "203.0.113.7", "user_agent": DESKTOP}
    page = await world.bind("42", account_name="an'na@<shop>.example", visitor=visitor)
    response = await Phone(world, await world.person()).scans(page)
    told = await response.json()
    assert 0 < told.pop("expires_in") <= 600
    assert len(told.pop("reply_token")) == 55
    assert told == {
        "site": "Example shop",
        "purpose": "bind",
        "account_name": "an'na@shop.example",
        "browser": "Chrome · Windows",
        "address": "203.0.113.7",
        "confirm": "match",
        "question": "Type the two digits shown on the page with the QR code:",
        "options": [],
        "lang": "en",
    }
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    ("confirm", "login", "bind"),
    [("none", "tap", "match"), ("tap", "tap", "match"), ("choose",) * 3, ("match",) * 3],
    ids=["none", "tap", "choose", "match"],
)
async def test_the_mini_program_asks_what_the_client_wants_and_never_nothing(
    make: Make, confirm: str, login: str, bind: str
) -> None:
    world = await mini_world(make, confirm=confirm)
    for page, expected in ((await world.login(), login), (await world.bind("42"), bind)):
        told = await Phone(world, await world.person()).scan(page)
        number = (await page.until("scanned"))["match"]
        assert told["confirm"] == expected
        assert (len(told["options"]), number in told["options"]) == (
            (3, True) if expected == "choose" else (0, False)
        )


async def test_the_language_is_the_tickets(make: Make) -> None:
    world = await mini_world(make)
    told = await Phone(world, await world.person()).scan(await world.login(lang="zh"))
    assert (told["lang"], told["site"]) == ("zh", "示例商城")
    assert "两位数字" in told["question"]


async def test_a_yes_logs_in_and_a_repeat_after_a_lost_response_is_told_the_same(make: Make) -> None:
    world = await mini_world(make, confirm="tap")
    page, phone = await world.login(), Phone(world, await world.person())
    await phone.scan(page)
    told = await phone.answer("yes")
    assert (told["status"], told["outcome"], told["reason"]) == ("confirmed", "register", None)
    assert "finish signing up" in told["text"]
    assert await phone.answer("yes") == await phone.answer("no") == told
    assert (await page.poll())["code"]


@pytest.mark.parametrize(
    ("confirm", "answer"),
    [
        ("tap", "10"),
        ("tap", "maybe"),
        ("tap", ""),
        ("match", "yes"),
        ("match", "123"),
        ("match", "1"),
        ("match", ""),
        ("choose", "yes"),
        ("choose", "123"),
    ],
    ids=lambda value: value or "empty",
)
async def test_what_is_no_answer_uses_nothing_up(make: Make, confirm: str, answer: str) -> None:
    world = await mini_world(make, confirm=confirm)
    page, phone = await world.login(), Phone(world, await world.person())
    await phone.scan(page)
    told = await problem(await phone.answers(answer), 400, "invalid-request")
    assert told["detail"].startswith("answer: ")
    number = (await page.until("scanned"))["match"]
    assert (await phone.answer(number or "yes"))["status"] == "confirmed"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scene": "s"},
        {"scene": 1, "js_code": "c"},
        {"scene": "s" * 65, "js_code": "c"},
        {"scene": "s", "js_code": ""},
        {"scene": "s", "js_code": "c" * 129},
        {"scene": "s", "js_code": "a b"},
        {"scene": "s", "js_code": "c", "openid": "o"},
    ],
    ids=str,
)
async def test_a_body_of_another_shape_is_refused_first(make: Make, body: dict[str, Any]) -> None:
    world = await mini_world(make)
    await problem(await Phone(world, await world.person()).post("scans", **body), 400, "invalid-request")


async def test_a_login_of_wechat_is_used_once_and_only_here(make: Make) -> None:
    world = await mini_world(make)
    page, person = await world.login(), await world.person()
    phone, code = Phone(world, person), world.programs.login(person, MINI.appid)
    assert (await phone.scans(page, js_code=code)).status == 200
    for bad in (code, "made-up"):
        await problem(await phone.scans(page, js_code=bad), 400, "invalid-code")
    assert (await phone.scans(page)).status == 200


async def test_a_person_whom_wechat_blocks_is_refused_and_the_ticket_stays(make: Make) -> None:
    world = await mini_world(make)
    page, person = await world.login(), await world.person()
    world.programs.block(person, on=True)
    await problem(await Phone(world, person).scans(page), 403, "person-blocked")
    assert (await page.poll())["status"] == "pending"
    assert (await Phone(world, await world.person()).scans(page)).status == 200


@pytest.mark.parametrize("fault", [SnsFault.BUSY, SnsFault.DAY_QUOTA, SnsFault.MINUTE_QUOTA, SnsFault.CUT])
async def test_a_login_is_sent_once_when_wechat_does_not_say_who_it_is(make: Make, fault: SnsFault) -> None:
    world = await mini_world(make)
    page, phone = await world.login(), Phone(world, await world.person())
    code = phone.login()
    world.authorization.fault = fault
    await problem(await phone.scans(page, js_code=code), 502, "wechat-unavailable")
    world.authorization.fault = None
    again = await phone.scans(page, js_code=code)
    # A cut connection has used the code up; the other faults have not.
    assert again.status == (400 if fault is SnsFault.CUT else 200)


async def test_the_code_is_a_picture_until_the_ticket_expires(make: Make) -> None:
    world = await mini_world(make)
    page = await world.bind("42")
    assert (page.made["qr_url"], page.made["qr_svg"]) == (None, None)
    address = page.made["qr_png"]
    response = await world.call("GET", address)
    assert (response.status, response.content_type) == (200, "image/png")
    assert "no-transform" in response.headers["Cache-Control"]
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    saved = await world.call("GET", f"{address}?size=720&download=1")
    assert "attachment" in saved.headers["Content-Disposition"]
    again = await (await page.raw(suffix="/code")).json()
    assert (again["qr_png"], again["open_url"]) == (address, page.made["open_url"])
    for other in (altered(address), f"/v1/code-pictures/{page.id}.{'x' * 36}"):
        await problem(await world.call("GET", other), 404, "not-found")
    world.clock.advance(page.made["expires_in"] + 1)
    await problem(await world.call("GET", address), 404, "not-found")


async def test_the_address_that_opens_the_page_has_the_codes_scene(make: Make) -> None:
    world = await mini_world(make)
    page = await world.login()
    [code] = world.programs.shown()
    assert (code.scene, code.width, code.page) == (scene_of(world, page), 280, "pages/scan/index")
    assert page.made["open_url"].startswith(f"weixin://dl/business/?appid={MINI.appid}&path=pages/scan/index&")
    assert page.id[16:] not in page.made["open_url"]


async def test_a_page_of_a_release_that_wechat_does_not_know_yet_gets_a_code(make: Make) -> None:
    world = await mini_world(make)
    world.programs.codes(MINI.appid).release_known = False
    assert (await Phone(world, await world.person()).scans(await world.login())).status == 200


@pytest.mark.parametrize("which", ["scans", "answers"])
async def test_an_address_has_so_many_calls_a_minute(make: Make, which: str) -> None:
    world = await mini_world(make, limits={"visits_per_address": 2})
    phone = Phone(world, await world.person())
    body = {"scene": "x", "js_code": "c"} if which == "scans" else {"reply_token": UNKNOWN, "answer": "yes"}
    assert [(await phone.post(which, **body)).status for _ in range(2)] != [429, 429]
    await problem(await phone.post(which, **body), 429, "rate-limited")


async def test_pages_of_no_site_may_call(make: Make) -> None:
    world = await mini_world(make)
    for which in ("scans", "answers"):
        response = await world.call("OPTIONS", f"/v1/miniprogram/mini/{which}", headers={"Origin": ORIGIN})
        assert response.status == 405
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_who_is_asked_is_kept_without_login_and_session_key(make: Make) -> None:
    """Red when a session_key or a code of `wx.login` is stored."""
    world = await mini_world(make)
    phone = Phone(world, await world.person())
    code = phone.login()
    assert (await phone.scans(await world.login(), js_code=code)).status == 200
    [key] = await world.redis.keys(f"{ASKED}*")
    kept = await world.redis.get(key)
    assert code not in kept
    assert "session" not in kept
