"""Making tickets: responses, and refusals that make no ticket.

Covers: handlers.tickets.routes, handlers.tickets.schemas.
"""

import asyncio
import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import ClientResponse
from harness import ACCOUNT, ORIGIN, SECOND, World, basic, client, problem

from models.audit import AuditEvent
from models.tables.audit import audit
from service.app_keys import AUDIT
from service.tickets.store import KEYS
from service.wechat.api import QrCode, WeChatApi

LOGIN = {"purpose": "login", "client_id": "shop"}
BIND = {"purpose": "bind", "user_id": "42"}
SHAPE = {
    "ticket", "secret", "purpose", "method", "methods", "status", "account", "qr_url", "qr_svg", "qr_png",
    "open_url", "passcode", "send_to", "authorize_url", "panel",
    "created_at", "expires_at", "expires_in", "poll_after",
}  # fmt: skip
JSON = "application/json"


async def post(world: World, body: Any, *, content_type: str | None = JSON, **headers: str) -> ClientResponse:
    """Ask for a ticket as the shop's back end, or as *headers* say; bytes are sent unchanged."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": content_type} if content_type else {}
    skip = () if content_type else ("Content-Type",)
    return await world.call(
        "POST", "/v1/tickets", data=data, headers={**named, **(headers or basic())}, skip_auto_headers=skip
    )


async def detail(world: World, body: Any) -> str:
    """Return why *body* is refused as not valid; a refusal makes no code."""
    before = len(world.sandbox.codes())
    told = await problem(await post(world, body), 400, "invalid-request")
    assert len(world.sandbox.codes()) == before
    return str(told["detail"])


def seconds(made: dict[str, Any]) -> float:
    began, ends = (datetime.fromisoformat(made[name]) for name in ("created_at", "expires_at"))
    return (ends - began) / timedelta(seconds=1)


async def test_a_page_gets_a_login_ticket_of_the_promised_shape(world: World) -> None:
    response = await world.call("POST", "/v1/tickets", json=LOGIN, headers={"Origin": ORIGIN})
    assert (response.status, response.content_type) == (201, JSON)
    assert response.headers["Cache-Control"] == "no-store"
    made = await response.json()
    assert made.keys() == SHAPE
    assert (made["purpose"], made["method"]) == ("login", "scan")
    assert (made["status"], made["account"]) == ("pending", "main")
    assert made["qr_url"].startswith("http://weixin.qq.com/q/")
    assert re.fullmatch(r"/v1/qr/[A-Za-z0-9_-]+\.svg", made["qr_svg"])
    assert made["qr_png"] == made["qr_svg"].removesuffix("svg") + "png"
    for name in ("created_at", "expires_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made[name])
    assert (made["expires_in"], made["poll_after"], seconds(made)) == (300, 2, 300)


async def test_a_back_end_gets_login_and_bind_tickets_without_naming_itself(world: World) -> None:
    named = {**BIND, "client_id": "shop", "session": "s"}
    for body, lifetime in (({"purpose": "login"}, 300), (BIND, 600), (named, 600)):
        response = await post(world, body)
        made = await response.json()
        assert (response.status, made.keys(), made["purpose"]) == (201, SHAPE, body["purpose"])
        assert made["expires_in"] == seconds(made) == lifetime


async def test_every_optional_field_may_be_given(world: World) -> None:
    visitor = {"ip": "203.0.113.7", "user_agent": "Mozilla/5.0 Firefox/140.0"}
    full = {"client_id": "shop", "method": "scan", "account": "main", "lang": "zh", "visitor": visitor}
    assert (await post(world, {"purpose": "login", "state": "s" * 256, **full})).status == 201
    more = {"account_name": "安娜 <anna@shop.example>", "session": "x" * 128, "refresh": True}
    assert (await post(world, {**BIND, **more, **full})).status == 201
    nothing = dict.fromkeys(("client_id", "method", "account", "lang", "visitor"))
    assert (await post(world, {"purpose": "login", "state": None, **nothing})).status == 201
    assert (await post(world, {**BIND, "account_name": None, **nothing})).status == 201


async def test_tickets_secrets_and_codes_are_never_twice_the_same(world: World) -> None:
    made = [(await world.login()).made for _ in range(5)]
    for name in ("ticket", "secret", "qr_url", "qr_svg"):
        assert len({one[name] for one in made}) == 5


async def test_a_configured_lifetime_is_the_tickets(make: Any) -> None:
    world = await make(tickets={"login_lifetime": 30, "bind_lifetime": 1800})
    assert ((await world.login()).made["expires_in"], (await world.bind("42")).made["expires_in"]) == (30, 1800)


async def test_the_account_is_chosen_from_the_clients_own(make: Any) -> None:
    world = await make(
        official={"main": ACCOUNT, "second": SECOND},
        clients={"shop": client("shop", accounts=["second", "main"]), "club": client("club")},
    )
    assert (await world.login()).made["account"] == "second"
    assert (await world.login(account="main")).made["account"] == "main"
    assert (await world.bind("42", account="main")).made["account"] == "main"
    person = await world.person()
    page = await world.login()
    await world.scan(person, page)
    told = await (await world.exchange((await page.poll())["code"])).json()
    assert (told["account"], told["appid"]) == ("second", SECOND.appid)
    assert "account" in await detail(world, {**BIND, "account": "third"})
    response = await world.site("POST", "/v1/tickets", {**BIND, "account": "second"}, client="club")
    assert "account" in (await problem(response, 400, "invalid-request"))["detail"]


async def test_the_language_asked_for_is_spoken_when_the_persons_is_not_known(make: Any) -> None:
    world = await make(clients={"shop": client("shop", confirm="tap", lang="en")})
    stranger = {"language": "", "following": False}
    assert "网页" not in await world.scan(await world.person(**stranger), await world.login())
    assert "请求" in await world.scan(await world.person(**stranger), await world.login(lang="zh"))


async def test_what_is_not_json_of_the_right_kind_is_refused(world: World) -> None:
    bodies = {
        b"": "JSON",
        b"{": "JSON",
        b'{"purpose":"login"} x': "JSON",
        b'{"purpose":"login","state":"\xff"}': "JSON",
        b'\xef\xbb\xbf{"purpose":"login"}': "JSON",
        '{"purpose":"login"}'.encode("utf-16"): "JSON",
        b'{"purpose":"login","state":NaN}': "JSON",
        b'{"purpose":"login","state":-Infinity}': "JSON",
        b'{"purpose":"login","state":"\\ud83d"}': "JSON",
        b'{"purpose":"login","\\udc00":1}': "JSON",
        b'{"purpose":"login","state":' + b"9" * 5000 + b"}": "JSON",
        b"[" * 60_000: "JSON",
        b'{"state":' * 6000 + b"1" + b"}" * 6000: "JSON",
        b'{"purpose":"login","purpose":"login"}': "repeats a key",
        b'{"purpose":"login","visitor":{"ip":"::1","\\u0069p":"::1"}}': "repeats a key",
    }
    for body, why in bodies.items():
        assert why in await detail(world, body), body[:60]
    for value in (None, True, 1, 1.5, "login", [], [LOGIN]):
        await detail(world, value)


async def test_fields_that_are_missing_unknown_or_wrong_are_named(world: World) -> None:
    login, bind = {"purpose": "login"}, BIND
    faults: list[tuple[dict[str, Any], str]] = [
        ({}, "purpose"),
        ({"purpose": None}, "purpose"),
        ({"purpose": "Login"}, "purpose"),
        ({"purpose": "delete"}, "purpose"),
        ({"purpose": ["login"]}, "purpose"),
        ({**login, "purpose ": "bind"}, "purpose?"),
        ({**login, "openid": "o1"}, "openid"),
        ({**login, "user_id": "42"}, "user_id"),
        ({**login, "refresh": True}, "refresh"),
        ({**bind, "state": "x"}, "state"),
        ({**login, "state": 5}, "state"),
        ({**login, "state": {"a": 1}}, "state"),
        ({**login, "state": "s" * 257}, "state"),
        ({**login, "lang": "fr"}, "lang"),
        ({**login, "lang": "ZH"}, "lang"),
        ({**login, "account": ""}, "account"),
        ({**login, "account": 1}, "account"),
        ({**login, "account": "a" * 65}, "account"),
        ({**login, "client_id": 1}, "client_id"),
        ({**login, "visitor": "203.0.113.7"}, "visitor"),
        ({**login, "visitor": {"port": 1}}, "visitor.port"),
        ({**login, "visitor": {"ip": 1}}, "visitor.ip"),
        ({**login, "visitor": {"ip": "1" * 65}}, "visitor.ip"),
        ({**login, "visitor": {"user_agent": "x" * 1025}}, "visitor.user_agent"),
        ({"purpose": "bind"}, "user_id"),
        ({**bind, "session": "s" * 129}, "session"),
        ({**bind, "session": 1}, "session"),
        ({**bind, "account_name": "n" * 257}, "account_name"),
        ({**bind, "account_name": ["anna"]}, "account_name"),
        ({**bind, "refresh": "yes"}, "refresh"),
        ({**bind, "refresh": 1}, "refresh"),
    ]
    for body, name in faults:
        assert (await detail(world, body)).startswith(f"{name}: "), body


async def test_a_nul_which_no_store_holds_alike_is_refused(world: World) -> None:
    assert (await detail(world, {"purpose": "login", "state": "a\0b"})).startswith("state: ")
    assert (await detail(world, {**BIND, "session": "a\0b"})).startswith("session: ")


async def test_a_fault_repeats_no_markup_of_the_callers(world: World) -> None:
    told = await detail(world, {"purpose": "login", "<script>\u202e\n" + "x" * 500: 1})
    assert not re.search(r"[<>\n\u202e]", told)
    assert len(told) < 200


async def test_a_user_id_is_refused_when_it_cannot_be_shown_or_addressed(world: World) -> None:
    refused = [
        "", ".", "..", "x" * 129, "😀" * 129, "a\nb", "\t", "a\0", "\x7f", "a\u00a0b", "\u200b", "\u202e42",
        "\ufeff", "\u2028", "\ue000", "\U000e0001", 42, None, ["42"], True,
    ]  # fmt: skip
    for user_id in refused:
        assert (await detail(world, {"purpose": "bind", "user_id": user_id})).startswith("user_id: "), user_id


async def test_only_json_is_read_and_only_up_to_64_kib(world: World) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "text/json", "", None):
        response = await post(world, {"purpose": "login"}, content_type=content_type)
        await problem(response, 415, "unsupported-media-type")
    assert (await post(world, {"purpose": "login"}, content_type="Application/JSON; charset=utf-8")).status == 201
    body = json.dumps({"purpose": "login"}).encode()
    assert (await post(world, body.ljust(64 * 1024))).status == 201
    await problem(await post(world, body.ljust(64 * 1024 + 1)), 413, "payload-too-large")


async def test_a_compressed_body_is_not_unpacked(world: World) -> None:
    response = await post(world, b"\x1f\x8b\x08\x00", **basic(), **{"Content-Encoding": "gzip"})
    await problem(response, 415, "unsupported-media-type")


async def test_a_page_may_not_say_who_its_visitor_is(world: World) -> None:
    body = {**LOGIN, "visitor": {"ip": "203.0.113.7"}}
    told = await problem(await post(world, body, Origin=ORIGIN), 400, "invalid-request")
    assert told["detail"].startswith("visitor: ")


async def test_wechat_refusing_a_code_is_told_as_such(make: Any) -> None:
    world = await make(accounts={"main": {"secret": "not the secret"}})
    response = await post(world, BIND)
    await problem(response, 502, "wechat-unavailable")
    assert "not the secret" not in await response.text()
    assert ACCOUNT.appid not in await response.text()


@pytest.mark.parametrize("wanted", [LOGIN, BIND], ids=["login", "bind"])
async def test_a_ticket_is_stored_while_wechat_makes_its_code(
    world: World, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str]
) -> None:
    """Red when `make` awaits one after the other."""
    create_qr = WeChatApi.create_qr

    async def late(api: WeChatApi, scene: str, **how: Any) -> QrCode:
        async with asyncio.timeout(20):
            while not await world.redis.keys(f"{KEYS}*"):
                await asyncio.sleep(0.01)
        return await create_qr(api, scene, **how)

    monkeypatch.setattr(WeChatApi, "create_qr", late)
    headers = {"Origin": ORIGIN} if wanted is LOGIN else basic()
    assert (await post(world, wanted, **headers)).status == 201


async def test_a_ticket_without_a_code_is_known_to_no_caller_and_not_counted(make: Any) -> None:
    """Red when the issuer notes the ticket before WeChat has made the code."""
    world = await make(accounts={"main": {"secret": "not the secret"}})
    await problem(await post(world, LOGIN, Origin=ORIGIN), 502, "wechat-unavailable")
    await problem(await post(world, BIND), 502, "wechat-unavailable")
    await world.app[AUDIT].flush()
    noted = sa.select(audit).where(audit.c.event == AuditEvent.TICKET_MADE)
    assert await world.app[AUDIT].database.read(lambda connection: connection.execute(noted).all()) == []
    assert "scanbind_tickets_total{" not in await (await world.call("GET", "/metrics")).text()
