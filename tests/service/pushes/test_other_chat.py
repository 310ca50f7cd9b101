"""A push is passed on once, however often WeChat delivers it, and what no target answers has its own reply.

Red when a claim is not taken, not waited for or never ends, when a redelivery gets another reply, and when welcome
or `otherwise` answer what is another's.

Covers: service.pushes.claims, service.pushes.greetings.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from harness import ACCOUNT, World, client, free_port
from targets import Received, Target, forwarding, target

from sandbox import pushes
from sandbox.envelope import Request, wrap
from sandbox.faults import Fault
from sandbox.people import Person
from sandbox.replies import Question, judge
from service.pushes import claims
from service.server.runner import running

Make = Callable[..., Any]
TEXTS = {"mode": "plain", "events": ["text"]}


@pytest.fixture
async def bot() -> AsyncIterator[Target]:
    async with target() as made:
        yield made


def said(world: World, person: Person, text: str) -> Request:
    """Return the push of a text, to be sent any number of times."""
    contact, now = world.sandbox.contact(person), world.clock.seconds()
    fields = pushes.text(text, msg_id=world.sandbox.post.message_id())
    return wrap(pushes.addressed(fields, contact, ACCOUNT, now=now), ACCOUNT, now=now)


async def deliver(world: World, person: Person, request: Request, url: str = "") -> str | None:
    """Deliver a push once; return the reply, or the status of a failure."""
    async with world.http.post(
        f"{url or world.url}/wechat/main", params=request.query, data=request.body
    ) as answer:
        body = await answer.read()
    if answer.status != 200:
        return str(answer.status)
    return judge(body, to=Question(ACCOUNT, openid=person.openid(ACCOUNT.appid), nonce=request.nonce))


def slowly(push: Received) -> Any:
    async def later() -> str:
        await asyncio.sleep(0.5)
        return push.text(f"bot: {push.parsed.content}")

    return later()


@pytest.mark.parametrize("fault", [Fault.TWICE, Fault.AT_ONCE])
async def test_a_push_delivered_twice_arrives_once_with_one_reply(make: Make, bot: Target, fault: Fault) -> None:
    """Red when neither the reply is kept nor the task shared."""
    bot.answer = slowly
    world = await make(**forwarding(bot.settings(**TEXTS)))
    delivery = await world.sandbox.say(await world.person(), "hello", fault=fault)
    assert [one.reply for one in delivery.attempts] == ["bot: hello"] * 2
    assert bot.names == ["text"]


async def test_two_processes_pass_a_push_on_once(make: Make, bot: Target) -> None:
    """Red when a claim is not asked of Redis."""
    bot.answer = slowly
    world: World = await make(**forwarding(bot.settings(**TEXTS)))
    person = await world.person()
    with free_port() as sock:
        async with running(world.settings, sock=sock, clock=world.clock) as other:
            request = said(world, person, "hello")
            first = asyncio.create_task(deliver(world, person, request))
            await bot.until(1)
            second = await deliver(world, person, request, f"http://127.0.0.1:{other.port}")
            assert [await first, second] == ["bot: hello"] * 2
    assert bot.names == ["text"]


async def test_what_a_dead_process_had_claimed_is_passed_on_when_the_claim_ends(
    make: Make, bot: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when a claim does not end."""
    monkeypatch.setattr(claims, "LASTS", 1.0)
    world: World = await make(**forwarding(bot.settings(**TEXTS)))
    person = await world.person()
    request = said(world, person, "hello")
    taking, taken = claims.PushClaims.take, asyncio.Event()

    async def dies(self: claims.PushClaims, account: str, push: Any) -> bool | None:
        await taking(self, account, push)
        taken.set()
        return await asyncio.sleep(60)

    monkeypatch.setattr(claims.PushClaims, "take", dies)
    with free_port() as sock:
        async with running(world.settings, sock=sock, clock=world.clock) as other:
            doomed = asyncio.create_task(deliver(world, person, request, f"http://127.0.0.1:{other.port}"))
            await taken.wait()
            monkeypatch.setattr(claims.PushClaims, "take", taking)
            assert await deliver(world, person, request) == "bot: hello"
            assert bot.names == ["text"]
            assert await doomed == "503"


async def test_a_redelivery_that_finds_no_reply_in_time_is_asked_again(make: Make, bot: Target) -> None:
    """Red when a claim of another process is answered with success."""
    world: World = await make(**forwarding(bot.settings(**TEXTS)))
    person = await world.person()
    request = said(world, person, "hello")
    async with asyncio.timeout(30):
        assert await deliver(world, person, request) == "bot: hello"
    [key] = [key for key in await world.redis.keys("scanbind:d:*") if key.endswith(":p")]
    await world.redis.delete(key.removesuffix(":p"))
    await world.redis.set(key, "1", ex=60)
    assert await deliver(world, person, request) == "503"
    assert bot.names == ["text"]


async def test_a_claim_that_ends_late_is_left_to_the_next_delivery(make: Make, bot: Target) -> None:
    """Red when a push is passed on with no time left for its reply, which is then lost for good."""
    bot.answer = slowly
    world: World = await make(**forwarding(bot.settings(**TEXTS)))
    person = await world.person()
    request = said(world, person, "hello")
    await deliver(world, person, request)
    [key] = [key for key in await world.redis.keys("scanbind:d:*") if key.endswith(":p")]
    await world.redis.delete(key.removesuffix(":p"))
    await world.redis.set(key, "1", px=3700)
    assert await deliver(world, person, request) == "503"
    assert bot.names == ["text"]
    assert await deliver(world, person, request) == "bot: hello"
    assert bot.names == ["text"] * 2


