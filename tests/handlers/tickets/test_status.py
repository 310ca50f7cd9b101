"""The status of a ticket by poll and long poll: access, content and duration."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from altering import altered
from harness import ORIGIN, SECRETS, Page, World, basic, client, problem

from service import app_keys

SHAPE = {
    "ticket", "purpose", "method", "status", "match", "outcome", "reason", "code",
    "expires_at", "expires_in", "poll_after",
}  # fmt: skip
UNLIKE = ("date", "x-request-id")
TOO_SOON = 0.25
"""Seconds within which nothing that waits may have come back."""


async def answer(world: World, path: str, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return all of an answer but what differs with each request."""
    response = await world.call("GET", path, headers=headers)
    kept = {name: value for name, value in response.headers.items() if name.lower() not in UNLIKE}
    return response.status, {**await response.json(content_type=None), "instance": ""}, kept


async def tag(page: Page) -> str:
    response = await page.raw()
    assert response.status == 200
    return response.headers["ETag"]


@pytest.fixture
async def asking(make: Any) -> World:
    """A world whose shop asks for the number on the page."""
    started: World = await make(clients={"shop": client("shop", confirm="match"), "club": client("club")})
    return started


async def test_a_poll_has_the_promised_shape(world: World) -> None:
    world.clock.hold()
    page = await world.login()
    world.clock.advance(2)
    response = await page.raw()
    assert (response.status, response.content_type) == (200, "application/json")
    assert response.headers["Cache-Control"] == "no-store, no-transform"
    state = await response.json()
    assert state.keys() == SHAPE
    assert (state["ticket"], state["purpose"], state["status"]) == (page.id, "login", "pending")
    assert state["method"] == "scan"
    assert [state[name] for name in ("match", "outcome", "reason", "code")] == [None] * 4
    assert (state["expires_at"], state["poll_after"]) == (page.made["expires_at"], 2)
    assert state["expires_in"] == 298
    assert (await (await world.bind("42")).poll())["purpose"] == "bind"


async def test_an_unknown_ticket_and_a_wrong_secret_are_the_same_answer(world: World) -> None:
    page, other = await world.login(), await world.login()
    foreign = await world.bind("42", client="club")
    secret, other_secret = page.made["secret"], other.made["secret"]
    forged = altered(page.id)
    guesses = {
        "another ticket's secret": (page.id, other_secret),
        "another client's secret": (page.id, foreign.made["secret"]),
        "another client's ticket": (foreign.id, secret),
        "wrong secret": (page.id, "wrong"),
        "a changed secret": (page.id, altered(secret)),
        "a longer secret": (page.id, secret + "A"),
        "the ticket as secret": (page.id, page.id),
        "a back end's password": (page.id, SECRETS["shop"]),
        "a forged ticket": (forged, secret),
        "a ticket cut short": (page.id[:-1], secret),
        "no ticket": ("x", secret),
        "a strange ticket": ("%F0%9F%98%80", secret),
        "the code's capability": (page.id, page.made["qr_svg"].split("/")[-1].removesuffix(".svg")),
    }
    answers = [
        await answer(world, f"/v1/tickets/{ticket}{suffix}", Authorization=f"Bearer {given}", Origin=ORIGIN)
        for ticket, given in guesses.values()
        for suffix in ("", "/events")
    ]
    assert answers[0][:2] == (404, {**answers[0][1], "type": "/problems/ticket-not-found", "status": 404})
    for one in answers:
        assert one == answers[0]
    for ticket, given in guesses.values():
        path, headers = f"/v1/tickets/{ticket}", {"Authorization": f"Bearer {given}"}
        await problem(await world.call("DELETE", path, headers=headers), 404, "ticket-not-found")
    assert {(await one.poll())["status"] for one in (page, other, foreign)} == {"pending"}


async def test_every_changed_character_of_a_ticket_or_secret_is_noticed(world: World) -> None:
    page = await world.login()
    for name in ("ticket", "secret"):
        for at in range(len(page.made[name])):
            made = dict(page.made)
            new = "A" if made[name][at] != "A" else "B"
            made[name] = made[name][:at] + new + made[name][at + 1 :]
            await problem(await Page(world, made, 201).raw(), 404, "ticket-not-found")


