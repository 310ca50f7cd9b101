"""A person's newest scan is the only open question, in every order of arrival."""

import asyncio
from dataclasses import replace
from itertools import permutations

import pytest
from moments import soon
from redis.asyncio import Redis

from models.events import OpenId, pseudonym
from service.confirmation.open_questions import OpenQuestion, OpenQuestions

ANNA, BERT = OpenId("oAnna"), OpenId("oBert")

ONE, TWO, THREE = (OpenQuestion(f"scene{number}", created=1000 + number) for number in (1, 2, 3))


@pytest.fixture
def questions(redis: Redis) -> OpenQuestions:
    return OpenQuestions(redis)


async def ask(questions: OpenQuestions, *asked: OpenQuestion, openid: OpenId = ANNA) -> list[bool]:
    return [await questions.open("main", openid, one, until=soon()) for one in asked]


async def test_at_first_no_question_is_open(questions: OpenQuestions) -> None:
    assert await questions.of("main", ANNA) == []


@pytest.mark.parametrize("order", list(permutations((ONE, TWO, THREE))))
async def test_the_newest_scan_is_open_in_every_order_of_arrival(
    questions: OpenQuestions, order: tuple[OpenQuestion, ...]
) -> None:
    told = await ask(questions, *order)
    assert (await questions.of("main", ANNA))[0] == THREE
    newest = [max(order[: place + 1], key=lambda asked: asked.created) for place in range(3)]
    assert told == [newest[place] is order[place] for place in range(3)]


async def test_older_questions_follow_the_newest(questions: OpenQuestions) -> None:
    await ask(questions, ONE, TWO, THREE)
    assert await questions.of("main", ANNA) == [THREE, TWO, ONE]


async def test_of_two_scans_in_one_second_the_later_to_arrive_is_open(questions: OpenQuestions) -> None:
    same_second = replace(TWO, created=ONE.created)
    assert await ask(questions, ONE, same_second) == [True, True]
    assert (await questions.of("main", ANNA))[0] == same_second


async def test_a_redelivered_scan_is_asked_again_and_is_still_one_question(questions: OpenQuestions) -> None:
    assert await ask(questions, ONE, ONE) == [True, True]
    assert await questions.of("main", ANNA) == [ONE]


async def test_scanning_an_older_code_again_opens_its_question_again(questions: OpenQuestions) -> None:
    again = replace(ONE, created=2000)
    assert await ask(questions, ONE, TWO, again) == [True, True, True]
    assert await questions.of("main", ANNA) == [again, TWO]


async def test_only_a_few_are_remembered(questions: OpenQuestions) -> None:
    many = [OpenQuestion(f"scene{number}", created=number) for number in range(10)]
    await ask(questions, *many)
    assert await questions.of("main", ANNA) == many[:-5:-1]


async def test_people_and_accounts_are_asked_apart(questions: OpenQuestions) -> None:
    await ask(questions, ONE)
    await ask(questions, TWO, openid=BERT)
    await questions.open("second", ANNA, THREE, until=soon())
    assert await questions.of("main", ANNA) == [ONE]
    assert await questions.of("main", BERT) == [TWO]
    assert await questions.of("second", ANNA) == [THREE]


async def test_which_push_answered_is_remembered(questions: OpenQuestions) -> None:
    await ask(questions, ONE, TWO)
    await questions.answered("main", ANNA, TWO.scene, by="push", until=soon())
    assert await questions.of("main", ANNA) == [replace(TWO, answered_by="push"), ONE]


async def test_an_older_question_is_marked_as_answered_too(questions: OpenQuestions) -> None:
    await questions.answered("main", ANNA, ONE.scene, by="push", until=soon())
    assert await questions.of("main", ANNA) == []
    await ask(questions, ONE, TWO)
    await questions.answered("main", ANNA, ONE.scene, by="push", until=soon())
    assert await questions.of("main", ANNA) == [TWO, replace(ONE, answered_by="push")]


async def test_a_question_that_is_opened_again_keeps_which_push_answered(questions: OpenQuestions) -> None:
    await ask(questions, ONE, TWO)
    await questions.answered("main", ANNA, ONE.scene, by="push", until=soon())
    await ask(questions, replace(ONE, created=2000))
    assert await questions.of("main", ANNA) == [replace(ONE, created=2000, answered_by="push"), TWO]


async def test_scans_at_once_leave_the_newest_open(questions: OpenQuestions) -> None:
    many = [OpenQuestion(f"scene{number}", created=number) for number in range(5)]
    told = await asyncio.gather(*(questions.open("main", ANNA, asked, until=soon()) for asked in many))
    assert (await questions.of("main", ANNA))[0] == many[-1]
    assert told[-1]


async def test_questions_do_not_outlive_their_ticket(questions: OpenQuestions, redis: Redis) -> None:
    until = soon()
    await questions.open("main", ANNA, ONE, until=until)
    [key] = await redis.keys("scanbind:q:*")
    assert 290_000 < await redis.pttl(key) <= 300_000
    assert f"{{main:{pseudonym(ANNA)}}}" in key  # one slot of a cluster
