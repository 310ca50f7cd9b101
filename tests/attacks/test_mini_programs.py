"""What a mini program, any program that calls as one, or a writer in Redis cannot do (contract.md 8.4)."""

import asyncio
import base64
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from harness import MINI, Page, World, client, problem
from mini_program_phone import UNKNOWN, Phone, scene_of
from mini_world import mini_world

from models.tables.tickets import bind_requests
from sandbox.account import MiniProgram
from service.app_keys import MINI_PROGRAM_SCANS
from service.methods.code_pictures import PICTURES
from service.methods.mini_program_scans import ASKED
from service.storage.database import connect

Make = Callable[..., Any]
OTHER = replace(MINI, appid="wx445566778899aacc", secret="9" * 32)


async def two_worlds(make: Make) -> World:
    """Start a world of two clients and two mini programs; the club has the second alone."""
    shop = client("shop", accounts=[], apps=["mini", "other"], methods=["miniprogram"], confirm="match")
    club = client("club", accounts=[], apps=["other"], methods=["miniprogram"], confirm="match")
    apps: dict[str, MiniProgram] = {"mini": MINI, "other": OTHER}
    world: World = await make(apps=apps, clients={"shop": shop, "club": club})
    return world


async def unused(world: World, page: Page, phone: Phone, scene: str) -> None:
    """Check that *scene* opens nothing in the phone's mini program, and that no login was used for it."""
    code = phone.login()
    await problem(await phone.post("scans", scene=scene, js_code=code), 404, "ticket-not-found")
    assert (await page.poll())["status"] == "pending"
    own = await world.login(account=phone.app)
    assert (await phone.scans(own, js_code=code)).status == 200, "the login was used up"


async def test_who_knows_a_ticket_opens_nothing(make: Make) -> None:
    """Red when `maker_of_code` verifies the ticket's own tag."""
    world = await mini_world(make)
    page = await world.login()
    await unused(world, page, Phone(world, await world.person()), page.id)


async def test_a_scene_is_one_mini_programs_alone(make: Make) -> None:
    """Red when `code_scene` signs no app: the codes of one mini program open in another."""
    world = await two_worlds(make)
    page = await world.login(account="mini")
    await unused(
        world, page, Phone(world, await world.person(), app="other", program=OTHER), scene_of(world, page)
    )
    unknown = Phone(world, await world.person(), app="none")
    await problem(await unknown.scans(page), 404, "ticket-not-found")


@pytest.mark.parametrize("place", [0, 1, 2, 9, 16, 31], ids=str)
async def test_a_bent_scene_opens_nothing(make: Make, place: int) -> None:
    """Red when any part of the scene is left out of its tag."""
    world = await mini_world(make)
    page = await world.login()
    scene = scene_of(world, page)
    bent = scene[:place] + ("A" if scene[place] != "A" else "B") + scene[place + 1 :]
    await unused(world, page, Phone(world, await world.person()), bent)


async def test_a_scene_of_a_client_without_this_mini_program_opens_nothing(make: Make) -> None:
    """Red when `_ticket_of` does not ask whether the client still has the app."""
    world = await two_worlds(make)
    page, phone = await world.login(account="mini"), Phone(world, await world.person())
    scans = world.app[MINI_PROGRAM_SCANS]
    without = scans.clients["shop"].model_copy(update={"apps": ("other",)})
    scans.clients = {**scans.clients, "shop": without}  # as after a restart with another configuration
    await problem(await phone.scans(page), 404, "ticket-not-found")


async def test_a_login_of_another_mini_program_names_no_person(make: Make) -> None:
    world = await two_worlds(make)
    page, person = await world.login(account="mini"), await world.person()
    foreign = world.programs.login(person, OTHER.appid)
    await problem(await Phone(world, person).scans(page, js_code=foreign), 400, "invalid-code")


async def test_a_second_person_is_told_and_changes_nothing(make: Make) -> None:
    world = await mini_world(make)
    page, first, second = await world.bind("42"), await world.person(), await world.person()
    await Phone(world, first).scan(page)
    await problem(await Phone(world, second).scans(page), 409, "ticket-finished")
    assert (await page.poll())["status"] == "scanned"


async def test_a_reply_token_is_one_persons_and_one_tickets(make: Make) -> None:
    """Red when the proof is compared with nothing: a name of another question would do."""
    world = await mini_world(make, confirm="tap")
    anna, mallory = Phone(world, await world.person()), Phone(world, await world.person())
    hers, theirs = await world.login(), await world.login()
    await anna.scan(hers)
    await mallory.scan(theirs)
    name, proof = anna.token.split(".")[0], mallory.token.split(".")[1]
    for bad in (UNKNOWN, f"{name}.{proof}", name, f"{name}.", "", f"{name}.{'é' * 32}"):
        await problem(await mallory.post("answers", reply_token=bad, answer="yes"), 400, "invalid-code")
    assert [(await page.poll())["status"] for page in (hers, theirs)] == ["scanned"] * 2


async def test_a_reply_token_is_one_mini_programs(make: Make) -> None:
    world = await two_worlds(make)
    page, phone = await world.login(account="mini"), Phone(world, await world.person())
    await phone.scan(page)
    await problem(await replace(phone, app="other").answers("no"), 400, "invalid-code")
    assert (await page.poll())["status"] == "scanned"


