"""A user has a limit of fresh QR codes; a person and a QR code have limits of scans."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from harness import client
from limits import counted, refused
from portal_client import visit
from sqlalchemy.pool import Pool

from sandbox.faults import Fault

# -- codes ------------------------------------------------------------------------------------------------------


async def test_a_user_gets_so_many_fresh_codes_from_the_back_end_and_the_portal_together(make: Any) -> None:
    """Red when `TicketIssuer.bind` does not ask `RateLimits.fresh_bind`."""
    world = await make(limits={"tickets_per_user": 3})
    for session in ("a", "b"):
        assert (await world.bind("42", session=session)).status == 201
    here = await visit(world, "42")
    assert (await here.bind()).status == 201
    for _ in range(3):
        assert (await here.bind()).status == 200, "the same again costs nothing"
        assert (await world.bind("42", session="a")).status == 200
    body = {"purpose": "bind", "user_id": "42", "session": "a", "refresh": True}
    await refused(await world.site("POST", "/v1/tickets", body))
    assert (await world.bind("42", session="a")).status == 200, "the one there is goes on"
    assert (await world.bind("43")).status == 201
    assert await counted(world, "tickets_per_user") == 1


# -- scans ------------------------------------------------------------------------------------------------------


ENDS = ("BEGIN", "SAVEPOINT", "RELEASE", "COMMIT", "ROLLBACK")


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect what is sent to SQL."""
    sent: list[str] = []

    def collect(connection: Any, *_: Any) -> None:
        connection.set_trace_callback(sent.append)

    sa.event.listen(Pool, "checkout", collect)
    try:
        yield sent
    finally:
        sa.event.remove(Pool, "checkout", collect)


async def settled(sent: list[str]) -> None:
    """Wait until WeChat has told of the person and that is kept: nothing is written beside the pushes then."""
    async with asyncio.timeout(10):
        while not any(one.startswith("UPDATE followers") and "asked_at" in one for one in sent):
            await asyncio.sleep(0.01)


async def test_scans_over_the_limit_change_nothing_cost_no_sql_and_get_one_notice(make: Any) -> None:
    """Red when `PushDispatcher.handle` does not ask `RateLimits.scan`."""
    world = await make(limits={"scans_per_openid": 2})
    pages = [await world.login() for _ in range(6)]
    with statements() as sent:
        mallory = await world.person(unionid="u-1")  # else each scan would ask WeChat for it
        await settled(sent)
        for page in pages[:2]:
            assert "sign" in (await world.scan(mallory, page) or "")
        sent.clear()
        said = await world.scan(mallory, pages[2])
        assert "操作过于频繁" in (said or "")
        assert "Too many attempts" in (said or "")
        for page in pages[3:]:
            assert await world.scan(mallory, page) is None
            assert world.sandbox.deliveries[-1].state == "answered"
        # Audit entries are gathered and written beside the pushes, in transactions of their own.
        assert [one for one in sent if not one.startswith((*ENDS, "INSERT INTO audit"))] == []
    assert [(await page.poll())["status"] for page in pages[2:]] == ["pending"] * 4
    assert await counted(world, "scans_per_openid") == 4
    assert "sign" in (await world.scan(await world.person(), pages[2]) or ""), "others may"


async def test_who_answers_too_often_is_not_heard(make: Any) -> None:
    """Red when `PushDispatcher._excess` knows scans alone."""
    world = await make(limits={"scans_per_openid": 3}, clients={"shop": client("shop", confirm="tap")})
    person, page = await world.person(), await world.login()
    await world.scan(person, page)
    for _ in range(2):
        await world.say(person, "12")
    for _ in range(5):
        assert await world.say(person, "hello") is None, "what could be no answer is not counted"
    assert "Too many attempts" in (await world.say(person, "是我，继续") or await world.say(person, "12") or "")
    assert (await page.poll())["status"] == "scanned"


async def test_a_code_has_a_limit_of_scans_by_all_people_together(make: Any) -> None:
    """Red when `RateLimits.scan` counts no tickets."""
    world = await make(limits={"scans_per_ticket": 2})
    page, other, people = await world.login(), await world.login(), [await world.person() for _ in range(4)]
    said = [await world.scan(person, page) for person in people]
    assert "sign" in (said[0] or "")
    assert "Another person" in (said[1] or "")
    assert "Too many attempts" in (said[2] or "")
    assert said[3] is None
    assert await world.scan(people[3], other)
    assert await counted(world, "scans_per_ticket") == 2


async def test_a_redelivery_is_not_counted_again_and_gets_the_same_reply(make: Any) -> None:
    """Red when `PushDispatcher` does not take back what it counted."""
    world = await make(limits={"scans_per_openid": 2})
    person = await world.person()
    for _ in range(2):
        scan = await world.sandbox.scan(person, (await world.login()).made["qr_url"], fault=Fault.TWICE)
        assert "sign" in scan.delivery.reply
    scan = await world.sandbox.scan(person, (await world.login()).made["qr_url"], fault=Fault.TWICE)
    assert {"Too many attempts" in (attempt.reply or "") for attempt in scan.delivery.attempts} == {True}


async def test_a_redelivery_of_a_scan_over_the_limit_gives_its_code_no_further_scan(make: Any) -> None:
    """Red when `PushDispatcher` does not tell `take_back_scan` which limit was exceeded."""
    world = await make(limits={"scans_per_openid": 1, "scans_per_ticket": 1})
    person, page = await world.person(), await world.login()
    for scanning, scanned in ((person, await world.login()), (await world.person(), page)):
        assert "sign" in (await world.scan(scanning, scanned) or "")
    scan = await world.sandbox.scan(person, page.made["qr_url"], fault=Fault.TWICE)
    assert "Too many attempts" in scan.delivery.reply
    assert "Too many attempts" in (await world.scan(await world.person(), page) or "")


async def test_an_unsubscribe_is_handled_beyond_the_limit_of_scans(make: Any) -> None:
    """Red when `PushDispatcher._excess` counts everything."""
    world = await make(limits={"scans_per_openid": 1})
    person = await world.bound("42")
    assert "Too many attempts" in (await world.scan(person, await world.login()) or "")
    await world.sandbox.unfollow(person)
    assert await world.bindings("42") == []
