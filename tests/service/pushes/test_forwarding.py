"""What is not the service's own is passed on as WeChat would send it, and the reply comes back.

Red when what is passed on or held back changes, when a reply is not re-wrapped for WeChat's mode and format, and
when trouble of a target costs a scan or another target's reply.

Covers: service.pushes.target_line.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from altering import altered
from harness import ACCOUNT, World, client
from targets import Received, Target, counted, forwarding, target

from sandbox.faults import Fault
from sandbox.people import Person
from service.app_keys import PUSH_DISPATCHER
from service.pushes import forwarding as forwarding_module

Make = Callable[..., Any]
MODES = pytest.mark.parametrize("mode", ["safe", "compatible", "plain"])
FORMATS = pytest.mark.parametrize("form", ["xml", "json"])


@pytest.fixture
async def bot() -> AsyncIterator[Target]:
    async with target() as made:
        yield made


@MODES
@FORMATS
async def test_a_text_goes_to_the_target_and_its_answer_to_the_person(
    make: Make, bot: Target, mode: str, form: Any
) -> None:
    official = replace(ACCOUNT, mode=mode, format=form)
    beside = {"mode": mode, "allow_unsigned_body": mode == "plain"}
    world: World = await make(official={"main": official}, **forwarding(bot.settings(), **beside))
    person = await world.person()
    assert await world.say(person, "几点开门？<a>&") == "bot: 几点开门？<a>&"
    push = bot.received[-1]
    assert push.query["from"] == "scanbind"
    assert push.query["openid"] == person.openid(ACCOUNT.appid)
    assert push.query["encrypt_type"] == "aes"
    told = push.parsed
    assert (told.source, told.target) == (person.openid(ACCOUNT.appid), ACCOUNT.gh_id)


async def test_a_target_in_plain_mode_gets_the_bytes_of_wechat(make: Make, bot: Target) -> None:
    world = await make(**forwarding(bot.settings(mode="plain")))
    person = await world.person()
    delivery = await world.sandbox.say(person, "hello")
    assert delivery.reply == "bot: hello"
    assert bot.received[-1].body == delivery.sent
    assert "msg_signature" not in bot.received[-1].query
    assert bot.received[-1].headers["Content-Type"] == "text/xml"


@pytest.mark.parametrize(("theirs", "ours"), [("json", "xml"), ("xml", "json")])
async def test_a_target_may_have_another_format(make: Make, theirs: str, ours: Any) -> None:
    def answer(push: Received) -> str:
        if theirs == "xml":
            return push.text("from the other") if "<MsgType><![CDATA[text" in push.message else "success"
        told = json.loads(push.message)
        if told["MsgType"] != "text":
            return "success"
        head = {"ToUserName": told["FromUserName"], "FromUserName": told["ToUserName"], "CreateTime": 1}
        return json.dumps({**head, "MsgType": "text", "Content": "from the other"})

    async with target(answer) as bot:
        official = replace(ACCOUNT, format=ours)
        world = await make(official={"main": official}, **forwarding(bot.settings(mode="plain", format=theirs)))
        assert await world.say(await world.person(), "hello") == "from the other"
        assert bot.received[-1].body[0] == ("<" if theirs == "xml" else "{")


async def test_our_scans_and_answers_stay_here_and_the_rest_goes(make: Make, bot: Target) -> None:
    """Red when `ours` of a scan, an answer, a hint or another system's scene changes."""
    world = await make(clients={"shop": client("shop", confirm="match")}, **forwarding(bot.settings(mode="plain")))
    person = await world.person()
    page = await world.bind("42")
    await world.scan(person, page)
    assert "digits" in (await world.say(person, "3 or 4?") or "")
    assert "is now bound" in (await world.say(person, (await page.poll())["match"]) or "")
    assert bot.names == ["subscribe"]
    await world.sandbox.click(person, "MENU")
    await world.sandbox.view(person, "https://shop.example/")
    for kind in ("lowercase_scan", "image", "location", "template_sent", "trade_follow"):
        await world.sandbox.noise(person, kind)
    assert await world.say(person, "hello") == "bot: hello"
    await world.sandbox.unfollow(person)
    await bot.until(10)
    said = [
        "click",
        "view",
        "scan",
        "image",
        "location",
        "templatesendjobfinish",
        "subscribe",
        "text",
        "unsubscribe",
    ]
    assert bot.names[1:] == said


