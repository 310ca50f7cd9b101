"""A link can be passed on, and photographed: what helps then, and what does not (contract.md 8.4).

What does not help against an attacker who shows the link of their own ticket: the proof in the form, the cookie
and the same origin, since the victim answers on the genuine page. A yes to a login gives the attacker the session:
only the number of the attacker's page, which the victim does not see, protects a person who reads nothing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from linking import asked, linking, said

Make = Callable[..., Any]


@pytest.mark.parametrize("confirm", ["none", "tap"])
async def test_a_yes_binds_no_victim_to_the_attackers_user(make: Make, confirm: str) -> None:
    """Red when `confirmation` asks a bind by link what the client configured."""
    world = await linking(make, confirm=confirm)
    page, victim = await world.bind("mallory"), await world.person()
    async with asked(page, victim) as browser:
        await browser.submit(answer="yes")
        shown = (await page.poll())["match"]
        assert shown not in said(browser.page)
        await browser.submit(answer="10" if shown != "10" else "11")
        await browser.submit(answer=shown)
    assert (await page.poll())["reason"] == "wrong_number"
    assert await world.bindings("mallory") == []


@pytest.mark.parametrize("confirm", ["choose", "match"])
async def test_a_yes_logs_no_attacker_in_where_the_number_is_asked_for(make: Make, confirm: str) -> None:
    world = await linking(make, confirm=confirm)
    page = await world.login()
    async with asked(page, await world.person()) as browser:
        await browser.submit(answer="yes")
    assert (await page.poll())["status"] == "scanned"


async def test_the_page_names_the_attackers_browser_and_address(make: Make) -> None:
    world = await linking(make)
    page = await world.bind("mallory", account_name="mallory", visitor={"ip": "203.0.113.66"})
    async with asked(page, await world.person()) as browser:
        assert "203.0.113.66" in browser.page.text
        assert "“mallory”" in browser.page.text
        await browser.submit(answer="no")
    assert (await page.poll())["reason"] == "declined"


async def test_a_person_who_photographs_a_bind_needs_its_number(make: Make) -> None:
    """The photographed page then shows a number, and its user is told that another person was first."""
    world = await linking(make)
    page, anna, mallory = await world.bind("anna"), await world.person(), await world.person()
    async with asked(page, mallory) as thief, asked(page, anna) as late:
        assert "Another person" in late.page.text
        await thief.submit(answer="yes")
        number = (await page.until("scanned"))["match"]
        await thief.submit(answer="10" if number != "10" else "11")
    assert await world.bindings("anna") == []


async def test_all_numbers_sent_at_once_guess_no_better_than_one(make: Make) -> None:
    """Red when `Links.answer` does more before it rejects than before it confirms: the right number overtook."""
    world = await linking(make, limits={"visits_per_address": 0})
    mallory, guessed = await world.person(), 0
    for user in ("1", "2", "3", "4"):
        page = await world.bind(user)
        async with asked(page, mallory) as thief:
            copies = [replace(thief) for _ in range(10, 100)]
            await asyncio.gather(*(it.submit(answer=str(n)) for n, it in enumerate(copies, start=10)))
        guessed += (await page.poll())["status"] == "confirmed"
        await world.site("DELETE", f"/v1/bindings/{user}")
    assert guessed <= 2, "one in ninety by chance"


async def test_answers_at_the_same_time_end_the_ticket_once_and_are_told_the_same(make: Make) -> None:
    world = await linking(make)
    person = await world.person()
    for _ in range(4):
        page = await world.login()
        async with asked(page, person) as one, asked(page, person) as other:
            answers = one.submit(answer="yes"), other.submit(answer="no"), one.submit(answer="yes")
            told = await asyncio.gather(*answers)
            outcome = (await page.poll())["status"]
        words = "finish signing up" if outcome == "confirmed" else "Declined"
        assert [words in visit.text for visit in told] == [True] * 3
