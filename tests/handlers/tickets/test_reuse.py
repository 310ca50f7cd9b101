"""A user's session has one QR code: the same while it is fresh, else a new one that ends the old."""

import asyncio
from dataclasses import replace
from typing import Any

from harness import ACCOUNT, SECOND, World, client, problem


async def test_the_same_request_is_the_same_ticket_again(world: World) -> None:
    world.clock.hold()
    first = await world.bind("42", session="s")
    world.clock.advance(100)
    again = await world.bind("42", session="s")
    assert (first.status, again.status) == (201, 200)
    ages = {"expires_in"}
    assert {k: v for k, v in again.made.items() if k not in ages} == {
        k: v for k, v in first.made.items() if k not in ages
    }
    assert again.made["expires_in"] == 500
    assert len(world.sandbox.codes()) == 1
    assert (await again.poll())["status"] == "pending"


async def test_what_the_chat_shows_does_not_make_it_another_ticket(world: World) -> None:
    first = await world.bind("42", account_name="anna", visitor={"ip": "203.0.113.7"}, lang="zh")
    again = await world.bind("42", account_name="bert", visitor={"ip": "203.0.113.8"}, lang="en")
    assert (again.status, again.id) == (200, first.id)


async def test_another_user_or_session_has_another_ticket_and_ends_none(world: World) -> None:
    pages = [
        await world.bind("42"),
        await world.bind("42", session="a"),
        await world.bind("42", session="A"),
        await world.bind("42 ", session="a"),
        await world.bind("43", session="a"),
        await world.bind("42", session="a", client="club"),
    ]
    assert [page.status for page in pages] == [201] * 6
    assert len({page.id for page in pages}) == 6
    assert [(await page.poll())["status"] for page in pages] == ["pending"] * 6


async def test_a_refresh_is_a_new_ticket_and_cancels_the_old(world: World) -> None:
    old = await world.bind("42", session="s")
    new = await world.bind("42", session="s", refresh=True)
    assert (new.status, new.id != old.id) == (201, True)
    assert (await old.poll())["status"] == "cancelled"
    assert (await new.poll())["status"] == "pending"
    await world.scan(await world.person(), old)
    assert await world.bindings("42") == []
    assert (await world.bind("42", session="s")).id == new.id


async def test_sixty_seconds_must_be_left(world: World) -> None:
    world.clock.hold()
    old = await world.bind("42")
    world.clock.advance(538)
    assert (await world.bind("42")).id == old.id
    world.clock.advance(3)
    new = await world.bind("42")
    assert (new.status, new.made["expires_in"]) == (201, 600)
    assert (await old.poll())["status"] == "cancelled"


async def test_a_scanned_ticket_is_not_given_out_again_but_cancelled(make: Any) -> None:
    world = await make(clients={"shop": client("shop", confirm="tap"), "club": client("club")})
    old = await world.bind("42")
    person = await world.person()
    await world.scan(person, old)
    assert (await old.poll())["status"] == "scanned"
    new = await world.bind("42")
    assert (new.status, new.id != old.id) == (201, True)
    assert (await old.poll())["status"] == "cancelled"


async def test_an_ended_ticket_is_not_given_out_again_and_stays_as_it_ended(world: World) -> None:
    done = await world.bind("42")
    await world.scan(await world.person(), done)
    ended = await world.bind("42")
    assert (ended.status, ended.id != done.id) == (201, True)
    assert (await ended.raw("DELETE")).status == 204
    assert (await world.bind("42")).status == 201
    assert [(await page.poll())["status"] for page in (done, ended)] == ["confirmed", "cancelled"]


async def test_another_account_is_another_case_and_cancels_the_old(make: Any) -> None:
    world = await make(
        official={"main": ACCOUNT, "second": SECOND},
        clients={"shop": client("shop", accounts=["main", "second"])},
    )
    old = await world.bind("42", session="s")
    new = await world.bind("42", session="s", account="second")
    assert (new.status, new.made["account"]) == (201, "second")
    assert (await old.poll())["status"] == "cancelled"


async def test_a_refresh_that_wechat_fails_leaves_the_old_ticket(make: Any) -> None:
    world = await make(official={"main": replace(ACCOUNT, daily_codes=1)})
    old = await world.bind("42")
    response = await world.site("POST", "/v1/tickets", {"purpose": "bind", "user_id": "42", "refresh": True})
    await problem(response, 502, "wechat-unavailable")
    assert (await old.poll())["status"] == "pending"
    assert (await world.bind("42")).id == old.id


async def test_two_logins_are_always_two_tickets(world: World) -> None:
    first, second = await world.login(), await world.login()
    assert first.id != second.id
    assert [(await page.poll())["status"] for page in (first, second)] == ["pending", "pending"]


async def test_tabs_that_open_at_once_show_the_same_code(world: World) -> None:
    pages = await asyncio.gather(*(world.bind("42", session="one browser") for _ in range(5)))
    assert len({page.id for page in pages}) == 1
    assert sorted(page.status for page in pages) == [200, 200, 200, 200, 201]