async def test_a_kept_reply_holds_no_openid(make: Make, bot: Target) -> None:
    world: World = await make(**forwarding(bot.settings(**TEXTS)))
    person = await world.person()
    await world.say(person, "hello")
    kept = [str(await world.redis.get(key)) for key in await world.redis.keys("scanbind:d:*")]
    assert any("bot: hello" in one for one in kept)
    assert person.openid(ACCOUNT.appid) not in json.dumps(kept)


async def test_without_redis_it_is_passed_on_all_the_same(
    make: Make, bot: Target, caplog: pytest.LogCaptureFixture
) -> None:
    """Red when a claim that Redis does not take counts as another delivery's, and when the task is not shared."""
    bot.answer = slowly
    world: World = await make(**forwarding(bot.settings(**TEXTS)))
    person = await world.person()
    request = said(world, person, "hello")
    await world.redis.config_set("maxclients", 1)
    await world.redis.client_kill_filter(_type="normal", skipme=True)
    try:
        both = await asyncio.gather(*(deliver(world, person, request) for _ in range(2)))
        assert both == ["bot: hello"] * 2
    finally:
        await world.redis.config_set("maxclients", 10000)
    assert any("cannot claim a push" in line for line in caplog.messages)
    assert bot.names == ["text"]


@pytest.mark.parametrize(("language", "told"), [("en", "Hello!\nWelcome."), ("zh_CN", "你好！")])
async def test_a_follower_without_our_scene_is_welcomed_in_their_language(
    make: Make, language: str, told: str
) -> None:
    """Red when a scan of ours is welcomed, or another system's scene is not."""
    world = await make(accounts={"main": {"welcome": {"zh": "你好！", "en": "Hello!\nWelcome."}}})
    person = await world.person(following=False, language=language)
    await world.sandbox.follow(person, by_search=True)
    await world.sandbox.unfollow(person)
    world.clock.advance(30)
    assert told in ((await world.sandbox.follow(person, by_search=True)).reply or "")
    world.clock.advance(1)
    contact = world.sandbox.contact(person)
    foreign = {"MsgType": "event", "Event": "subscribe", "EventKey": "qrscene_of_a_shop"}
    delivery = await world.sandbox.post.push(foreign, to=world.sandbox.accounts[0], about=contact)
    assert told in (delivery.reply or "")
    world.clock.advance(1)
    scene = world.sandbox.code((await world.login()).made["qr_url"]).scene
    unsigned = foreign | {"EventKey": f"qrscene_{scene[:-1]}{'A' if scene[-1] != 'A' else 'B'}"}
    delivery = await world.sandbox.post.push(unsigned, to=world.sandbox.accounts[0], about=contact)
    assert told in (delivery.reply or "")
    assert "Thank" in (await world.scan(await world.person(following=False), await world.login()) or "")


async def test_welcome_comes_before_the_invitation_to_send_a_passcode(make: Make) -> None:
    shop = client("shop", methods=["passcode"])
    world = await make(clients={"shop": shop}, accounts={"main": {"welcome": "Hello!"}})
    person = await world.person(following=False)
    reply = (await world.sandbox.follow(person, by_search=True)).reply or ""
    assert reply.startswith("Hello!\n\n")
    assert "send it here" in reply


async def test_a_targets_reply_to_a_follow_goes_instead_of_the_welcome(make: Make, bot: Target) -> None:
    bot.answer = lambda push: push.text("the bot's welcome")
    mine = bot.settings(mode="plain", events=["subscribe"])
    world = await make(**forwarding(mine, welcome="Hello!"))
    person = await world.person(following=False)
    assert (await world.sandbox.follow(person, by_search=True)).reply == "the bot's welcome"
    bot.answer = lambda push: "success"
    person = await world.person(following=False)
    assert (await world.sandbox.follow(person, by_search=True)).reply == "Hello!"


async def test_messages_that_are_not_answered_go_to_human_agents(make: Make, bot: Target) -> None:
    """Red when events do as well, or what was answered."""
    shop = client("shop", confirm="match")
    bot.answer = lambda push: "success" if "human" in push.message else push.text("bot")
    world = await make(
        clients={"shop": shop}, **forwarding(bot.settings(**TEXTS), otherwise="transfer_customer_service")
    )
    person = await world.person()
    delivery = await world.sandbox.say(person, "human please", fault=Fault.TWICE)
    assert [one.reply for one in delivery.attempts] == ["[transfer_customer_service]"] * 2
    assert await world.say(person, "hello") == "bot"
    assert (await world.sandbox.noise(person, "image")).reply == "[transfer_customer_service]"
    assert (await world.sandbox.click(person, "MENU")).reply is None
    page = await world.login()
    await world.scan(person, page)
    assert "Thank you" in (await world.say(person, (await page.poll())["match"]) or "")


async def test_without_any_of_it_other_pushes_are_acknowledged_and_forgotten(world: World) -> None:
    """Red when an account without targets does any work for them."""
    person = await world.person()
    before = await world.redis.keys("scanbind:d:*")
    assert (await world.sandbox.noise(person, "image")).reply is None
    assert (await world.sandbox.click(person, "MENU")).reply is None
    assert await world.redis.keys("scanbind:d:*") == before
