"""A mini program's ticket without Redis, with another key, and with another mini program's person.

Red when a scene is found only while Redis has its ticket, when an older key's codes open nothing after a rotation,
or when the person of a mini program is not the one of another app with the same unionid.
Covers: service.methods.code_pictures, service.methods.mini_program.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from harness import MINI, WEBSITE, World, client, free_port, problem
from mini_program_phone import Phone
from mini_world import mini_world

from models.events import OpenId
from service.config.settings import load
from service.privacy import subject_requests
from service.privacy.subject_requests import Subject
from service.server.runner import running

Make = Callable[..., Any]


@pytest.mark.parametrize("purpose", ["login", "bind"])
@pytest.mark.parametrize("moment", ["shown", "scanned", "ended"])
async def test_a_lost_redis_costs_at_most_another_scan(make: Make, purpose: str, moment: str) -> None:
    """Red when `_ticket_of` reads Redis: a login is recomputed, and a bind is in SQL."""
    world = await mini_world(make)
    page, phone = (
        await (world.login() if purpose == "login" else world.bind("42")),
        Phone(world, await world.person()),
    )
    if moment == "shown":
        await world.redis.flushall()
    await phone.scan(page)
    if moment == "scanned":
        await world.redis.flushall()
        await problem(await phone.answers("no"), 400, "invalid-code")
        await phone.scan(page)
    number = (await page.until("scanned"))["match"]
    told = await phone.answer(number)
    assert told["outcome"] == ("register" if purpose == "login" else "bound")
    if moment == "ended":
        await world.redis.flushall()
        await problem(await phone.answers(number), 400, "invalid-code")
        await problem(await phone.scans(page), 409, "ticket-finished")
    assert (await page.poll())["outcome"] == told["outcome"]


async def test_who_was_overtaken_after_a_loss_is_told_and_changes_nothing(make: Make) -> None:
    """Red when the answer is applied, or its person is sent to scan again, to whom the ticket is closed."""
    world = await mini_world(make, confirm="tap")
    page, people = await world.login(), [await world.person() for _ in range(2)]
    first, second = (Phone(world, person) for person in people)
    await first.scan(page)
    await world.redis.delete(f"scanbind:t:{page.id}")
    await second.scan(page)
    await problem(await first.answers("yes"), 409, "ticket-finished")
    assert (await second.answer("yes"))["status"] == "confirmed"


async def test_a_lost_picture_is_not_there_and_its_code_still_scans(make: Make) -> None:
    world = await mini_world(make)
    page = await world.bind("42")
    await world.redis.flushall()
    await problem(await world.call("GET", page.made["qr_png"]), 404, "not-found")
    assert (await Phone(world, await world.person()).scans(page)).status == 200


async def test_codes_of_an_older_key_go_on(make: Make) -> None:
    """Red when only the newest generation verifies a scene or a reply token."""
    world = await mini_world(make)
    login, bind, asked = await world.login(), await world.bind("42"), await world.login()
    phone = Phone(world, await world.person())
    await phone.scan(asked)
    number = (await asked.until("scanned"))["match"]
    keys = {"SCANBIND_SECRET_KEY": f'["{"n" * 40}", "{"k" * 40}"]'}
    settings = load(world.settings.data_dir / "config.yaml", keys)
    with free_port() as sock:
        async with running(settings, sock=sock, clock=world.clock) as service:
            after: World = replace(world, url=f"http://127.0.0.1:{service.port}", service=service)
            assert (await replace(phone, world=after).answer(number))["outcome"] == "register"
            for page in (login, bind):
                assert (await Phone(after, await world.person()).scans(page)).status == 200
            assert (await after.call("GET", bind.made["qr_png"])).status == 200


async def test_a_person_is_the_same_in_a_mini_program_and_at_a_website(make: Make) -> None:
    """Red when the unionid of a login is not stored, or no longer known when the person answers."""
    shop = client("shop", accounts=[], apps=["mini", "site"], methods=["miniprogram"], confirm="match")
    world = await make(apps={"mini": MINI, "site": WEBSITE}, clients={"shop": shop})
    page, phone = await world.bind("42"), Phone(world, await world.person())
    await phone.scan(page)
    await phone.answer((await page.until("scanned"))["match"])
    [bound] = await world.bindings("42")
    assert (bound["kind"], bound["account"], bound["appid"]) == ("miniprogram", "mini", MINI.appid)
    assert bound["openid"] == phone.person.openid(MINI.appid)
    assert bound["unionid"] == phone.person.unionid("acme")


async def test_a_code_that_cannot_be_had_gives_way_to_the_next_method(make: Make) -> None:
    methods = {"accounts": ["main"], "methods": ["miniprogram", "scan"]}
    world = await mini_world(make, **methods)
    world.programs.codes(MINI.appid).calls.limit = 0
    page = await world.login()
    assert (page.made["method"], page.made["qr_url"] is None) == ("scan", False)
    only = await world.call(
        "POST",
        "/v1/tickets",
        json={"purpose": "login", "client_id": "shop", "account": "mini"},
        headers={"Origin": "https://shop.example"},
    )
    await problem(only, 502, "wechat-unavailable")


async def test_a_bind_that_is_shown_again_has_the_same_code(make: Make) -> None:
    world = await mini_world(make)
    first, again = await world.bind("42", session="s"), await world.bind("42", session="s")
    assert (first.status, again.status) == (201, 200)
    assert [first.made[name] for name in ("ticket", "qr_png", "open_url")] == [
        again.made[name] for name in ("ticket", "qr_png", "open_url")
    ]
    assert len(world.programs.shown()) == 1


async def test_a_bind_whose_picture_is_lost_is_made_anew(make: Make) -> None:
    """Red when a reload of the site's page gets the same ticket, whose picture stays lost until it expires."""
    world = await mini_world(make)
    first = await world.bind("42", session="s")
    await world.redis.flushall()
    again = await world.bind("42", session="s")
    assert (again.status, again.id == first.id) == (201, False)
    assert (await world.call("GET", again.made["qr_png"])).status == 200
    assert (await first.poll())["status"] == "cancelled"


async def test_an_erasure_removes_who_is_asked_and_an_older_redis_revives_no_person(make: Make) -> None:
    """Red when the erasure leaves reply tokens out, or an answer stores its person again, without a unionid."""
    world = await mini_world(make)
    page, phone = await world.bind("42"), Phone(world, await world.person())
    await phone.scan(page)
    [key] = await world.redis.keys("scanbind:m:*")
    kept = await world.redis.get(key)
    number = (await page.until("scanned"))["match"]
    about = Subject(openid=OpenId(phone.person.openid(MINI.appid)), account="mini")
    assert (await subject_requests.erase(world.settings, about)).complete
    assert await world.redis.keys("scanbind:m:*") == []
    await world.redis.set(key, kept)
    await problem(await phone.answers(number), 400, "invalid-code")
    assert await world.bindings("42") == []
    await phone.scan(page)
    assert (await phone.answer(number))["outcome"] == "bound"
