"""WeChat's callback: unsigned and unreadable requests change nothing.

Covers: handlers.wechat.routes.
"""

import gzip
import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, HttpVersion10
from harness import ACCOUNT, SECOND, World, client, problem
from posting import Push, prepared, snapshot
from yarl import URL

from sandbox.crypto import sign
from sandbox.faults import FORGERIES, Fault
from sandbox.push_format import write

STAMP, NONCE = "1714036504", "1514711492"


@pytest.fixture
async def push(world: World) -> Push:
    return (await prepared(world))[0]


def verification(**changes: str) -> dict[str, str]:
    query = {"timestamp": STAMP, "nonce": NONCE, "echostr": "4375120948345356249"}
    return {"signature": sign(ACCOUNT.token, STAMP, NONCE), **query, **changes}


async def test_a_verification_is_echoed_as_the_whole_body(world: World) -> None:
    for echo in ("4375120948345356249", "<script>alert(1)</script>", "回", "a b+c%20", "x" * 2000):
        response = await world.call("GET", "/wechat/main", params=verification(echostr=echo))
        assert (response.status, await response.read()) == (200, echo.encode())
        assert response.content_type == "text/plain"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_verification_that_is_not_signed_is_not_echoed(world: World) -> None:
    good = verification()
    bad = [
        verification(signature="0" * 40), verification(signature=""), verification(signature="é"),
        verification(nonce=NONCE + "1"), verification(timestamp="0"), verification(timestamp="x"),
        verification(signature=sign(SECOND.token, STAMP, NONCE)), {},
        *({name: value for name, value in good.items() if name != left_out} for left_out in good),
    ]  # fmt: skip
    for query in bad:
        response = await world.call("GET", "/wechat/main", params=query)
        assert response.status in (400, 403), query
        assert good["echostr"] not in await response.text()
    twice = [*good.items(), ("echostr", "1")]
    assert (await world.call("GET", "/wechat/main", params=twice)).status == 400


async def test_every_forgery_is_turned_away_and_changes_nothing(world: World) -> None:
    page, person = await world.login(), await world.person(following=False)
    await world.bind("42")  # so that both stores hold something
    contact = world.sandbox.contact(person)
    contact.following = True
    before = await snapshot(world)
    for fault in sorted(FORGERIES):
        delivery = (await world.sandbox.scan(person, page.made["qr_url"], fault=fault)).delivery
        assert delivery is not None
        assert delivery.state == "refused", fault
        told = json.loads(delivery.attempts[0].body)
        undecodable = fault in (Fault.WRONG_KEY, Fault.WRONG_APPID)
        assert delivery.attempts[0].status == (400 if undecodable else 403), fault
        assert told["type"] == ("/problems/invalid-request" if undecodable else "/problems/bad-signature")
        assert ACCOUNT.token not in delivery.attempts[0].body
    assert await snapshot(world) == before
    assert (await page.poll())["status"] == "pending"


async def test_a_push_without_all_that_signs_it_is_refused(world: World, push: Push) -> None:
    request = push.request()
    before = await snapshot(world)
    queries: list[Any] = [
        {},
        *({name: value for name, value in request.query.items() if name != left} for left in (
            "msg_signature", "timestamp", "nonce", "encrypt_type",
        )),
        {**request.query, "encrypt_type": "raw"},
        {**request.query, "msg_signature": request.query["signature"]},
        {**request.query, "msg_signature": request.query["msg_signature"][:-1]},
        {**request.query, "msg_signature": request.query["msg_signature"] + "0"},
        {**request.query, "msg_signature": "é"},
        {**request.query, "timestamp": str(int(request.query["timestamp"]) + 1)},
        {**request.query, "nonce": "1"},
        [*request.query.items(), ("msg_signature", "0" * 40)],
        [("msg_signature", "0" * 40), *request.query.items()],
        [*request.query.items(), ("nonce", "1")],
    ]  # fmt: skip
    for query in queries:
        await problem(await push.send(request, query=query), 403, "bad-signature")
    assert await snapshot(world) == before
    assert (await push.send(request)).status == 200


