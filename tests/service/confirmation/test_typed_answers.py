"""Answers count as people type, paste and speak them, through the real callback.

Red for most when `models.typed_text.core` drops less, and for control characters when `parsing.read` is strict.
"""

from typing import Any

import pytest
from attacked_pushes import in_mode
from chatting import spoken, typed
from questions import Make, asking, scanned

from models.confirmation import NOT_ME_LABELS, YES_LABELS

MODES = pytest.mark.parametrize("mode", ["safe", "compatible", "plain"])
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


def decorated(number: str) -> list[str]:
    return [
        number.translate(FULL_WIDTH), f"{number}。", f"【{number}】", f"“{number}”", f"\u200b{number}",
        "".join(f"{digit}\ufe0f\u20e3" for digit in number), f" {number}！\n", f"{number}~", f"({number})",
    ]  # fmt: skip


@pytest.mark.parametrize("place", range(9))
async def test_a_number_counts_however_it_is_decorated(make: Make, place: int) -> None:
    world = await asking(make, "match")
    page, person, _, state = await scanned(world)
    assert await typed(world, person, decorated(state["match"])[place])
    assert (await page.poll())["outcome"] == "register"


@MODES
@pytest.mark.parametrize("sign", ["\x1d", "\x02", "\x08", "\x00", "\uffff"])
async def test_a_number_counts_with_a_control_character_in_every_mode(make: Make, mode: str, sign: str) -> None:
    world = await in_mode(make, mode, confirm="choose")
    page, person, _, state = await scanned(world)
    assert await typed(world, person, f"{state['match']}{sign}", mode=mode)
    assert (await page.poll())["status"] == "confirmed"


@MODES
@pytest.mark.parametrize("text", ["\x1dc", "\x02", "\x10你好", "a\x00b", "a\uffff", "]]\x02>", "<b>]]>&"])
async def test_what_is_pasted_is_acknowledged_and_leaves_the_question_open(
    make: Make, mode: Any, text: str
) -> None:
    world = await in_mode(make, mode, confirm="choose")
    page, person, _, state = await scanned(world)
    assert await typed(world, person, text, mode=mode) is None
    assert (await page.poll())["status"] == "scanned"
    assert await typed(world, person, state["match"], mode=mode)
    assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("ending", ["。", "", "！"])
async def test_a_spoken_number_counts(make: Make, ending: str) -> None:
    world = await asking(make, "match")
    page, person, _, state = await scanned(world)
    assert await spoken(world, person, state["match"] + ending)
    assert (await page.poll())["status"] == "confirmed"


async def test_a_spoken_number_may_be_written_in_characters(make: Make) -> None:
    world = await asking(make, "match")
    page, person, _, state = await scanned(world)
    tens, ones = (" 一二三四五六七八九"[int(digit)].strip() for digit in state["match"])
    assert await spoken(world, person, f"{tens}十{ones}。")
    assert (await page.poll())["status"] == "confirmed"


async def test_speech_that_answers_nothing_gets_no_reply(make: Make) -> None:
    world = await asking(make, "match")
    page, person, _, _ = await scanned(world)
    assert [await spoken(world, person, text) for text in ("你好。", "")] == [None, None]
    assert (await page.poll())["status"] == "scanned"


@pytest.mark.parametrize("text", [*YES_LABELS.values(), "是我,继续。", "yes, that is me", "“是我，继续”"])
async def test_the_visible_yes_confirms_a_tap(make: Make, text: str) -> None:
    world = await asking(make, "tap")
    page, person, _, _ = await scanned(world)
    assert "Thank you" in (await typed(world, person, text) or "")
    assert (await page.poll())["status"] == "confirmed"


@pytest.mark.parametrize("confirm", ["choose", "match"])
@pytest.mark.parametrize("text", YES_LABELS.values())
async def test_the_visible_yes_confirms_nothing_that_asks_for_a_number(
    make: Make, confirm: str, text: str
) -> None:
    """Red when `read_answer` takes a yes without looking at the question."""
    world = await asking(make, confirm)
    page, person, _, _ = await scanned(world)
    await typed(world, person, text)
    assert (await page.poll())["status"] == "scanned"


@pytest.mark.parametrize("confirm", ["tap", "choose", "match"])
@pytest.mark.parametrize("text", [*NOT_ME_LABELS.values(), "不是我。", "not me!", "（不是我）"])
async def test_the_visible_not_me_declines(make: Make, confirm: str, text: str) -> None:
    world = await asking(make, confirm)
    page, person, _, _ = await scanned(world)
    assert "Declined" in (await typed(world, person, text) or "")
    assert (await page.poll())["reason"] == "declined"


async def test_spoken_words_count_as_well(make: Make) -> None:
    world = await asking(make, "tap")
    page, person, _, _ = await scanned(world)
    await spoken(world, person, "不是我。")
    assert (await page.poll())["reason"] == "declined"


async def test_words_answer_the_newest_question_alone(make: Make) -> None:
    world = await asking(make, "tap")
    first, person, _, _ = await scanned(world)
    second = await world.login()
    world.clock.advance(1)
    await world.scan(person, second)
    await typed(world, person, "是我，继续")
    assert [(await one.poll())["status"] for one in (first, second)] == ["scanned", "confirmed"]


@pytest.mark.parametrize(
    "text", ["1{}", "{}0", "{0[0]} {0[1]}", "{0[0]}\u200b{0[1]}", "+{}", "{} {}", "{}号", "{}%s"]
)
async def test_what_is_not_exactly_two_digits_neither_confirms_nor_rejects(make: Make, text: str) -> None:
    world = await asking(make, "match")
    page, person, _, state = await scanned(world)
    await typed(world, person, text.format(state["match"], state["match"]))
    assert (await page.poll())["status"] == "scanned"
