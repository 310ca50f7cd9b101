"""An answer may be dated up to five seconds before its scan, unless it may be meant for an older question.

Red when the times are compared exactly, when `doubtful` is left out, or when a message that answered an older
question is read again.
"""

import pytest
from chatting import message, pushed, typed
from harness import Page, World
from questions import Make, asking, links, numbers, scanned

from sandbox.people import Person
from service.crypto.keyring import Keyring


@pytest.mark.parametrize(("created", "counts"), [(0, True), (-1, True), (-5, True), (-6, False), (-300, False)])
@pytest.mark.parametrize("confirm", ["match", "choose", "tap"])
async def test_front_ends_may_differ_by_five_seconds(make: Make, confirm: str, created: int, counts: bool) -> None:
    world = await asking(make, confirm)
    world.clock.hold()
    page, person, asked, state = await scanned(world)
    reply = await typed(world, person, state["match"] or links(asked)[0], created=created)
    assert (reply is not None) is counts
    assert (await page.poll())["status"] == ("confirmed" if counts else "scanned")


async def test_far_too_early_a_near_answer_gets_no_hint(make: Make) -> None:
    world = await asking(make, "match")
    world.clock.hold()
    _, person, _, _ = await scanned(world)
    assert await typed(world, person, "147", created=-6) is None
    assert await typed(world, person, "147", created=-5) is not None


async def two_questions(make: Make, confirm: str) -> tuple[World, Person, tuple[Page, str], tuple[Page, str]]:
    """Ask one question now minus three seconds and one now, without a number in common."""
    world = await asking(make, confirm)
    world.clock.hold()
    person = await world.person()
    while True:
        first, second = await world.login(), await world.login()
        old = await world.scan(person, first) or ""
        world.clock.advance(3)
        new = await world.scan(person, second) or ""
        answers = [(await page.poll())["match"] for page in (first, second)]
        if confirm == "tap" or not {*numbers(old), answers[0]} & {*numbers(new), answers[1]}:
            return world, person, (first, old), (second, new)


async def statuses(*pages: Page) -> list[str]:
    return [(await page.poll())["status"] for page in pages]


@pytest.mark.parametrize("confirm", ["match", "choose"])
async def test_a_number_for_the_older_question_answers_neither(make: Make, confirm: str) -> None:
    world, person, (first, _), (second, _) = await two_questions(make, confirm)
    meant = (await first.poll())["match"]
    assert await typed(world, person, meant, created=-2) is None
    assert await statuses(first, second) == ["scanned", "scanned"]


async def test_a_mistyped_number_for_the_older_question_rejects_neither(make: Make) -> None:
    """Red when a number that no question knows is wrong for the newest, though it may be meant for the older."""
    world, person, (first, _), (second, _) = await two_questions(make, "match")
    known = {(await page.poll())["match"] for page in (first, second)}
    wrong = next(str(number) for number in range(10, 100) if str(number) not in known)
    await typed(world, person, wrong, created=-2)
    assert await statuses(first, second) == ["scanned", "scanned"]
    await typed(world, person, wrong)
    assert await statuses(first, second) == ["scanned", "rejected"]


@pytest.mark.parametrize("confirm", ["match", "choose"])
async def test_the_newest_questions_own_number_counts_though_it_is_early(make: Make, confirm: str) -> None:
    world, person, (first, _), (second, _) = await two_questions(make, confirm)
    await typed(world, person, (await second.poll())["match"], created=-2)
    assert await statuses(first, second) == ["scanned", "confirmed"]


@pytest.mark.parametrize("text", ["是我，继续", "Yes, that is me", "不是我", "Not me"])
async def test_early_words_without_a_mark_answer_nothing(make: Make, text: str) -> None:
    world, person, (first, _), (second, _) = await two_questions(make, "tap")
    assert "Reply" in (await typed(world, person, text, created=-2) or "")  # the hint
    assert await statuses(first, second) == ["scanned", "scanned"]
    await typed(world, person, text)
    assert (await statuses(first, second))[0] == "scanned"
    assert (await second.poll())["status"] in ("confirmed", "rejected")


async def test_a_mark_names_its_ticket_though_it_is_early(make: Make) -> None:
    world, person, (first, old), (second, new) = await two_questions(make, "tap")
    for said in links(old):
        assert await typed(world, person, said, created=-2) is None
    assert await statuses(first, second) == ["scanned", "scanned"]
    await typed(world, person, links(new)[0], created=-2)
    assert await statuses(first, second) == ["scanned", "confirmed"]


@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
@pytest.mark.parametrize("text", ["是我，继续", "Yes, that is me", "不是我", "Not me"])
async def test_words_of_before_a_loss_of_redis_are_not_guessed_at(make: Make, confirm: str, text: str) -> None:
    """Red when words are in doubt only beside an older question that is known."""
    world = await asking(make, confirm)
    world.clock.hold()
    person, first, second = await world.person(), await world.login(), await world.login()
    await world.scan(person, first)
    body = message(world, person, created=1, MsgType="text", Content=text)
    await pushed(world, body)
    await world.redis.flushall()
    world.clock.advance(3)
    await world.scan(person, second)
    assert "eply" in (await pushed(world, body) or "")  # the hint
    assert await statuses(second) == ["scanned"]


async def test_the_answer_to_an_older_question_does_not_answer_the_next_when_it_comes_again(make: Make) -> None:
    """Red when `_answered` does not know which message answered before; the cache of replies is lost here."""
    world = await asking(make, "match")
    world.clock.hold()
    person, first, second = await world.person(), await world.login(), await world.login()
    keys = Keyring.derive(("k" * 40,), ["shop"]).newest("shop")
    while keys.numbers(first.id).match == keys.numbers(second.id).match:
        second = await world.login()
    await world.scan(person, first)
    body = message(world, person, created=1, MsgType="text", Content=keys.numbers(second.id).match)
    assert "Wrong number" in (await pushed(world, body) or "")
    world.clock.advance(3)
    await world.scan(person, second)
    for key in await world.redis.keys("scanbind:d:*"):
        await world.redis.delete(key)
    assert "Wrong number" in (await pushed(world, body) or "")
    assert await statuses(first, second) == ["rejected", "scanned"]