async def test_a_push_for_another_account_is_refused(make: Any) -> None:
    world = await make(official={"main": ACCOUNT, "second": SECOND}, clients={"shop": client("shop")})
    push, page = await prepared(world)
    await problem(await push.send(push.request(), account="second"), 403, "bad-signature")
    forged = push.request(token=SECOND.token, aes_key=SECOND.aes_key, appid=SECOND.appid)
    # WeChat's own, but the code is the other account's.
    assert (await push.send(forged, account="second")).status == 200
    assert (await page.poll())["status"] == "pending"
    assert (await push.send(push.request())).status == 200
    assert (await page.poll())["status"] == "confirmed"


async def test_a_body_that_cannot_be_read_is_refused_and_changes_nothing(world: World, push: Push) -> None:
    request = push.request()
    before = await snapshot(world)
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><xml><ToUserName>&a;</ToUserName><Encrypt>&a;</Encrypt></xml>'
    bodies = [
        b"", b" ", b"x", b"\xff\xfe", b"<", b"<xml>", b"<xml/>", b"<xml></xml>", b"<y><Encrypt>x</Encrypt></y>",
        b"{", b"{}", b"[]", b"null", b'{"Encrypt":1}', b'{"Encrypt":null}', b'{"Encrypt":{"a":1}}',
        b'{"Encrypt":"x","Encrypt":"y"}', b"<xml><Encrypt></Encrypt></xml>", b"[" * 60_000, b"<a>" * 20_000,
        b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
        b"a=1&b=2", gzip.compress(request.body), bomb,
    ]  # fmt: skip
    for body in bodies:
        response = await push.send(request, body=body)
        assert response.status in (400, 403), body[:60]
        assert (await response.json(content_type=None))["type"] in (
            "/problems/invalid-request", "/problems/bad-signature",
        )  # fmt: skip
    assert await snapshot(world) == before


async def test_what_is_signed_but_not_encrypted_is_refused_alike(world: World, push: Push) -> None:
    before = await snapshot(world)
    envelopes = [push.signed(text) for text in ("x", "AAAA", "A" * 64, "A" * 128, "!" * 44, "é" * 44)]
    told = [await problem(await push.send(one), 400, "invalid-request") for one in envelopes]
    assert {one["detail"] for one in told} == {"the push cannot be read"}  # so none is an oracle
    assert await snapshot(world) == before


async def test_any_changed_character_of_a_scene_is_another_systems_code(world: World) -> None:
    push, page = await prepared(world)
    scene = str(push.fields["EventKey"])
    for at in range(len(scene)):
        changed = scene[:at] + ("A" if scene[at] != "A" else "B") + scene[at + 1 :]
        push.fields = {**push.fields, "EventKey": changed, "CreateTime": 1_800_000_000 + at}
        response = await push.send(push.request())
        assert (response.status, await response.text()) == (200, "success")
    assert (await page.poll())["status"] == "pending"


async def test_64_kib_are_read_and_not_a_byte_more(world: World, push: Push) -> None:
    request = push.request()
    before = await snapshot(world)
    assert len(request.body) < 2000
    await problem(await push.send(request, body=request.body.ljust(64 * 1024 + 1)), 413, "payload-too-large")
    await problem(await push.send(request, body=b"x" * 1_000_000), 413, "payload-too-large")
    assert await snapshot(world) == before
    assert (await push.send(request, body=request.body.ljust(64 * 1024))).status == 200


async def test_a_compressed_push_is_not_unpacked(world: World, push: Push) -> None:
    request = push.request()
    before = await snapshot(world)
    response = await push.send(request, body=gzip.compress(request.body), headers={"Content-Encoding": "gzip"})
    await problem(response, 415, "unsupported-media-type")
    bomb = gzip.compress(b" " * 30_000_000)
    assert len(bomb) < 64 * 1024
    response = await push.send(request, body=bomb, headers={"Content-Encoding": "gzip"})
    await problem(response, 415, "unsupported-media-type")
    assert await snapshot(world) == before


async def test_an_account_that_there_is_not_is_not_found(world: World, push: Push) -> None:
    request = push.request()
    for name in ("second", "MAIN", "main%00", "%2e%2e", quote("主"), "main%2F"):
        address = URL(f"{world.url}/wechat/{name}", encoded=True)
        for method in ("GET", "POST"):
            response = await world.http.request(method, address, params=request.query, data=request.body)
            await problem(response, 404, "not-found")


