"""Answers that cross another scan, another answer or a lost reply: each is told how its ticket ended.

Red when `AnswerHandler._apply` gives no reply to an answer because another one was first.
"""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from chatting import message, pushed, typed
from harness import Page, World, client
from holding import Held

from handlers.wechat import callback
from sandbox.people import Person
from service.app_keys import PUSH_DISPATCHER
from service.confirmation.open_questions import OpenQuestions
from service.identities.followers import Followers
from service.pushes.reply_cache import ReplyCache
from service.storage.database import Database
from service.tickets.decisions import TicketDecisions
from service.tickets.projection import Projection
from service.tickets.status import TicketStatus

TOLD = "Thank you"
"""How the reply to the right answer to a login begins, for a new person."""
Start = Callable[..., Awaitable[World]]


@pytest.fixture
def start(database: Database, url: str, make: Start) -> Callable[[], Awaitable[World]]:
    """Start a shop that asks for the number on the page, on each database, with a clock that stands still."""

    async def started() -> World:
        world = await make(clients={"shop": client("shop", confirm="match")}, database_url=url)
        world.clock.hold()
        return world

    return started


async def asked(world: World, person: Person, *, unlike: str = "") -> tuple[Page, str]:
    """Let *person* scan a login; return it with its number, which is not *unlike*."""
    while True:
        page = await world.login()
        await world.scan(person, page)
        if (number := (await page.poll())["match"]) != unlike:
            return page, number


def wrong(number: str) -> str:
    return "10" if number != "10" else "11"


async def test_a_second_scan_beside_the_first_answer_leaves_the_second_answer_a_reply(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await start()
    person = await world.person()
    page, number = await asked(world, person)
    held = Held(monkeypatch, OpenQuestions, "answered")
    first = asyncio.create_task(typed(world, person, number))
    await held.reached()
    world.clock.advance(1)
    assert "Type the two digits" in (await world.scan(person, page) or "")
    held.release()
    await first  # its reply is lost
    assert TOLD in (await typed(world, person, number, created=1) or "")
    assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("right", [True, False])
async def test_an_answer_after_a_late_delivery_of_an_earlier_one_is_told(start: Start, right: bool) -> None:
    world = await start()
    person = await world.person()
    page, number = await asked(world, person)
    late = message(world, person, created=0, MsgType="text", Content=number)
    world.clock.advance(1)
    await world.scan(person, page)
    await pushed(world, late)  # its reply is lost
    assert TOLD in (await typed(world, person, number if right else wrong(number)) or "")
    assert (await page.poll())["status"] == "confirmed"


async def test_an_answer_after_one_that_was_committed_too_late_to_be_told_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await start()
    person = await world.person()
    page, number = await asked(world, person)
    held = Held(monkeypatch, TicketDecisions, "confirm")
    with monkeypatch.context() as patch:
        patch.setattr(callback, "ANSWER_WITHIN", 0.1)
        with pytest.raises(AssertionError, match="store-unavailable"):
            await typed(world, person, number)
    await held.reached()
    held.release()
    await world.app[PUSH_DISPATCHER].finish()
    assert TOLD in (await typed(world, person, number) or "")
    assert (await page.poll())["status"] == "confirmed"


async def test_a_right_number_after_a_wrong_one_is_told_that_the_code_is_invalid(start: Start) -> None:
    world = await start()
    person = await world.person()
    page, number = await asked(world, person)
    for one in (wrong(number), number):
        assert "Wrong number" in (await typed(world, person, one) or "")
    assert (await page.poll())["status"] == "rejected"


async def test_a_redelivered_answer_is_told_again_though_a_newer_question_is_open(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when only the open question is marked, when the mark is not read, or Redis is asked for the ending."""
    world = await start()
    person = await world.person()
    first, number = await asked(world, person)
    answer = message(world, person, created=0, MsgType="text", Content=wrong(number))
    marking, copying = Held(monkeypatch, OpenQuestions, "answered"), Held(monkeypatch, Projection, "show")
    answering = asyncio.create_task(pushed(world, answer))
    await marking.reached()
    world.clock.advance(6)  # so that the answer is too early for the newer question
    second, _ = await asked(world, person, unlike=number)
    marking.release()
    await copying.reached()  # the ending is committed, and neither copied to Redis nor told
    assert "Wrong number" in (await pushed(world, answer) or "")
    copying.release()
    await answering
    assert [(await page.poll())["status"] for page in (first, second)] == ["rejected", "scanned"]


async def test_a_redelivered_answer_that_was_not_committed_changes_nothing_once_a_newer_question_is_open(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when a message that answered an older question is read as an answer again."""
    world = await start()
    person = await world.person()
    first, number = await asked(world, person)
    answer = message(world, person, created=0, MsgType="text", Content=wrong(number))
    held = Held(monkeypatch, TicketDecisions, "close")
    lost = asyncio.create_task(pushed(world, answer))
    await held.reached()
    second, _ = await asked(world, person, unlike=number)
    assert await pushed(world, answer) is None
    assert [(await page.poll())["status"] for page in (first, second)] == ["scanned", "scanned"]
    held.release()
    await lost


async def test_the_page_shows_no_number_before_an_answer_would_be_replied_to(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `ScanHandler` marks the ticket before it opens the question."""
    world = await start()
    person, page = await world.person(), await world.login()
    storing, opening = Held(monkeypatch, Followers, "seen"), Held(monkeypatch, OpenQuestions, "open")
    scanning = asyncio.create_task(world.scan(person, page))
    for held in (storing, opening):
        await held.reached()
        assert (await page.poll())["match"] is None
        held.release()
    assert "Type the two digits" in (await scanning or "")
    assert (await page.poll())["match"]


async def test_a_number_typed_before_the_scan_is_replied_to_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await start()
    person, page = await world.person(), await world.login()
    held = Held(monkeypatch, ReplyCache, "remember")
    scanning = asyncio.create_task(world.scan(person, page))
    await held.reached()
    assert TOLD in (await typed(world, person, (await page.poll())["match"]) or "")
    held.release()
    assert "Type the two digits" in (await scanning or "")


async def test_an_answer_to_a_ticket_that_another_phone_took_is_told_so(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when `AnswerHandler._apply` gives no reply to an answer to another person's ticket."""
    world = await start()
    slow, quick, page = await world.person(), await world.person(), await world.login()
    held = Held(monkeypatch, TicketStatus, "mark_scanned")
    scanning = asyncio.create_task(world.scan(slow, page))
    await held.reached()
    await world.scan(quick, page)
    held.release()
    told = await scanning
    assert "Another person" in (told or "")
    assert await typed(world, slow, (await page.poll())["match"]) == told
    assert (await page.poll())["status"] == "scanned"