@pytest.mark.parametrize("field", ["openid", "ticket", "user_id"])
async def test_who_writes_in_redis_cannot_answer_as_another_person(make: Make, field: str) -> None:
    """Red when the proof leaves the person or the ticket out, or the user is read from Redis unproved."""
    world = await mini_world(make)
    page, other, phone = await world.bind("42"), await world.bind("43"), Phone(world, await world.person())
    victim = await world.person()
    await phone.scan(page)
    number = (await page.until("scanned"))["match"]
    [key] = await world.redis.keys(f"{ASKED}*")
    swapped = {"openid": victim.openid(MINI.appid), "ticket": other.id, "user_id": "43"}
    kept = str(await world.redis.get(key))
    await world.redis.set(key, re.sub(rf'"{field}":"[^"]+"', f'"{field}":"{swapped[field]}"', kept))
    await problem(await phone.answers(number), 400, "invalid-code")
    assert await world.bindings("42") == await world.bindings("43") == []


@pytest.mark.parametrize("kept", ["another", "picture", "text"])
async def test_who_writes_in_redis_cannot_have_another_picture_shown(make: Make, kept: str) -> None:
    """Red when a picture is served unproved: the visitor's page could show the code of an attacker's ticket."""
    world = await mini_world(make)
    page, other = await world.login(), await world.login()
    planted = {
        "another": str(await world.redis.get(PICTURES + other.id)),
        "picture": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(),
        "text": "é",
    }
    await world.redis.set(PICTURES + page.id, planted[kept])
    await problem(await world.call("GET", page.made["qr_png"]), 404, "not-found")
    assert (await world.call("GET", other.made["qr_png"])).status == 200


async def test_who_writes_in_sql_cannot_have_another_user_bound(make: Make) -> None:
    """Red when `_ticket_of` believes the user of a bind request, which the ticket's tag contradicts."""
    world = await mini_world(make)
    page, phone = await world.bind("42"), Phone(world, await world.person())
    code = phone.login()
    async with connect(f"sqlite+aiosqlite:///{world.settings.data_dir}/scanbind.sqlite3", data_dir=Path()) as sql:
        await sql.once(lambda connection: connection.execute(sa.update(bind_requests).values(user_id="mallory")))
    await problem(await phone.scans(page, js_code=code), 404, "ticket-not-found")
    assert (await phone.scans(await world.bind("43"), js_code=code)).status == 200, "the login was used up"


async def test_all_numbers_sent_at_once_guess_no_better_than_one(make: Make) -> None:
    """Red when `FormAnswers.answer` does more before it refuses than before it confirms."""
    world = await mini_world(make, limits={"visits_per_address": 0})
    mallory, guessed = await world.person(), 0
    for user in ("1", "2", "3", "4"):
        page, thief = await world.bind(user), Phone(world, mallory)
        await thief.scan(page)
        told = await asyncio.gather(*(thief.answer(str(number)) for number in range(10, 100)))
        guessed += (await page.poll())["status"] == "confirmed"
        assert len({one.get("text") for one in told}) == 1, "each answer is told how the ticket ended"
        await world.site("DELETE", f"/v1/bindings/{user}")
    assert guessed <= 2, "one in ninety by chance"


async def test_an_answer_after_the_end_is_told_only_to_who_ended_it(make: Make) -> None:
    """Red when `answer` tells every holder of a token how the ticket ended."""
    world = await mini_world(make, confirm="tap")
    for end in ("cancelled", "expired"):
        page, phone = await world.login(), Phone(world, await world.person())
        await phone.scan(page)
        if end == "cancelled":
            await page.raw("DELETE")
        else:
            world.clock.advance(page.made["expires_in"] + 1)
        await problem(await phone.answers("yes"), 409, "ticket-finished")
        await problem(await phone.scans(page), 409, "ticket-finished")
        assert (await page.poll())["status"] == end


async def test_a_permanent_code_is_over_with_its_ticket(make: Make) -> None:
    """Red when a scan of an old code reaches WeChat or a store: its login would be used up."""
    world = await mini_world(make, confirm="tap")
    page, phone = await world.login(), Phone(world, await world.person())
    await phone.scan(page)
    assert (await phone.answer("yes"))["status"] == "confirmed"
    code = phone.login()
    await problem(await phone.scans(page, js_code=code), 409, "ticket-finished")
    assert (await phone.scans(await world.login(), js_code=code)).status == 200, "the login was used up"
    world.clock.advance(30 * 86_400)
    late = Phone(world, phone.person)
    await world.redis.flushall()
    await problem(await late.scans(page, js_code=late.login()), 409, "ticket-finished")
    assert await world.redis.keys("scanbind:t:*") == []


async def test_a_referer_of_wechat_is_not_believed(make: Make) -> None:
    world = await mini_world(make)
    page = await world.login()
    headers = {"Referer": f"https://servicewechat.com/{MINI.appid}/1/page-frame.html"}
    body = {"scene": page.id, "js_code": "made-up"}
    response = await world.call("POST", "/v1/miniprogram/mini/scans", json=body, headers=headers)
    await problem(response, 404, "ticket-not-found")
