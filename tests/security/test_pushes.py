"""Pushes that WeChat did not send, sent once already, or sent to somebody else: none of them has an effect.

The attacker sees every push and every answer and may send whatever they like; they lack token, AES key and stores.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse
from harness import ACCOUNT, SECOND, Page, World, client, problem
from posting import NONCE, Push, prepared, snapshot

from sandbox.account import OfficialAccount
from sandbox.crypto import Sealer, sign
from sandbox.envelope import Request, wrap
from sandbox.faults import Fault
from sandbox.people import Person
from sandbox.push_format import write

Make = Callable[..., Any]

MODES = pytest.mark.parametrize("mode", ["safe", "compatible", "plain"])
SEALED = pytest.mark.parametrize("mode", ["safe", "compatible"])


async def in_mode(make: Make, mode: Any, *, confirm: str = "none", **account: Any) -> World:
    changes = {"mode": mode, "allow_unsigned_body": mode == "plain", **account}
    started: World = await make(
        official={"main": replace(ACCOUNT, mode=mode)},
        accounts={"main": changes},
        clients={"shop": client("shop", confirm=confirm)},
    )
    return started


@asynccontextmanager
async def untouched(world: World) -> AsyncIterator[None]:
    """Fail if anything in Redis or SQL differs at the end."""
    before = await snapshot(world)
    yield
    assert await snapshot(world) == before


async def again(world: World, request: Request, **changes: Any) -> ClientResponse:
    """Send what was seen once more; *changes* are of the query."""
    return await world.call(
        "POST",
        "/wechat/main",
        params={**request.query, **changes},
        data=request.body,
        headers={"Content-Type": request.content_type},
    )


async def asked(world: World) -> tuple[Page, Person, Request]:
    """Let somebody scan a bind code; return the push that was seen on the way, too."""
    page, person = await world.bind("42"), await world.person()
    scan = await world.sandbox.scan(person, page.made["qr_url"])
    assert scan.delivery is not None
    return page, person, scan.delivery.request


def told(answer: bytes, mode: str) -> str:
    """Return what an answer says, opened where it is sealed."""
    if mode == "plain":
        return answer.decode()
    sealed = answer.decode().split("<Encrypt><![CDATA[")[1].split("]]>")[0]
    return Sealer.of(ACCOUNT.aes_key, appid=ACCOUNT.appid).open(sealed).decode()


# Forged: the attacker knows the scene, the form and other pushes.


@MODES
async def test_a_scan_made_up_without_the_token_is_refused(make: Make, mode: str) -> None:
    """Red when `_signer` takes any signature for the first token's."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    good = push.request()
    async with untouched(world):
        for token in ("", "x", ACCOUNT.token[:-1], ACCOUNT.token.upper(), ACCOUNT.secret, ACCOUNT.appid):
            await problem(await push.send(push.request(token=token)), 403, "bad-signature")
        for name in [name for name in good.query if "signature" in name]:
            for forged in ("", "0" * 40, good.query[name].upper(), good.query[name][:-1], sign("", NONCE)):
                if mode == "plain" or name == "msg_signature":
                    response = await push.send(good, query={**good.query, name: forged})
                    await problem(response, 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"
    assert (await push.send(good)).status == 200


@SEALED
async def test_a_seen_query_signs_no_other_body(make: Make, mode: str) -> None:
    """Red when the signed parts are those of `signature`, which leave out Encrypt."""
    world = await in_mode(make, mode)
    _, _, seen = await asked(world)
    push, page = await prepared(world)
    mine = push.request()
    guessed = push.request(aes_key="x" * 43)
    async with untouched(world):
        for body in (
            mine.body,
            guessed.body,
            push.request(mode="plain").body,
            seen.body.replace(b"]]></Encrypt>", b"A]]></Encrypt>"),
        ):
            await problem(await push.send(seen, body=body), 403, "bad-signature")
        signature = {"msg_signature": mine.query["msg_signature"]}
        await problem(await again(world, seen, **signature), 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"


async def test_a_seen_query_of_plain_mode_signs_any_body_until_its_stamp_is_old(make: Make) -> None:
    """Why plain mode must be asked for by name. Red at the end when `open` looks at no clock."""
    world = await in_mode(make, "plain")
    _, _, seen = await asked(world)
    push, page = await prepared(world)
    assert (await push.send(seen, body=push.request().body)).status == 200
    assert (await page.poll())["status"] == "confirmed"
    world.clock.advance(301)
    push, page = await prepared(world)
    async with untouched(world):
        await problem(await push.send(seen, body=push.request().body), 403, "bad-signature")


async def test_what_stands_in_the_clear_beside_the_sealed_has_no_effect(make: Make) -> None:
    """Red when compatible mode reads the outer fields, and at the end when ToUserName is compared with nothing."""
    world = await in_mode(make, "compatible")
    victim = await world.bound("victim")
    openid = world.sandbox.contact(victim).openid
    push, page = await prepared(world)
    request = push.request()
    for old, new in ((push.contact.openid, openid), ("SCAN", "unsubscribe"), ("[event]", "[text]")):
        assert old.encode() in request.body
        response = await push.send(request, body=request.body.replace(old.encode(), new.encode()))
        assert response.status == 200
    assert (await page.poll())["status"] == "confirmed"
    assert len(await world.bindings("victim")) == 1
    async with untouched(world):
        other = request.body.replace(ACCOUNT.gh_id.encode(), SECOND.gh_id.encode())
        await problem(await push.send(request, body=other), 400, "invalid-request")


@SEALED
@pytest.mark.parametrize("downgrade", ["missing", "raw", "aes"])
async def test_an_account_that_encrypts_takes_nothing_in_the_clear(make: Make, mode: str, downgrade: str) -> None:
    """Red when what is not `aes` is opened as plain, or an empty Encrypt may be signed by the query alone."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    clear = push.request(mode="plain")
    encrypt_type = {} if downgrade == "missing" else {"encrypt_type": downgrade}
    query = {**clear.query, **encrypt_type}
    bare = push.request(mode="plain").body.replace(b"</xml>", b"<Encrypt></Encrypt></xml>")
    async with untouched(world):
        for more in ({}, {"msg_signature": clear.query["signature"]}):
            for body in (clear.body, bare):
                await problem(await push.send(clear, query={**query, **more}, body=body), 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"


@pytest.mark.parametrize(
    "other",
    [
        replace(ACCOUNT, appid=SECOND.appid),
        replace(ACCOUNT, aes_key=SECOND.aes_key),
        replace(SECOND, token=ACCOUNT.token),
    ],
)
@SEALED
async def test_a_push_sealed_for_another_account_is_refused(make: Make, mode: Any, other: OfficialAccount) -> None:
    """Red, with one key for both, when the appid inside is not compared."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    request = wrap(push.fields, replace(other, mode=mode), now=world.clock.seconds())
    async with untouched(world):
        await problem(await push.send(request), 400, "invalid-request")
    assert (await page.poll())["status"] == "pending"


@MODES
async def test_a_push_to_another_original_id_is_refused(make: Make, mode: str) -> None:
    """Red when `Account.open` does not look at gh_id."""
    world = await in_mode(make, mode, gh_id=ACCOUNT.gh_id)
    push, page = await prepared(world)
    mine = push.request()
    push.fields = {**push.fields, "ToUserName": SECOND.gh_id}
    async with untouched(world):
        await problem(await push.send(push.request()), 400, "invalid-request")
    assert (await push.send(mine)).status == 200
    assert (await page.poll())["status"] == "confirmed"


# Replayed: the attacker sends what WeChat sent.


@MODES
async def test_a_replay_gets_the_same_answer_and_changes_nothing(make: Make, mode: str) -> None:
    """Red when `recall` remembers nothing: the answer would say what has become of the ticket since."""
    world = await in_mode(make, mode, confirm="tap")
    page, person, seen = await asked(world)
    async with untouched(world):
        assert "Is that you?" in told(await (await again(world, seen)).read(), mode)
    await world.sandbox.tap(person, "Yes, that is me")
    assert (await page.poll())["status"] == "confirmed"
    world.clock.advance(290)
    async with untouched(world):
        answer = await again(world, seen)
        assert answer.status == 200
        assert "Is that you?" in told(await answer.read(), mode)


@MODES
@pytest.mark.parametrize("seconds", [301, -301])
async def test_a_push_stamped_far_from_now_is_refused(make: Make, mode: str, seconds: int) -> None:
    """Red when the service gives its accounts no max_skew."""
    world = await in_mode(make, mode)
    push, page = await prepared(world)
    world.clock.hold()
    world.clock.advance(-seconds)
    request = push.request()
    world.clock.advance(seconds)
    async with untouched(world):
        await problem(await push.send(request), 403, "bad-signature")
    assert (await page.poll())["status"] == "pending"


@MODES
async def test_a_replay_cannot_be_made_newer(make: Make, mode: str) -> None:
    """Red when timestamp and nonce are left out of what is signed, or `open` looks at no clock.

    What is signed is sorted and joined without a mark between, so timestamp and nonce may trade places.
    """
    world = await in_mode(make, mode)
    _, _, seen = await asked(world)
    world.clock.advance(301)
    now = str(int(world.clock.seconds()))
    swapped = {"timestamp": seen.query["nonce"], "nonce": seen.query["timestamp"]}
    async with untouched(world):
        for changes in ({"timestamp": now}, {"timestamp": now, "nonce": "1"}, swapped, {}):
            await problem(await again(world, seen, **changes), 403, "bad-signature")


async def test_a_replay_never_binds_again_what_was_disconnected(world: World) -> None:
    """Red when `ScanHandler._answer` goes on with an ended ticket and `insert` may replace its ending."""
    page, _, seen = await asked(world)
    assert (await page.poll())["outcome"] == "bound"
    assert (await world.site("DELETE", "/v1/bindings/42")).status == 204
    for lost in (False, True):
        if lost:
            await world.redis.flushall()
        _, before = await snapshot(world)
        assert (await again(world, seen)).status == 200
        _, after = await snapshot(world)
        assert after["bindings"] == before["bindings"] == []
        assert after["endings"] == before["endings"]
        assert after["history"] == before["history"]


async def test_a_replayed_answer_answers_nothing_newer(make: Make) -> None:
    """Red when `AnswerHandler.answered` does not ask which came first, the question or the answer."""
    world = await in_mode(make, "safe", confirm="match")
    page, person, _ = await asked(world)
    right = (await page.poll())["match"]
    seen = (await world.sandbox.say(person, right)).request
    await world.redis.flushall()  # what was answered is forgotten
    world.clock.advance(2)
    newer = await world.login()
    await world.scan(person, newer)
    assert (await newer.poll())["status"] == "scanned"
    _, before = await snapshot(world)
    assert await (await again(world, seen)).read() == b"success"
    assert (await snapshot(world))[1] == before
    assert (await newer.poll())["status"] == "scanned"


@MODES
async def test_the_same_push_twice_at_once_has_one_effect(make: Make, mode: str) -> None:
    """Red when `_insert` may replace a row in `endings`."""
    world = await in_mode(make, mode)
    page, person = await world.bind("42"), await world.person()
    scan = await world.sandbox.scan(person, page.made["qr_url"], fault=Fault.AT_ONCE)
    assert scan.delivery is not None
    assert [one.status for one in scan.delivery.attempts] == [200, 200]
    assert all("now bound" in (one.reply or "") for one in scan.delivery.attempts)
    _, sql = await snapshot(world)
    assert (len(sql["bindings"]), len(sql["endings"]), len(sql["history"])) == (1, 1, 1)


# One answer for every fault.


def unreadable(push: Push) -> dict[str, Request]:
    """Return signed pushes, each with one thing wrong, under the word that the log has for it."""
    whole, scan = write(push.fields, "xml").decode(), push.fields
    sealer = Sealer.of(ACCOUNT.aes_key, appid=ACCOUNT.appid)

    def field(**changes: Any) -> Request:
        return push.sealed(json.dumps({**scan, **changes}).encode())

    def raw(text: str) -> Request:
        return push.sealed(text.encode())

    encrypted = {"no base64": "!" * 44, "half a block": "A" * 40, "garbage": "A" * 64}
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
        "half a pair": raw(json.dumps({**scan, "a": "\ud800"})),
    }
    fields = {
        "FromUserName": field(FromUserName="o\x00"),
        "ToUserName": field(ToUserName=None),
        "MsgType": field(MsgType=["event"]),
    }
    times = [field(CreateTime=when) for when in (1e3, "1e3", True, "01", "0x1", 0, -1, "", None, "1\x00", "١")]
    return {
        **{f"envelope {name}": push.signed(text) for name, text in encrypted.items()},
        "envelope utf-8": push.sealed(b"\xff"),
        "envelope key": push.signed(Sealer.of(SECOND.aes_key, appid=ACCOUNT.appid).seal(whole.encode())),
        "appid": push.signed(Sealer.of(ACCOUNT.aes_key, appid=SECOND.appid).seal(whole.encode())),
        **{f"body {name}": request for name, request in bodies.items()},
        **fields,
        **{f"CreateTime {number}": request for number, request in enumerate(times)},
        "addressee": push.signed(sealer.seal(whole.replace(ACCOUNT.gh_id, SECOND.gh_id).encode())),
    }


async def test_whatever_is_wrong_with_a_push_reads_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when Malformed passes its fault on as its detail, and for each fault whose check is left out."""
    caplog.set_level("INFO")
    push, _ = await prepared(world)
    answers = {}
    async with untouched(world):
        for name, request in unreadable(push).items():
            caplog.clear()
            answers[name] = await problem(await push.send(request), 400, "invalid-request")
            [line] = [one for one in caplog.records if one.name == "handlers.wechat.callback"]
            assert (line.__dict__["account"], line.__dict__["fault"]) == ("main", name.split()[0]), name
    assert len({json.dumps({**answer, "instance": ""}) for answer in answers.values()}) == 1


@MODES
async def test_whatever_is_wrong_with_a_signature_reads_the_same(
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
    for request in unreadable(push).values():
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
        assert response.status == (400 if where == "FromUserName" else 200)
        if response.status == 200:
            assert await response.read() == b"success"
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
            for request in (push.sealed(bomb.encode()), replace(push.request(), body=bomb.encode())):
                response = await push.send(request)
                assert response.status == 400, bomb[:40]
    assert (await page.poll())["status"] == "pending"


# The real deliveries, as WeChat publishes them.


@pytest.mark.parametrize("sample", ["official_safe_json", "tencent_safe_xml"])
@pytest.mark.parametrize(("max_skew", "status"), [(0, 200), (300, 403)])
async def test_real_deliveries_are_let_in_as_long_as_their_age_is(
    make: Make, request: pytest.FixtureRequest, sample: str, max_skew: int, status: int
) -> None:
    """Red when `max_skew: 0` is a window of no seconds, or the window is not the service's default."""
    push = json.loads((request.config.rootpath / f"tests/samples/{sample}.json").read_text())
    given = {"appid": push["account"]["appid"], "token": push["account"]["token"]}
    official = replace(ACCOUNT, **given, aes_key=push["account"]["aes_key"])
    world = await make(
        official={"main": official},
        accounts={"main": {"max_skew": max_skew}},
        clients={"shop": client("shop")},
    )
    body = push["body"].encode()
    response = await world.call("POST", "/wechat/main", params=push["query"], data=body)
    assert response.status == status
    assert status == 403 or await response.read() == b"success"
