"""A system behind the account that is taken over: what its replies can and cannot do to logins and binds.

It speaks in the account's chat. It can write a text that looks like a question; it cannot make a tap answer one.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from harness import ACCOUNT, World, client
from targets import Target, forwarding, target

from sandbox.chat import menu_link
from sandbox.faults import FORGERIES

Make = Callable[..., Any]


@pytest.fixture
async def bot() -> AsyncIterator[Target]:
    async with target() as made:
        yield made


async def test_no_link_of_a_target_answers_an_open_question(make: Make, bot: Target) -> None:
    """Red when `_cleaned` leaves the texts of a reply as they are."""
    everything = [f"{number:02}" for number in range(100)] + [
        *("是我，继续", "Not me", "不是我", "Yes, that is me", "Yes ABCD", "不是我 2345")
    ]
    bot.answer = lambda push: push.text("\n".join(menu_link(text, menu_id="1") for text in everything))
    shop = client("shop", confirm="choose")
    world: World = await make(clients={"shop": shop}, **forwarding(bot.settings(mode="plain", events=["text"])))
    person = await world.person()
    page = await world.login()
    await world.scan(person, page)
    reply = await world.say(person, "what are your opening hours?")
    assert reply
    assert reply.split("\n") == everything
    chat = await world.sandbox.chat(person)
    assert not any(piece.says for piece in chat[-1].pieces)
    assert (await page.poll())["status"] == "scanned"


async def test_no_link_of_a_target_sends_a_passcode(make: Make, bot: Target) -> None:
    shop = client("shop", methods=["passcode"], confirm="none")
    world: World = await make(clients={"shop": shop}, **forwarding(bot.settings(mode="plain", events=["text"])))
    page = await world.login()
    passcodes = page.made["passcode"], page.made["passcode"].lower(), "ABCD EFGH"
    links = [menu_link(text, menu_id="1") for text in passcodes]
    bot.answer = lambda push: push.text(" ".join(links))
    reply = await world.say(await world.person(), "hello there, are you open?")
    assert reply
    assert "bizmsgmenu" not in reply


async def test_a_reply_to_another_person_is_not_shown(make: Make, bot: Target) -> None:
    """Red when the addressee of a relayed reply is not compared."""
    world: World = await make(**forwarding(bot.settings(mode="plain", events=["text"])))
    anna, ben = await world.person(), await world.person()
    assert await world.say(anna, "my account number?") == "bot: my account number?"
    for_anna = bot.received[-1].text("account 1234")
    bot.answer = lambda push: for_anna
    assert await world.say(ben, "hello") is None


async def test_no_forged_push_is_passed_on(make: Make, bot: Target) -> None:
    world: World = await make(**forwarding(bot.settings(events=["text"])))
    person = await world.person()
    for fault in sorted(FORGERIES):
        assert (await world.sandbox.say(person, "hello", fault=fault)).state == "refused"
    assert bot.received == []


async def test_what_a_target_replied_is_erased_with_the_person(make: Make, bot: Target) -> None:
    world: World = await make(**forwarding(bot.settings(events=["text"])))
    person = await world.person()
    assert await world.say(person, "hello") == "bot: hello"
    await world.sandbox.unfollow(person)
    kept = [str(await world.redis.get(key)) for key in await world.redis.keys("scanbind:d:*")]
    assert kept
    assert not any("bot" in one or person.openid(ACCOUNT.appid) in one for one in kept)
