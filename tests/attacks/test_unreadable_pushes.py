"""What WeChat signed is acknowledged though it cannot be read; no log contains any of it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from attacked_pushes import MODES, Make, in_mode, untouched
from harness import ACCOUNT, SECOND, World, problem
from posting import Push, prepared

from sandbox.crypto import Sealer
from sandbox.envelope import Request
from sandbox.push_format import write


def unreadable(push: Push) -> dict[str, Request]:
    """Return signed pushes that are no message, each with one fault, under the word that the log has for it."""
    whole, scan = write(push.fields, "xml").decode(), push.fields

    def field(**changes: Any) -> Request:
        return push.sealed(json.dumps({**scan, **changes}).encode())

    def raw(text: str) -> Request:
        return push.sealed(text.encode())

    bodies = {
        "cut short": raw(whole[:-1]),
        "another root": raw(whole.replace("xml>", "html>")),
        "a dtd": raw("<!DOCTYPE xml>" + whole),
        "an entity": raw('<!DOCTYPE xml [<!ENTITY a "x">]>' + whole.replace("</xml>", "<a>&a;</a></xml>")),
        "from outside": raw('<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml>&a;</xml>'),
        "an element twice": raw(whole.replace("</xml>", "<Event>SCAN</Event></xml>")),
        "a key twice": raw(json.dumps(scan)[:-1] + ',"Event":"SCAN"}'),
        "a key twice, deep down": raw(json.dumps(scan)[:-1] + ',"a":[{"b":{"c":1,"c":1}}]}'),
        "a number that is none": raw(json.dumps({**scan, "CreateTime": 1}).replace('": 1,', '": 01,')),
        "nothing": raw(""),
        "a word": raw("x"),
        "no utf-8": push.sealed(b"\xff"),
        "a list": raw("[]"),
    }
    fields = {
        "FromUserName": field(FromUserName="o\x00"),
        "ToUserName": field(ToUserName=None),
        "MsgType": field(MsgType=["event"]),
        "MsgType of no field at all": raw("<xml></xml>"),
    }
    times = [field(CreateTime=when) for when in (1e3, "1e3", True, "01", "0x1", 0, -1, "", None, "1\x00", "١")]
    return {
        **{f"body {name}": request for name, request in bodies.items()},
        **fields,
        **{f"CreateTime {number}": request for number, request in enumerate(times)},
    }


def foreign(push: Push) -> dict[str, Request]:
    """Return signed pushes that cannot be decrypted or are for another account."""
    whole = write(push.fields, "xml")
    sealer = Sealer.of(ACCOUNT.aes_key, appid=ACCOUNT.appid)
    encrypted = {"no base64": "!" * 44, "half a block": "A" * 40, "garbage": "A" * 64}
    return {
        **{f"envelope {name}": push.signed(text) for name, text in encrypted.items()},
        "envelope key": push.signed(Sealer.of(SECOND.aes_key, appid=ACCOUNT.appid).seal(whole)),
        "appid": push.signed(Sealer.of(ACCOUNT.aes_key, appid=SECOND.appid).seal(whole)),
        "addressee": push.signed(sealer.seal(whole.replace(ACCOUNT.gh_id.encode(), SECOND.gh_id.encode()))),
    }


async def test_what_wechat_signed_is_acknowledged_with_one_warning(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when `receive` passes UnreadablePush on, and for each fault whose check is left out."""
    caplog.set_level("INFO")
    push, _ = await prepared(world)
    async with untouched(world):
        for name, request in unreadable(push).items():
            caplog.clear()
            response = await push.send(request)
            assert (response.status, await response.read()) == (200, b"success"), name
            [line] = [one for one in caplog.records if one.name == "handlers.wechat.callback"]
            assert line.levelname == "WARNING"
            assert (line.__dict__["account"], line.__dict__["fault"]) == ("main", name.split()[0]), name
    figures = await (await world.call("GET", "/metrics")).text()
    assert f'scanbind_pushes_total{{account="main",event="unreadable"}} {len(unreadable(push))}.0' in figures


async def test_an_envelope_around_a_message_may_be_unreadable_as_well(world: World) -> None:
    """Red when what is signed and decrypted is refused for the document around it."""
    push, page = await prepared(world)
    request = push.request()
    async with untouched(world):
        for body in (request.body[:-1], request.body + b"<", request.body.replace(b"<xml>", b"<xml><a/><a/>")):
            response = await push.send(request, body=body)
            assert (response.status, await response.read()) == (200, b"success")
    assert (await push.send(request)).status == 200
    assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("form", ["xml", "json"])