async def test_passcodes_stay_here(make: Make, bot: Target) -> None:
    shop = client("shop", methods=["passcode"], confirm="tap")
    world = await make(clients={"shop": shop}, **forwarding(bot.settings(mode="plain", events=["text"])))
    person = await world.person()
    page = await world.login()
    assert "Is that you?" in (await world.say(person, page.made["passcode"]) or "")
    assert "cannot be used" in (await world.say(person, "K7MP 2QXR") or "")
    assert bot.received == []


async def test_a_scene_of_another_scanbind_is_not_ours(make: Make, bot: Target) -> None:
    """Red when a scene that no key of ours signed counts as ours."""
    world = await make(**forwarding(bot.settings(mode="plain", events=["scan"])))
    page, person = await world.login(), await world.person()
    code = world.sandbox.code(page.made["qr_url"])
    await world.sandbox.post.push(
        {
            "MsgType": "event",
            "Event": "SCAN",
            "EventKey": altered(code.scene),
        },
        to=world.sandbox.accounts[0],
        about=world.sandbox.contact(person),
    )
    assert bot.names == ["scan"]


async def test_a_target_that_wants_copies_gets_ours_and_cannot_answer_them(make: Make, bot: Target) -> None:
    bot.answer = lambda push: push.text("me first")
    world = await make(**forwarding(bot.settings(mode="plain", copy=True, events=["SCAN", "subscribe"])))
    person = await world.person(following=False)
    page = await world.login()
    assert "Thank you" in (await world.scan(person, page) or "")
    await bot.until(1)
    assert bot.received[0].parsed.event == "subscribe_scan"
    assert await counted(world, "sent") == 1


async def test_a_scan_delivered_twice_at_once_is_copied_once(make: Make, bot: Target) -> None:
    """Red when a copy is not claimed."""
    world = await make(**forwarding(bot.settings(copy=True, events=["SCAN"])))
    person = await world.person()
    await world.scan(person, await world.login(), fault=Fault.AT_ONCE)
    await world.app[PUSH_DISPATCHER].finish()
    assert len(bot.received) == 1


async def test_a_revocation_is_passed_on_and_cannot_be_replied_to(make: Make, bot: Target) -> None:
    bot.answer = lambda push: push.text("do come back")
    world = await make(**forwarding(bot.settings(mode="plain", events=["user_authorization_revoke"])))
    told = await world.sandbox.revoke(await world.person(), "user_authorization_revoke")
    await bot.until(1)
    assert (told.state, told.reply) == ("answered", None)


async def test_only_what_is_named_is_passed_on(make: Make, bot: Target) -> None:
    world = await make(**forwarding(bot.settings(events=["CLICK", "Text"])))
    person = await world.person()
    await world.sandbox.noise(person, "image")
    assert await world.say(person, "hello") == "bot: hello"
    await world.sandbox.click(person, "MENU")
    assert bot.names == ["text", "click"]


async def test_the_first_usable_reply_wins_and_slower_calls_go_on(make: Make) -> None:
    done = asyncio.Event()

    async def slow(push: Received) -> str:
        await asyncio.sleep(0.5)
        done.set()
        return push.text("slow")

    async with target(slow) as late, target(lambda push: "garbage") as bad, target() as bot, target() as mute:
        mute.answer = lambda push: push.text("ignored")
        plain = {"mode": "plain", "events": ["text"]}
        ignored = mute.settings(**plain, reply="ignore")
        world = await make(
            **forwarding(ignored, bad.settings(**plain), late.settings(**plain), bot.settings(**plain))
        )
        assert await world.say(await world.person(), "hello") == "bot: hello"
        async with asyncio.timeout(10):
            await done.wait()
        assert [len(one.received) for one in (late, bad, bot, mute)] == [1, 1, 1, 1]
        assert await counted(world, "unusable", index=1) == 1


