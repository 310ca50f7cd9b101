"""Passcodes are guessed, by one person and by many, while others wait for theirs."""

import asyncio
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from harness import Page, World, client

from models.passcode import ALPHABET, LENGTH
from sandbox.people import Person
from service.rate_limiting.passcode_tries import EACH, IN_FLOOD

GUESSES = int(os.environ.get("GUESSES", "400"))
"""In all; `make prove-passcodes` sends 100,000."""
SEED = int(os.environ.get("SEED", "1"))
LIMIT = 100
"""Wrong passcodes of all people together."""
AT_ONCE = 40
Make = Callable[..., Any]

pytestmark = pytest.mark.timeout(120 if GUESSES <= 400 else 3600)


async def guessing(world: World, people: list[Person], guesses: list[str]) -> int:
    """Send each guess, *people* taking turns; return how many got a reply."""
    turns = iter(enumerate(guesses))
    said: list[str | None] = []

    async def work() -> None:
        for number, guess in turns:
            said.append(await world.say(people[number % len(people)], guess))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return len(guesses) - said.count(None)


def drawn(dice: random.Random, pages: list[Page], count: int) -> list[str]:
    """Return guesses: half of them differ from a live passcode in one character."""
    live = {str(page.made["passcode"]).replace(" ", "") for page in pages}
    guesses: list[str] = []
    while len(guesses) < count:
        guess = list(dice.choice(sorted(live)) if dice.random() < 0.5 else dice.choices(ALPHABET, k=LENGTH))
        guess[dice.randrange(LENGTH)] = dice.choice(ALPHABET)
        if "".join(guess) not in live:
            guesses.append("".join(guess))
    return guesses


async def signs_in(world: World, page: Page) -> None:
    person = await world.person()
    assert await world.say(person, page.made["passcode"])
    await world.say(person, (await page.until("scanned"))["match"])
    assert (await page.until("confirmed"))["outcome"] == "bound"


@pytest.mark.parametrize("people", [1, 1000])
async def test_guesses_bind_nothing_and_keep_out_no_other_person(make: Make, people: int) -> None:
    """Red when guesses are not counted for each person, or those of all people keep out the right one."""
    guesses, many = GUESSES // 2, max(1, min(people, GUESSES // 20))
    world: World = await make(
        clients={"shop": client("shop", methods=["passcode"], confirm="none")},
        limits={"passcodes_per_account": LIMIT, "scans_per_openid": 0, "tickets_per_user": 0},
        tickets={"bind_lifetime": 1800},
    )
    world.clock.hold()
    dice = random.Random(f"{SEED} {people}")
    pages = [await world.bind(str(number)) for number in range(20)]
    print(f"{guesses} guesses by {many} people, seed {SEED}")  # noqa: T201 - shown by `make prove-passcodes`
    guessers = [await world.person() for _ in range(many)]
    first, second = (drawn(dice, pages, guesses // 2) for _ in range(2))
    answered = await guessing(world, guessers, first)
    await signs_in(world, pages.pop())
    answered += await guessing(world, guessers, second)
    await signs_in(world, pages.pop())
    assert 0 < answered <= max(EACH * many, 1)
    assert answered <= max(EACH, LIMIT + IN_FLOOD * many)
    assert [(await page.poll())["status"] for page in pages] == ["pending"] * len(pages)
    for number in range(len(pages)):
        assert await world.bindings(str(number)) == []


@pytest.mark.parametrize("confirm", ["none", "tap", "choose", "match"])
async def test_a_passcode_that_was_seen_binds_nothing_without_the_number(make: Make, confirm: str) -> None:
    """Red when a bind by passcode asks what a scan would be asked under `none` or `tap`."""
    world: World = await make(clients={"shop": client("shop", methods=["passcode"], confirm=confirm)})
    page, mallory = await world.bind("42"), await world.person()
    await world.say(mallory, page.made["passcode"])
    match = (await page.until("scanned"))["match"]
    for guess in ("Yes", "Yes, that is me", "确认", "yes"):
        await world.say(mallory, guess)
    assert (await page.poll())["status"] == "scanned"
    await world.say(mallory, "10" if match != "10" else "11")
    await world.say(mallory, match)
    assert (await page.until("rejected"))["reason"] == "wrong_number"
    assert await world.bindings("42") == []