async def test_in_plain_mode_a_signed_query_is_proof_enough(make: Make, form: Any) -> None:
    """Red when `_open_plain` refuses what cannot be read: WeChat would show the person its error text."""
    world = await in_mode(make, "plain")
    push, page = await prepared(world)
    request = push.request(format=form)
    bodies = [b"", b"{}", b"<xml/>", b"x", b"\xff", request.body[:-1], request.body.replace(b"MsgType", b"a")]
    async with untouched(world):
        for body in bodies:
            response = await push.send(request, body=body)
            assert (response.status, await response.read()) == (200, b"success"), body
            forged = {**request.query, "signature": "0" * 40}
            await problem(await push.send(request, body=body, query=forged), 403, "bad-signature")
        await problem(await push.send(push.sealed(request.body)), 400, "invalid-request")
    assert (await page.poll())["status"] == "pending"


async def test_what_is_not_for_this_account_gets_the_same_refusal(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when Malformed passes its fault on as its detail, and for each fault whose check is left out."""
    caplog.set_level("INFO")
    push, _ = await prepared(world)
    answers = {}
    async with untouched(world):
        for name, request in foreign(push).items():
            caplog.clear()
            answers[name] = await problem(await push.send(request), 400, "invalid-request")
            [line] = [one for one in caplog.records if one.name == "handlers.wechat.callback"]
            assert (line.__dict__["account"], line.__dict__["fault"]) == ("main", name.split()[0]), name
    assert len({json.dumps({**answer, "instance": ""}) for answer in answers.values()}) == 1


@MODES
async def test_every_wrong_signature_gets_the_same_response(
    make: Make, mode: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when BadSignature passes its fault on as its detail."""
    caplog.set_level("INFO")
    world = await in_mode(make, mode)
    push, _ = await prepared(world)
    good, name = push.request(), "signature" if mode == "plain" else "msg_signature"
    queries = [
        {**good.query, name: "0" * 40}, {**good.query, name: ""}, {**good.query, "timestamp": "1"},
        {**good.query, "nonce": "]]>"}, {**good.query, "timestamp": "x"}, {}, [*good.query.items(), (name, "x")],
        push.request(token="x").query,
    ]  # fmt: skip
    async with untouched(world):
        answers = [await problem(await push.send(good, query=query), 403, "bad-signature") for query in queries]
    assert len({json.dumps({**answer, "instance": ""}) for answer in answers}) == 1
    faults = [one.__dict__["fault"] for one in caplog.records if one.name == "handlers.wechat.callback"]
    assert faults == ["signature", "signature", "clock", *["signature"] * 5]


async def test_the_log_of_a_refused_push_holds_none_of_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Red when the log line carries the exception's cause, or the query."""
    push, _ = await prepared(world)
    scene = str(push.fields["EventKey"])
    caplog.set_level("DEBUG")
    for request in (unreadable(push) | foreign(push)).values():
        for query in (request.query, {**request.query, "nonce": "hunter2"}):
            await push.send(request, query=query)
            canaries = [push.contact.openid, scene, ACCOUNT.token, ACCOUNT.gh_id, "hunter2", "passwd"]
            canaries += [value for name, value in request.query.items() if "signature" in name]
            ours = [one for one in caplog.records if not one.name.startswith(("aiosqlite", "sandbox", "asyncio"))]
            text = "\n".join(f"{one.getMessage()} {one.__dict__} {one.exc_text}" for one in ours)
            assert [canary for canary in canaries if canary in text] == []
            caplog.clear()


@pytest.mark.parametrize("where", ["EventKey", "Event", "MsgType", "FromUserName"])
@pytest.mark.parametrize("character", ["\x00", "\x1f", "\x7f", "\u200b", "\u2028", "\x85"])
async def test_a_control_character_is_no_part_of_what_is_used(world: World, where: str, character: str) -> None:
    """Red when `_word` strips all that Unicode calls a space."""
    push, page = await prepared(world)
    for value in (f"{push.fields[where]}{character}", f"{character}{push.fields[where]}"):
        body = json.dumps({**push.fields, where: value}).encode()
        response = await push.send(push.sealed(body, form="json"))
        assert (response.status, await response.read()) == (200, b"success")
    assert (await page.poll())["status"] == "pending"


async def test_bombs_go_off_nowhere(world: World) -> None:
    """Red when RecursionError is not caught. Of entities, expat itself gives up those that grow too far."""
    push, page = await prepared(world)
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    wide = f'<!ENTITY l9 "{"A" * 20_000}">'
    bombs = [
        *(
            f'<!DOCTYPE xml [<!ENTITY l0 "lol">{entities}]><xml><a>{"&l9;" * 5000}</a></xml>'
            for entities in (lol, wide)
        ),
        '{"a":' + "[" * 40_000,
        '{"a":' + "[" * 20_000 + "]" * 20_000 + "}",
        '{"a":' * 7_000 + "1" + "}" * 7_000,
        "<xml>" + "<a>" * 14_000,
        '{"CreateTime":' + "9" * 40_000 + "}",
    ]
    async with untouched(world):
        for bomb in bombs:
            assert len(bomb) < 48_000, "the envelope takes a third more"
            assert (await push.send(push.sealed(bomb.encode()))).status == 200, bomb[:40]
            assert (await push.send(replace(push.request(), body=bomb.encode()))).status == 400, bomb[:40]
    assert (await page.poll())["status"] == "pending"