async def test_a_slash_at_the_end_of_the_address_changes_nothing(world: World) -> None:
    """Red when the slash has no route, a redirect (WeChat follows none), or a label of its own in the metrics."""
    push, page = await prepared(world)
    response = await world.call("GET", "/wechat/main/", params=verification(), allow_redirects=False)
    assert (response.status, await response.text()) == (200, verification()["echostr"])
    response = await push.send(push.request(), account="main/")
    assert (response.status, (await page.poll())["status"]) == (200, "confirmed")
    forged = verification(signature="0" * 40)
    await problem(await world.call("GET", "/wechat/main/", params=forged), 403, "bad-signature")
    await problem(await world.call("GET", "/wechat/second/", params=verification()), 404, "not-found")
    await problem(await world.call("PUT", "/wechat/main/"), 405, "method-not-allowed")
    for address in ("/wechat/", "/wechat//", "/wechat//main", "/wechat/main//", "/wechat/main/x"):
        await problem(await world.call("GET", address, params=verification()), 404, "not-found")
    figures = await (await world.call("GET", "/metrics")).text()
    assert 'method="POST",route="/wechat/{account}",status="200"' in figures
    assert "{account}/" not in figures
    assert "/wechat/{account}/" not in await (await world.call("GET", "/openapi.json")).text()


async def test_neither_what_it_calls_itself_nor_its_query_order_matters(world: World) -> None:
    for content_type in ("text/xml", "application/json", "text/plain", "application/octet-stream"):
        for form in ("xml", "json"):
            push, page = await prepared(world)
            request = push.request(format=form)
            query = list(reversed([*request.query.items(), ("unheard_of", "1")]))
            response = await push.send(request, query=query, headers={"Content-Type": content_type})
            text = await response.text()
            assert (response.status, text[0]) == (200, "<" if form == "xml" else "{")
            assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("form", ["xml", "json"])
async def test_an_answer_is_the_same_whether_the_connection_stays_open_or_not(world: World, form: str) -> None:
    """Red when `_response` writes another head than aiohttp does."""
    push, _ = await prepared(world)
    replied = push.request(format=form)
    push.fields = {**push.fields, "Event": "LOCATION"}
    for request in (replied, push.request(format=form)):
        heads, bodies = [], []
        for connection in ("keep-alive", "close"):
            about = {"Connection": connection, "X-Request-Id": "the-same"}
            response = await push.send(request, headers=about)
            heads.append([pair for pair in response.raw_headers if pair[0] not in (b"Date", b"Connection")])
            bodies.append(await response.read())
            assert (response.status, "Connection" in response.headers) == (200, connection == "close")
            assert abs(parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC)) < timedelta(seconds=9)
        assert heads[0] == heads[1]
        assert [len(body) for body in bodies] == [int(response.headers["Content-Length"])] * 2
        assert len({body[:7] for body in bodies}) == 1  # what follows is encrypted


async def test_a_proxy_that_uses_http_1_0_is_answered_by_it(world: World, push: Push) -> None:
    request = push.request()
    async with ClientSession(version=HttpVersion10) as session:
        response = await session.post(
            f"{world.url}/wechat/main",
            params=request.query,
            data=request.body,
            headers={"Connection": "keep-alive", "Content-Type": request.content_type},
        )
        assert (response.status, response.version) == (200, HttpVersion10)
        assert (await response.read()).startswith(b"<xml>")


async def test_plaintext_beside_the_sealed_is_not_believed(make: Any) -> None:
    world = await make(accounts={"main": {"mode": "compatible"}})
    push, page = await prepared(world)
    sealed = push.request(mode="compatible")
    other = await world.login()
    scene = world.sandbox.code(other.made["qr_url"]).scene
    mine = world.sandbox.code(page.made["qr_url"]).scene
    assert sealed.body.count(mine.encode()) == 1
    response = await push.send(sealed, body=sealed.body.replace(mine.encode(), scene.encode()))
    assert response.status == 200
    assert [(await one.poll())["status"] for one in (page, other)] == ["confirmed", "pending"]


async def test_a_push_says_nothing_of_itself_in_an_error(world: World, push: Push) -> None:
    openid = push.contact.openid
    request = push.sealed(write({**push.fields, "CreateTime": "soon"}, "xml"))
    assert openid not in await (await push.send(request)).text()