async def _never(_push: Received) -> str:
    await asyncio.sleep(60)
    return "success"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(lambda push: "garbage", "unusable", id="garbage"),
        pytest.param(lambda push: push.text("hi"), "unusable", id="not encrypted"),
        pytest.param(lambda push: push.seal(push.text("hi", target="oSomebody")), "unusable", id="another person"),
        pytest.param(lambda push: push.seal(push.text("hi"), timestamp="1700000000"), "unusable", id="old"),
        pytest.param(lambda push: push.seal(push.text(" ")), "unusable", id="empty"),
        pytest.param(lambda push: push.seal(push.text(f"&#{'9' * 5000}")), "unusable", id="a long reference"),
        pytest.param(lambda push: web.Response(status=500), "failed", id="500"),
        pytest.param(lambda push: web.HTTPFound("/elsewhere"), "failed", id="redirect"),
        pytest.param(lambda push: web.Response(body=b"x" * 70_000), "failed", id="huge"),
        pytest.param(_never, "timeout", id="late"),
    ],
)
async def test_trouble_of_a_target_is_no_reply_and_no_trouble_of_ours(
    make: Make, answer: Any, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with target(answer) as bot:
        world = await make(**forwarding(bot.settings(events=["text"], timeout=1)))
        person = await world.person()
        assert await world.say(person, "hello") is None
        assert await world.say(person, "hello again") is None
        assert world.sandbox.post.deliveries[-1].state == "answered"
        assert "Thank you" in (await world.scan(person, await world.login()) or "")
        assert await counted(world, outcome) == 2
    lines = [line for line in caplog.messages if line.startswith("forward: ")]
    assert len(lines) == 1
    assert "accounts.main.forward.0" in lines[0]
    assert "hello" not in lines[0]


async def test_a_target_that_is_gone_is_skipped_after_a_few_failures(make: Make, bot: Target) -> None:
    """Red when the breaker is left out: each message would wait for the timeout."""
    world = await make(**forwarding(bot.settings(url="http://127.0.0.1:9/", events=["text"])))
    person = await world.person()
    for number in range(7):
        await world.say(person, f"hello {number}")
    assert (await counted(world, "failed"), await counted(world, "skipped")) == (5, 2)


async def test_too_many_calls_are_not_begun(make: Make, bot: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding_module, "MOST", 0)
    world = await make(**forwarding(bot.settings(events=["text"])))
    assert await world.say(await world.person(), "hello") is None
    assert (bot.received, await counted(world, "dropped")) == ([], 1)


async def test_a_target_that_hangs_leaves_room_for_the_others(
    make: Make, bot: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when one target's calls may take the places of all."""
    monkeypatch.setattr(forwarding_module, "MOST", 2)
    monkeypatch.setattr(forwarding_module, "MOST_OF_ONE", 1, raising=False)
    async with target(_never) as hung:
        slow = hung.settings(events=["text"], reply="ignore", timeout=4)
        world = await make(**forwarding(slow, bot.settings(events=["text"])))
        person = await world.person()
        assert [await world.say(person, f"hello {n}") for n in range(3)] == [f"bot: hello {n}" for n in range(3)]
        assert await counted(world, "dropped") == 2


async def test_calls_end_when_the_service_stops(make: Make) -> None:
    async with target(_never) as bot:
        world = await make(**forwarding(bot.settings(reply="ignore", events=["text"], timeout=4)))
        await world.say(await world.person(), "hello")
        await bot.until(1)
        calls = world.app[PUSH_DISPATCHER].other_chat.forwarding._calls
        assert len(calls) == 1
        async with asyncio.timeout(3):
            await world.app[PUSH_DISPATCHER].finish()
        assert not calls


async def test_pictures_and_articles_are_relayed_as_they_are(make: Make, bot: Target) -> None:
    item = "<item><Title><![CDATA[T]]></Title><Url><![CDATA[https://shop.example/?a=1&b=2]]></Url></item>"
    kinds = {
        "image": "<Image><MediaId><![CDATA[m]]></MediaId></Image>",
        "news": f"<ArticleCount>1</ArticleCount><Articles>{item}</Articles>",
    }
    world = await make(
        official={"main": replace(ACCOUNT, mode="plain")},
        **forwarding(bot.settings(mode="plain", events=["text"]), mode="plain", allow_unsigned_body=True),
    )
    person: Person = await world.person()
    for kind, inside in kinds.items():
        bot.answer = lambda push, kind=kind, inside=inside: (
            push.text("x").partition("<Content>")[0].replace("[text]", f"[{kind}]")
            + f"{inside}<FromUserName>{push.parsed.target}</FromUserName>"
            + f"<ToUserName>{push.parsed.source}</ToUserName></xml>"
        )
        delivery = await world.sandbox.say(person, f"send {kind}")
        assert delivery.reply == f"[{kind}]"
        assert inside in delivery.attempts[0].body
