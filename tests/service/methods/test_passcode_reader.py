"""What people send to a chat that takes passcodes, and what they are told.

Red when a wrong passcode is not counted before it is looked up, when wrong, expired and used ones differ, when a
person who typed a code rightly is kept out by others, and when other texts get a reply.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from altering import altered
from harness import ACCOUNT, SECOND, Page, World, client

from models.language import Lang
from sandbox.people import Person
from service.app_keys import AUDIT, PUSH_DISPATCHER
from service.confirmation import messages
from service.rate_limiting.passcode_tries import EACH, IN_FLOOD
from service.storage.database import connect

Make = Callable[..., Any]
WRONG = messages.unusable_passcode(Lang.EN)


async def world_with(make: Make, *, limits: dict[str, int] | None = None, **changes: Any) -> World:
    shop = client("shop", **({"methods": ["passcode"], "confirm": "match"} | changes))
    made: World = await make(clients={"shop": shop}, limits=limits or {})
    return made


def wrong(number: int) -> str:
    """Return one of a thousand passcodes that no ticket has, but with a chance of one in a thousand million."""
    return f"WRNG{number:04d}".translate(str.maketrans("01", "XY"))


async def known(world: World) -> Person:
    """Return a person whose language WeChat has told."""
    person = await world.person()
    async with asyncio.timeout(10):
        while await world.say(person, "WRNGZZZZ") != WRONG:
            await asyncio.sleep(0.05)
            await forget(world)
    await forget(world)
    return person


async def forget(world: World) -> None:
    """End the windows in which passcodes are counted."""
    if keys := await world.redis.keys("scanbind:l:passcodes:*"):
        await world.redis.delete(*keys)


async def signed_in(world: World, person: Person, page: Page, text: str | None = None) -> dict[str, Any]:
    assert "log you in" in (await world.say(person, text or page.made["passcode"]) or "")
    match = (await page.until("scanned"))["match"]
    assert "Return to Example shop" in (await world.say(person, match) or "")
    return await page.until("confirmed")


async def test_full_width_lower_case_and_spaces_are_the_same_passcode(make: Make) -> None:
    world = await world_with(make)
    page, person = await world.login(), await world.person()
    wide = "".join(chr(ord(sign) + 0xFEE0) if sign != " " else "\u3000" for sign in page.made["passcode"])
    ended = await signed_in(world, person, page, f" {wide.lower()} 。")
    assert ended["outcome"] == "register"


async def test_wrong_expired_used_and_another_persons_passcode_get_the_same_reply(make: Make) -> None:
    """Red when `_open` lets one of them through: it would get a notice of its own."""
    world = await world_with(make)
    anna, ben = await known(world), await known(world)
    used, waiting, cancelled, expired = [await world.login() for _ in range(4)]
    await signed_in(world, anna, used)
    await world.say(anna, waiting.made["passcode"])
    await cancelled.raw("DELETE")
    replies = [await world.say(ben, page.made["passcode"]) for page in (used, waiting, cancelled)]
    world.clock.advance(expired.made["expires_in"] + 1)
    replies += [await world.say(ben, expired.made["passcode"]), await world.say(ben, wrong(1))]
    replies.append(await world.say(anna, used.made["passcode"]))
    assert replies == [WRONG] * 6
    assert await world.say(ben, wrong(2)) is None, "all five of his counted"
    assert (await waiting.poll())["status"] == "expired"


async def test_two_people_with_one_passcode_do_not_disturb_each_other(make: Make) -> None:
    world = await world_with(make)
    page, anna, ben = await world.bind("42"), await known(world), await known(world)
    replies = await asyncio.gather(*(world.say(one, page.made["passcode"]) for one in (anna, ben)))
    assert sum(reply == WRONG for reply in replies) == 1
    owner, other = (ben, anna) if replies[0] == WRONG else (anna, ben)
    match = (await page.until("scanned"))["match"]
    assert await world.say(other, match) in (None, WRONG)
    assert "now bound" in (await world.say(owner, match) or "")
    (binding,) = await world.bindings("42")
    assert binding["openid"] == owner.openid(binding["appid"])


async def test_the_same_person_may_send_it_again_until_they_answer(make: Make) -> None:
    """Red when a right passcode stays counted."""
    world = await world_with(make)
    page, person = await world.login(), await world.person()
    for _ in range(EACH + 2):
        assert "log you in" in (await world.say(person, page.made["passcode"]) or "")
    await signed_in(world, person, page)


async def test_after_five_wrong_ones_the_chat_is_silent_and_others_go_on(make: Make) -> None:
    world = await world_with(make)
    page, guesser, person = await world.login(), await known(world), await world.person()
    said = [await world.say(guesser, wrong(number)) for number in range(EACH + 3)]
    assert said == [WRONG] * EACH + [None] * 3
    assert await world.say(guesser, page.made["passcode"]) is None, "the right one as well"
    assert (await page.poll())["status"] == "pending"
    await signed_in(world, person, page)
    await world.app[AUDIT].flush()
    await forget(world)
    again = await world.login()
    await signed_in(world, guesser, again)


async def test_a_passcode_that_could_not_be_looked_up_is_not_counted(make: Make, tmp_path: Path) -> None:
    """Red when a passcode stays counted while the database does not answer: each delivery is one more."""
    world = await world_with(make, limits={"scans_per_openid": 0})
    page, person = await world.login(), await world.person()
    index = world.app[PUSH_DISPATCHER].passcodes.index
    async with connect("postgresql+asyncpg://none@127.0.0.1:1/none", data_dir=tmp_path) as nowhere:
        working, index.database = index.database, nowhere
        for _ in range(EACH):
            assert await world.say(person, page.made["passcode"]) is None
        index.database = working
    await signed_in(world, person, page)


async def test_guesses_at_once_are_no_more_than_their_number(make: Make) -> None:
    """Red when a passcode is looked up before it is counted."""
    world = await world_with(make)
    guesser = await world.person()
    said = await asyncio.gather(*(world.say(guesser, wrong(number)) for number in range(40)))
    assert [reply is None for reply in said].count(False) == EACH


async def test_a_flood_of_wrong_ones_leaves_each_person_some_tries(make: Make) -> None:
    """Red when the limit of all people keeps out a person who typed at most one code wrongly."""
    world = await world_with(make, limits={"passcodes_per_account": 6})
    people = [await known(world) for _ in range(3)]
    for number in range(2):
        guesser = await world.person()
        for at in range(EACH):
            await world.say(guesser, wrong(10 * number + at))
    late, careful, careless = people
    said = [await world.say(late, wrong(30 + number)) for number in range(IN_FLOOD + 1)]
    assert said == [WRONG] * IN_FLOOD + [None]
    await signed_in(world, careful, await world.login())
    page = await world.login()
    assert await world.say(careless, altered(page.made["passcode"])) == WRONG
    await signed_in(world, careless, page)


async def test_texts_that_are_no_passcode_are_left_alone(make: Make) -> None:
    world = await world_with(make)
    person, page = await world.person(), await world.login()
    code = str(page.made["passcode"])
    for text in ("hello", code[:-1], f"{code}2", f"code: {code}", "10012002", "12345678", "😀" * 8):
        assert await world.say(person, text) is None
    assert await world.redis.keys("scanbind:l:passcodes:*") == []
    assert (await page.poll())["status"] == "pending"


async def test_passcodes_count_as_scans_of_a_person(make: Make) -> None:
    """Red when `PushDispatcher._excess` leaves them out: each costs reads in SQL."""
    world = await world_with(make, limits={"scans_per_openid": 2})
    page, person = await world.login(), await world.person()
    said = [await world.say(person, page.made["passcode"]) for _ in range(4)]
    assert [reply is not None for reply in said] == [True, True, True, False]
    assert "Too many attempts" in str(said[2])


async def test_an_account_without_the_method_takes_no_passcode(make: Make) -> None:
    world = await world_with(make, methods=["scan"])
    assert await world.say(await world.person(), wrong(1)) is None
    newcomer = await world.person(following=False)
    assert (await world.sandbox.follow(newcomer, by_search=True)).reply is None


async def test_a_passcode_is_of_one_account(make: Make) -> None:
    world = await make(
        official={"main": ACCOUNT, "second": SECOND},
        clients={"shop": client("shop", methods=["passcode"], accounts=["main", "second"])},
    )
    page, person = await world.login(account="second"), await known(world)
    assert await world.say(person, page.made["passcode"]) == WRONG
    assert "log you in" in (await world.say(person, page.made["passcode"], account=SECOND.appid) or "")


@pytest.mark.parametrize(("language", "said"), [("en", Lang.EN), ("zh_CN", Lang.ZH)], ids=["english", "chinese"])
async def test_a_follow_without_a_code_is_told_to_send_the_code(make: Make, language: str, said: Lang) -> None:
    """The first follow knows no language yet, so both are said; later WeChat has told it."""
    world = await world_with(make)
    newcomer = await world.person(following=False, language=language)
    reply = (await world.sandbox.follow(newcomer, by_search=True)).reply
    assert reply == messages.send_passcode(None)
    async with asyncio.timeout(10):
        while await world.say(newcomer, wrong(1)) != messages.unusable_passcode(said):
            await asyncio.sleep(0.05)
            await forget(world)


async def test_an_account_without_permissions_signs_in_and_is_never_called(make: Make) -> None:
    called: list[object] = []
    server = await asyncio.start_server(lambda *streams: called.append(streams), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        world = await make(
            official={"main": replace(ACCOUNT, verified=False)},
            accounts={"main": {"api": False, "secret": "", "proxy": f"http://127.0.0.1:{port}"}},
            clients={"shop": client("shop", methods=["passcode"], confirm={"login": "choose", "bind": "none"})},
        )
        newcomer = await world.person(following=False)
        page = await world.bind("42")
        await world.sandbox.follow(newcomer, by_search=True)
        await world.say(newcomer, page.made["passcode"])
        match = (await page.until("scanned"))["match"]
        assert "now bound" in (await world.say(newcomer, match) or "")
        page = await world.login()
        await world.say(newcomer, page.made["passcode"])
        await world.say(newcomer, (await page.until("scanned"))["match"])
        told = await (await world.exchange((await page.until("confirmed"))["code"])).json()
        assert (told["outcome"], told["user_id"], told["unionid"]) == ("login", "42", None)
        assert (told["method"], told["kind"]) == ("passcode", "official_account")
        await world.sandbox.unfollow(newcomer)
    assert called == []