async def test_the_secret_is_needed_as_bearer_and_believed_nowhere_else(world: World) -> None:
    page = await world.login()
    secret = page.made["secret"]
    refused: list[dict[str, str]] = [
        {}, basic(), {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
        {"Authorization": secret}, {"Authorization": f"Basic {secret}"}, {"Cookie": f"secret={secret}"},
    ]  # fmt: skip
    for headers in refused:
        for method, suffix in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
            path = f"/v1/tickets/{page.id}{suffix}?secret={secret}&access_token={secret}"
            response = await world.call(method, path, headers=headers)
            await problem(response, 401, "unauthorized")
            assert response.headers["WWW-Authenticate"].startswith("Bearer ")
    lower = {"Authorization": f"bearer {secret}"}
    assert (await world.call("GET", f"/v1/tickets/{page.id}", headers=lower)).status == 200


async def test_the_tag_stays_while_the_ticket_merely_ages(world: World) -> None:
    page = await world.login()
    before, first = await tag(page), await page.poll()
    world.clock.advance(120)
    assert (await page.poll())["expires_in"] < first["expires_in"]
    assert await tag(page) == before
    assert await tag(await world.login()) == before  # it stands for the state, not for the ticket


async def test_the_tag_changes_with_every_state_and_returns_to_none(asking: World) -> None:
    page, person = await asking.login(), await asking.person()
    tags = [await tag(page)]
    await asking.scan(person, page)
    state = await page.until("scanned")
    tags.append(await tag(page))
    await asking.say(person, state["match"])
    state = await page.until("confirmed")
    tags.append(await tag(page))
    assert (await asking.exchange(state["code"])).status == 200
    assert (await page.raw(If_None_Match=tags[-1], Prefer="wait=5")).status == 200
    tags.append(await tag(page))
    assert len(set(tags)) == 4
    for passed in tags[:-1]:
        assert (await page.raw(If_None_Match=passed)).status == 200


async def test_a_match_number_is_shown_only_while_it_is_asked_for(asking: World) -> None:
    page, person = await asking.login(), await asking.person()
    assert (await page.poll())["match"] is None
    await asking.scan(person, page)
    state = await page.until("scanned")
    assert 10 <= int(state["match"]) <= 99
    await asking.say(person, "10" if state["match"] != "10" else "11")
    state = await page.until("rejected")
    assert (state["match"], state["reason"], state["outcome"], state["code"]) == (None, "wrong_number", None, None)


async def test_a_matching_tag_is_not_modified_and_any_other_is(world: World) -> None:
    page = await world.login()
    current = await tag(page)
    for same in (current, f"W/{current}", f'"x", {current}', f'W/"x",W/{current}'):
        response = await page.raw(If_None_Match=same)
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == current
        assert response.headers["Cache-Control"] == "no-store, no-transform"
        assert response.headers["X-Request-Id"]
    for other in ('""', '"x"', current.strip('"'), "", "x", current[:-2] + '"'):
        assert (await page.raw(If_None_Match=other)).status == 200


async def test_a_long_poll_is_held_and_ends_early_on_a_change(world: World) -> None:
    page = await world.login()
    held = asyncio.create_task(page.raw(If_None_Match=await tag(page), Prefer="wait=30"))
    await asyncio.wait([held], timeout=TOO_SOON)
    assert not held.done()
    await world.scan(await world.person(), page)
    response = await asyncio.wait_for(held, 20)
    assert (response.status, (await response.json())["status"]) == (200, "confirmed")


async def test_a_long_poll_is_not_ended_by_what_the_page_is_not_told(make: Any) -> None:
    world = await make(clients={"shop": client("shop", confirm="tap")})
    page, person = await world.login(), await world.person()
    await world.scan(person, page)
    await page.until("scanned")
    held = asyncio.create_task(page.raw(If_None_Match=await tag(page), Prefer="wait=30"))
    await world.scan(person, page)
    await world.scan(await world.person(), page)
    await world.say(person, "hello")
    await asyncio.wait([held], timeout=TOO_SOON)
    assert not held.done()
    assert (await page.raw("DELETE")).status == 204
    assert (await (await asyncio.wait_for(held, 20)).json())["status"] == "cancelled"


async def test_every_page_of_a_ticket_is_told(world: World) -> None:
    page = await world.login()
    current = await tag(page)
    held = [asyncio.create_task(page.raw(If_None_Match=current, Prefer="wait=30")) for _ in range(5)]
    await asyncio.wait(held, timeout=TOO_SOON)
    assert (await page.raw("DELETE")).status == 204
    answers = await asyncio.wait_for(asyncio.gather(*held), 20)
    assert [(await one.json())["status"] for one in answers] == ["cancelled"] * 5


async def test_a_lapse_ends_a_long_poll(world: World) -> None:
    page = await world.login()
    current = await tag(page)
    world.clock.advance(299.5 - (time.time() % 1))  # a ticket's end is a whole second
    began = time.monotonic()
    response = await page.raw(If_None_Match=current, Prefer="wait=30")
    assert time.monotonic() - began < 20  # and not the thirty seconds it may wait
    assert (response.status, (await response.json())["status"]) == (200, "expired")
    assert response.headers["ETag"] != current


@pytest.mark.parametrize("prefer", ["wait=0", 'WAIT="1"', "respond-async, wait = 1; foo=bar", "wait=00001"])
async def test_a_wait_lasts_at_least_one_second_however_it_is_written(world: World, prefer: str) -> None:
    page = await world.login()
    current = await tag(page)
    began = time.monotonic()
    response = await page.raw(If_None_Match=current, Prefer=prefer)
    assert 0.9 < time.monotonic() - began < 20
    assert (response.status, response.headers["ETag"]) == (304, current)


@pytest.mark.parametrize("prefer", ["wait=31", "wait=9999999999", "wait=" + "9" * 5000])
async def test_a_wait_is_clamped_to_the_longest(
    world: World, prefer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handlers.tickets.status._LONGEST_WAIT", 1)
    page = await world.login()
    current = await tag(page)
    began = time.monotonic()
    assert (await page.raw(If_None_Match=current, Prefer=prefer)).status == 304
    assert 0.9 < time.monotonic() - began < 20


@pytest.fixture
async def full(make: Any) -> AsyncIterator[World]:
    """A world without a free place to wait: a request that would be held is refused at once (429)."""
    world: World = await make(limits={"waiting": 1})
    page = await world.login()
    async with world.http.get(f"{world.url}/v1/tickets/{page.id}/events", headers=page.bearer):
        assert (await page.raw(If_None_Match=await tag(page), Prefer="wait=1")).status == 429
        yield world


async def test_a_malformed_wait_is_ignored(full: World) -> None:
    page = await full.login()
    current = await tag(page)
    malformed = ["wait", "wait=", "wait=x", "wait=-5", "wait=5s", "wait=1.5", "wait=1 2", "await=5", "wait=٣"]
    for prefer in malformed:
        assert (await page.raw(If_None_Match=current, Prefer=prefer)).status == 304, prefer


async def test_a_wait_without_a_matching_tag_answers_at_once(full: World) -> None:
    page = await full.login()
    assert (await page.raw(Prefer="wait=30")).status == 200
    assert (await page.raw(Prefer="wait=30", If_None_Match='"x"')).status == 200


async def test_a_final_status_answers_at_once(full: World) -> None:
    page = await full.login()
    assert (await page.raw("DELETE")).status == 204
    await page.until("cancelled")
    assert (await page.raw(Prefer="wait=30", If_None_Match=await tag(page))).status == 304


async def test_who_waits_is_answered_when_the_service_stops(world: World) -> None:
    page = await world.login()
    held = asyncio.create_task(page.raw(If_None_Match=await tag(page), Prefer="wait=30"))
    await asyncio.wait([held], timeout=TOO_SOON)
    world.app[app_keys.DRAINING].set()
    world.app[app_keys.FEED].close()
    assert (await asyncio.wait_for(held, 20)).status == 304


@pytest.mark.parametrize("end", ["confirmed", "cancelled", "expired"])
async def test_a_final_status_is_readable_for_two_minutes_past_the_end(world: World, end: str) -> None:
    world.clock.hold()
    page = await world.login()
    if end == "confirmed":
        await world.scan(await world.person(), page)
    if end == "cancelled":
        assert (await page.raw("DELETE")).status == 204
    world.clock.advance(300 + 117)
    state = await page.poll()
    assert (state["status"], state["expires_in"]) == (end, 0)
    world.clock.advance(4)
    for method, suffix in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        await problem(await page.raw(method, suffix), 404, "ticket-not-found")


async def test_a_poll_never_tells_who(world: World) -> None:
    person = await world.bound("user-4711")
    login, bind = await world.login(), await world.bind("user-4711", account_name="anna")
    stranger = await world.person(unionid="union-0815")
    register = await world.login()
    for one, page in ((person, login), (person, bind), (stranger, register)):
        await world.scan(one, page)
        await page.until("confirmed")
    desk = world.sandbox.state()
    persons = ["user-4711", "union-0815", "anna", *(desk.contact(one).openid for one in (person, stranger))]
    for page in (login, bind, register):
        shown = await (await page.raw()).text() + await (await page.raw(suffix="/events")).text()
        assert [one for one in persons if one in shown] == []
    assert {json.loads(await (await one.raw()).text())["outcome"] for one in (login, bind, register)} == {
        "login", "already_bound", "register",
    }  # fmt: skip


async def test_cancelling_is_answered_once_and_ends_the_ticket(world: World) -> None:
    page, person = await world.bind("42"), await world.person()
    response = await page.raw("DELETE")
    assert (response.status, await response.read()) == (204, b"")
    assert (await page.until("cancelled"))["reason"] is None
    await problem(await page.raw("DELETE"), 409, "ticket-finished")
    assert "no longer valid" in (await world.scan(person, page) or "")
    assert (await page.poll())["status"] == "cancelled"
    assert await world.bindings("42") == []


async def test_what_has_ended_cannot_be_cancelled(world: World) -> None:
    done, late = await world.login(), await world.login()
    await world.scan(await world.person(), done)
    state = await done.until("confirmed")
    await problem(await done.raw("DELETE"), 409, "ticket-finished")
    assert (await world.exchange(state["code"])).status == 200
    world.clock.advance(301)
    await problem(await late.raw("DELETE"), 409, "ticket-finished")
    assert (await late.poll())["status"] == "expired"


async def test_a_scanned_ticket_can_be_cancelled_and_its_answer_comes_too_late(asking: World) -> None:
    page, person = await asking.login(), await asking.person()
    await asking.scan(person, page)
    number = (await page.until("scanned"))["match"]
    assert (await page.raw("DELETE")).status == 204
    await asking.say(person, number)
    assert (await page.until("cancelled"))["code"] is None


async def test_twenty_cancels_at_once_are_one(world: World) -> None:
    page = await world.login()
    answers = await asyncio.gather(*(page.raw("DELETE") for _ in range(20)))
    assert sorted(one.status for one in answers) == [204] + [409] * 19
