"""Near-answers to an open question get one hint a minute, in its language; everything else is left alone.

Red when `AnswerHints` does not look whether the question is open, or takes no minute, and when `nearly_answers`
does not know a plain yes or no.
"""

import pytest
from chatting import message, pushed, spoken, typed
from harness import World
from questions import Make, asking, links, numbers, scanned

from models.errors import StoreUnavailable
from models.language import Lang
from models.ticket import Confirm
from sandbox.faults import Fault
from service.confirmation import messages
from service.tickets.decisions import TicketDecisions

NUMBER, TAP = (messages.hint(confirm, lang=Lang.EN) for confirm in (Confirm.MATCH, Confirm.TAP))
NEARLY = ["4", "147", "4 7", "47 please", "数字是47", "yes", "确认", "Yes, that is me", "是我"]
VAGUE = [
    "是",
    "是的。",
    "对",
    "【本人】",
    "确定！",
    "Y",
    "不是",
    "不是的～",
    "否",
    "不是本人",
    "拒绝",
    "取消",
    "No.",
    "NO",
]


async def a_minute_later(world: World) -> None:
    """Let Redis forget the hint: its clock is not the test's."""
    for key in await world.redis.keys("scanbind:h:*"):
        assert 0 < await world.redis.ttl(key) <= 60
        await world.redis.delete(key)


@pytest.mark.parametrize("confirm", ["choose", "match"])
@pytest.mark.parametrize("text", NEARLY)
async def test_a_near_answer_gets_a_hint_and_changes_nothing(make: Make, confirm: str, text: str) -> None:
    world = await asking(make, confirm)
    page, person, _, state = await scanned(world)
    assert await typed(world, person, text) == NUMBER
    assert await page.poll() | {"expires_in": 0} == state | {"expires_in": 0}
    assert await typed(world, person, state["match"]) != NUMBER
    assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("text", ["47", "yes", "确认", "是我", "好的，是我", *VAGUE])
async def test_a_tap_hints_at_its_words(make: Make, text: str) -> None:
    world = await asking(make, "tap")
    page, person, _, _ = await scanned(world)
    assert await typed(world, person, text) == TAP
    assert (await page.poll())["status"] == "scanned"


@pytest.mark.parametrize("text", ["数字是47。", "嗯，四十七。", "是四七吧？", "一百四十七", "是的。"])
async def test_speech_gets_the_hint_as_well(make: Make, text: str) -> None:
    """Red when `spoken` knows no number that is said among other words."""
    world = await asking(make, "match")
    page, person, _, _ = await scanned(world)
    assert await spoken(world, person, text) == NUMBER
    assert (await page.poll())["status"] == "scanned"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "hello",
            "人工客服",
            "yesterday",
            "[微笑]",
            "",
            "您好，我想问一下我的订单20241105什么时候发货",
            "Yes ZZZZ",
        ),
        *("好的", "谢谢", "ok", "在吗", "是的吗", "不是吧", "对了", "取消订单", "一下", "四十七", "north"),
    ],
)
async def test_other_messages_get_no_hint(make: Make, text: str) -> None:
    """Red when `nearly_answers` takes long texts, parts of words, or what names another ticket."""
    world = await asking(make, "choose")
    page, person, _, _ = await scanned(world)
    assert await typed(world, person, text) is None
    assert (await page.poll())["status"] == "scanned"


async def test_one_hint_a_minute(make: Make) -> None:
    world = await asking(make, "match")
    _, person, _, _ = await scanned(world)
    assert [await typed(world, person, text) for text in ("147", "4 7", "yes")] == [NUMBER, None, None]
    await a_minute_later(world)
    assert await typed(world, person, "147") == NUMBER


async def test_one_persons_hint_is_not_another_persons(make: Make) -> None:
    world = await asking(make, "match")
    people = [(await scanned(world))[1] for _ in range(2)]
    assert [await typed(world, person, "147") for person in people] == [NUMBER, NUMBER]


async def test_a_redelivered_message_gets_the_same_hint(make: Make) -> None:
    """Red, with the reply cache lost, when `_take` does not know the message that took the hint."""
    world = await asking(make, "match")
    _, person, _, _ = await scanned(world)
    for fault in (Fault.TWICE, Fault.AT_ONCE):
        delivery = await world.sandbox.say(person, f"14{fault.value[0]}7", fault=fault)
        assert {attempt.reply for attempt in delivery.attempts} == {NUMBER}
        await a_minute_later(world)
    body = message(world, person, created=0, MsgType="text", Content="147")
    assert await pushed(world, body) == NUMBER
    for key in await world.redis.keys("scanbind:d:*"):
        await world.redis.delete(key)
    assert await pushed(world, body) == NUMBER
    assert await typed(world, person, "147") is None


async def test_without_an_open_question_there_is_no_hint(make: Make) -> None:
    world = await asking(make, "match")
    stranger = await world.person()
    assert await typed(world, stranger, "147") is None
    assert await world.redis.keys("scanbind:h:*") == []
    page, person, _, state = await scanned(world)
    await typed(world, person, state["match"])
    assert await typed(world, person, "147") is None
    assert await world.redis.keys("scanbind:h:*") == []  # so the minute of the next question is not used up
    page, person, _, _ = await scanned(world)
    await page.raw("DELETE")
    assert await typed(world, person, "147") is None
    page, person, _, _ = await scanned(world)
    world.clock.advance(301)
    assert await typed(world, person, "147") is None


async def test_an_answer_that_was_not_committed_leaves_the_question_open_for_a_hint(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Red when a question that is marked as answered gets no hint, though its ticket has not ended."""

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the database does not answer")

    world = await asking(make, "match")
    _, person, _, state = await scanned(world)
    with monkeypatch.context() as patch:
        patch.setattr(TicketDecisions, "confirm", away)
        with pytest.raises(AssertionError, match="store-unavailable"):
            await typed(world, person, state["match"])
    assert await typed(world, person, "147") == NUMBER


async def test_a_scan_that_asks_nothing_has_no_hint(world: World) -> None:
    _, person = await world.login(), await world.person()
    await world.scan(person, await world.login())
    assert await typed(world, person, "147") is None
    assert await world.redis.keys("scanbind:h:*") == []


async def test_answers_to_an_older_question_get_no_hint(make: Make) -> None:
    """Red when a mark or a number of an older question counts as nearly an answer."""
    for confirm in ("choose", "tap"):
        world = await asking(make, confirm)
        person = await world.person()
        while True:  # until two tickets share no number, which most do
            old, new = [await world.scan(person, await world.login()) for _ in range(2)]
            if not set(numbers(old)) & set(numbers(new)):
                break
        assert [await typed(world, person, said) for said in links(old)] == [None] * len(links(old))
